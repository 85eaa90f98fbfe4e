"""Whether the vendor lets a request in: an API key, or an OAuth token (whose project is billed), as Google words it."""

from headgate_dev.emulator.credentials import Credentials, TokenState
from headgate_dev.emulator.gemini.errors import RefusedError, error_info
from headgate_dev.emulator.vendor import Call

_INVALID_CREDENTIALS = (
    "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid "
    "authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
)
_NO_IDENTITY = (
    "Method doesn't allow unregistered callers (callers without established identity). "
    "Please use API Key or other form of API consumer identity to call this API."
)


def admit(call: Call, credentials: Credentials) -> None:
    """Return when the vendor accepts the credential of ``call``, else raise RefusedError."""
    bearer = "authorization" in call.headers
    if bearer and ("x-goog-api-key" in call.headers or "key" in call.query):
        raise RefusedError("INVALID_ARGUMENT", "Multiple authentication credentials received. Please pass only one.")
    match credentials.identify(call.headers, call.query):
        case ("api_key", value):
            if bearer:  # a key is no token
                raise not_authenticated()
            if value not in credentials.api_keys:
                raise invalid_key()
        case ("oauth", token):
            _check(credentials.oauth_tokens.get(token))
        case _:
            raise RefusedError("PERMISSION_DENIED", _NO_IDENTITY)


def invalid_key(message: str | None = None) -> RefusedError:
    """Return the refusal of an unknown key, which is a 400 here."""
    said = message or "API key not valid. Please pass a valid API key."
    return RefusedError("INVALID_ARGUMENT", said, details=(error_info("API_KEY_INVALID"),))


def not_authenticated(reason: str = "ACCESS_TOKEN_TYPE_UNSUPPORTED", message: str | None = None) -> RefusedError:
    """Return the refusal of a token that is unknown, revoked or (``ACCESS_TOKEN_EXPIRED``) over."""
    return RefusedError("UNAUTHENTICATED", message or _INVALID_CREDENTIALS, details=(error_info(reason),))


def _check(state: TokenState | None) -> None:
    if state is TokenState.EXPIRED:
        raise not_authenticated("ACCESS_TOKEN_EXPIRED")
    if state is not TokenState.VALID:
        raise not_authenticated()
