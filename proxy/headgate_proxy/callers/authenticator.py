"""Who sends a request: finds the token, verifies it once, and remembers the answer until the token or the keys end."""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final, Protocol

from headgate_api.clock import Clock
from headgate_api.snapshot import FleetSettings
from headgate_proxy.anthropic.errors import ErrorType, Refusal
from headgate_proxy.callers.caller import Caller
from headgate_proxy.callers.keys import KeySet
from headgate_proxy.callers.token import TokenRefusedError, Verified, verify

_REMEMBERED: Final = 8192


class Headers(Protocol):
    """The one thing asked of request headers."""

    def getall(self, key: str, default: Sequence[str]) -> Sequence[str]:
        """Return every value of a header, or ``default``."""


class Authenticator:
    """Verifies callers of one fleet. Verified tokens are remembered by their SHA-256, never by themselves."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._fleet: FleetSettings | None = None
        self._keys = KeySet({})
        self._known: OrderedDict[bytes, Verified] = OrderedDict()

    def authenticate(self, headers: Headers, fleet: FleetSettings) -> Caller | Refusal:
        """Return the caller, or the 401 or 403 to answer with.

        A token may come as ``Authorization: Bearer`` or ``x-api-key``; both are fine when they are the same, since some
        clients send their key both ways, and refused when they differ.
        """
        token = _token(headers, fleet.caller_tokens.audience)
        if isinstance(token, Refusal):
            return token
        try:
            caller = self._verified(token, fleet)
        except TokenRefusedError as error:
            return Refusal(401, ErrorType.AUTHENTICATION, str(error))
        if "*" not in fleet.allowed_namespaces and caller.namespace not in fleet.allowed_namespaces:
            return Refusal(
                403,
                ErrorType.PERMISSION,
                f"this fleet does not serve namespace {caller.namespace!r}; add it to spec.allowedNamespaces of the ProxyFleet",
            )
        return caller

    def _verified(self, token: str, fleet: FleetSettings) -> Caller:
        if fleet is not self._fleet:
            self._follow(fleet)
        now = self._clock.now()
        digest = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        known = self._known.get(digest)
        if known is not None and known.expires > now.timestamp():
            self._known.move_to_end(digest)
            return known.caller
        self._known.pop(digest, None)
        verified = verify(token, self._keys, fleet, now)
        self._known[digest] = verified
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return verified.caller

    def _follow(self, fleet: FleetSettings) -> None:
        """Forget what was verified under other keys or rules: a key that was rotated out must not live on in memory."""
        before = self._fleet
        self._fleet = fleet
        if before is None or _rules(before) != _rules(fleet):
            self._keys = KeySet.build(fleet.jwks)
            self._known.clear()


def _rules(fleet: FleetSettings) -> tuple[object, ...]:
    return fleet.jwks, fleet.issuer, fleet.caller_tokens


def _token(headers: Headers, audience: str) -> str | Refusal:
    found = [value.strip() for value in headers.getall("x-api-key", ())]
    for value in headers.getall("Authorization", ()):
        scheme, _, token = value.strip().partition(" ")
        if scheme.lower() != "bearer":
            return Refusal(401, ErrorType.AUTHENTICATION, "Authorization: the scheme must be Bearer")
        found.append(token.strip())
    found = [token for token in found if token]  # some clients send the header they have no value for
    if not found:
        return Refusal(
            401,
            ErrorType.AUTHENTICATION,
            f"no credential: send a Kubernetes ServiceAccount token of audience {audience} as Authorization: Bearer or x-api-key",
        )
    if any(token != found[0] for token in found):
        return Refusal(
            401,
            ErrorType.AUTHENTICATION,
            "the request carries different credentials (x-api-key, Authorization); send one ServiceAccount token only",
        )
    return found[0]
