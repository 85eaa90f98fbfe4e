"""Whether the vendor lets a request in: API keys at the API, tokens of ChatGPT plans at the Codex backend, never crosswise."""

from headgate_dev.emulator.credentials import Credentials, TokenState
from headgate_dev.emulator.oauth.identity import account_of
from headgate_dev.emulator.openai.errors import DetailError, RefusedError

NO_KEY_MESSAGE = (
    "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth "
    "(i.e. Authorization: Bearer YOUR_KEY)."
)
ACCOUNT_HEADER = "chatgpt-account-id"


def admit_key(headers: dict[str, str], credentials: Credentials) -> None:
    """Return when the API accepts the key in ``headers`` (lower-case names), else raise RefusedError."""
    match credentials.identify(headers):
        case ("api_key", value) if value in credentials.api_keys and "authorization" in headers:
            return
        case ("oauth", token) if token in credentials.oauth_tokens:
            raise RefusedError(
                401, "You have insufficient permissions for this operation. Missing scopes: api.responses.write."
            )
        case ("oauth", value):
            raise incorrect_key(value)
        case _:
            raise RefusedError(401, NO_KEY_MESSAGE)


def admit_plan(headers: dict[str, str], credentials: Credentials, *, account_needed: bool) -> str:
    """Return the token in ``headers`` when the Codex backend accepts it and its account, else raise RefusedError."""
    match credentials.identify(headers):
        case ("oauth", token) if token in credentials.oauth_tokens:
            _check_state(credentials.oauth_tokens[token])
        case _:
            raise DetailError(401, "Unauthorized")
    account, asked = account_of(token), headers.get(ACCOUNT_HEADER)
    if not asked and account_needed:
        raise DetailError(400, f"{ACCOUNT_HEADER} header is required")
    if account is not None and asked and asked != account:
        raise DetailError(403, f"{ACCOUNT_HEADER} is not the account of the token")
    return token


def incorrect_key(key: str) -> RefusedError:
    """Return the refusal of an unknown key, of which the vendor shows but the beginning."""
    shown = key[:4] + "*" * max(0, len(key) - 4)
    message = f"Incorrect API key provided: {shown}. You can find your API key at https://platform.openai.com/account/api-keys."
    return RefusedError(401, message, code="invalid_api_key")


def expired(message: str | None = None) -> RefusedError:
    """Return the refusal of a token whose time is over (codes as clients of the Codex backend know them)."""
    said = message or "Provided authentication token is expired. Please try signing in again."
    return RefusedError(401, said, type_=None, code="token_expired")


def revoked(message: str | None = None) -> RefusedError:
    """Return the refusal of a revoked token."""
    said = message or "Your authentication token has been invalidated. Please try signing in again."
    return RefusedError(401, said, type_=None, code="token_invalidated")


def _check_state(state: TokenState) -> None:
    if state is TokenState.EXPIRED:
        raise expired()
    if state is TokenState.REVOKED:
        raise revoked()
