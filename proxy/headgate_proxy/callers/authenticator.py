"""Who sends a request: finds the token in its headers, and tells whether this fleet serves its bearer."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from headgate_api.clock import Clock
from headgate_api.snapshot import FleetSettings
from headgate_proxy.callers.caller import Caller
from headgate_proxy.callers.token import Expected, TokenRefusedError
from headgate_proxy.callers.verified import VerifiedTokens
from headgate_proxy.refusal import ErrorType, Refusal

_KEY = "x-api-key"


class Headers(Protocol):
    """The one thing asked of request headers."""

    def getall(self, key: str, default: Sequence[str]) -> Sequence[str]:
        """Return every value of a header, or ``default``."""


class Authenticator:
    """Verifies callers of one fleet."""

    def __init__(self, clock: Clock) -> None:
        self._tokens = VerifiedTokens(clock, _of_callers)

    def authenticate(self, headers: Headers, fleet: FleetSettings, given: Iterable[str] = ()) -> Caller | Refusal:
        """Return the caller, or the 401 or 403 to answer with.

        A token may come as ``Authorization: Bearer`` or ``x-api-key``, or be ``given`` in a place of its own that the client's
        protocol has. Several are fine when they are the same, since some clients send their key both
        ways, and refused when they differ.
        """
        token = _token(headers, fleet.caller_tokens.audience, given)
        if isinstance(token, Refusal):
            return token
        try:
            caller = self._tokens.bearer(token, fleet)
        except TokenRefusedError as error:
            return Refusal(401, ErrorType.AUTHENTICATION, str(error))
        if "*" not in fleet.allowed_namespaces and caller.namespace not in fleet.allowed_namespaces:
            return Refusal(
                403,
                ErrorType.PERMISSION,
                f"this fleet does not serve namespace {caller.namespace!r}; add it to spec.allowedNamespaces of the ProxyFleet",
            )
        return caller


def _of_callers(fleet: FleetSettings) -> Expected:
    return Expected(fleet.issuer, fleet.caller_tokens.audience, fleet.caller_tokens.max_lifetime_seconds)


def _token(headers: Headers, audience: str, given: Iterable[str]) -> str | Refusal:
    found = [value.strip() for value in headers.getall(_KEY, ())]
    for value in headers.getall("Authorization", ()):
        scheme, _, token = value.strip().partition(" ")
        if scheme.lower() != "bearer":
            return Refusal(401, ErrorType.AUTHENTICATION, "Authorization: the scheme must be Bearer")
        found.append(token.strip())
    found += [value.strip() for value in given]
    found = [token for token in found if token]  # some clients send the header they have no value for
    if not found:
        return Refusal(
            401,
            ErrorType.AUTHENTICATION,
            f"no credential: send a Kubernetes ServiceAccount token of audience {audience} as Authorization: Bearer or "
            "x-api-key (at Gemini's paths also x-goog-api-key)",
        )
    if any(token != found[0] for token in found):
        return Refusal(
            401,
            ErrorType.AUTHENTICATION,
            "the request carries different credentials (Authorization, x-api-key or the protocol's own); send one token only",
        )
    return found[0]
