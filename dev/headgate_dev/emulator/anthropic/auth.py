"""Whether the vendor lets a request in: API key or OAuth bearer, never both (facts: Anthropic API docs and observed answers)."""

from headgate_dev.emulator.anthropic.errors import RefusedError
from headgate_dev.emulator.credentials import Credentials, TokenState

OAUTH_BETA = "oauth-2025-04-20"
"""The beta a request with an OAuth bearer token has to name."""

EXPIRED_MESSAGE = "OAuth token has expired. Please obtain a new token or refresh your existing token."
REVOKED_MESSAGE = "OAuth token has been revoked. Please obtain a new token."
UNSUPPORTED_MESSAGE = "OAuth authentication is currently not supported."


def betas(headers: dict[str, str]) -> set[str]:
    """Return the names in ``anthropic-beta``."""
    return {name.strip() for name in headers.get("anthropic-beta", "").split(",") if name.strip()}


def admit(headers: dict[str, str], credentials: Credentials) -> None:
    """Return when the vendor accepts the credential and version in ``headers`` (lower-case names), else raise RefusedError."""
    key, authorization = headers.get("x-api-key"), headers.get("authorization")
    if key and authorization:
        raise RefusedError("authentication_error", "x-api-key and Authorization must not be sent together")
    match credentials.identify(headers):
        case None if authorization:
            raise RefusedError("authentication_error", "Authorization header must be of the form: Bearer <token>")
        case None:
            raise RefusedError("authentication_error", "x-api-key header is required")
        case ("api_key", value):
            _admit_key(value, credentials)
        case (_, token):
            _admit_token(token, headers, credentials)
    if "anthropic-version" not in headers:
        raise RefusedError("invalid_request_error", "anthropic-version: header is required")
    version = headers["anthropic-version"]
    if version not in {"2023-01-01", "2023-06-01", "2026-10-21"}:
        raise RefusedError("invalid_request_error", f'anthropic-version: "{version}" is not a valid version')


def revoked(status: int, message: str = REVOKED_MESSAGE) -> RefusedError:
    """Return the refusal of a revoked token, which is seen as a 403 permission_error or as a 401 authentication_error."""
    return RefusedError("permission_error" if status == 403 else "authentication_error", message, status)


def _admit_key(key: str, credentials: Credentials) -> None:
    if key not in credentials.api_keys:
        raise RefusedError("authentication_error", "invalid x-api-key")


def _admit_token(token: str, headers: dict[str, str], credentials: Credentials) -> None:
    if OAUTH_BETA not in betas(headers):
        raise RefusedError("authentication_error", UNSUPPORTED_MESSAGE)
    match credentials.oauth_tokens.get(token):
        case None:
            raise RefusedError("authentication_error", "Invalid bearer token")
        case TokenState.EXPIRED:
            raise RefusedError("authentication_error", EXPIRED_MESSAGE)
        case TokenState.REVOKED:
            raise revoked(credentials.revoked_status)
        case TokenState.VALID:
            return
