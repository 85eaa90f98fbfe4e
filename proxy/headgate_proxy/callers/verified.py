"""Tokens that were verified once: the answer is remembered until the token, the keys or the rules end."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from headgate_api.clock import Clock
from headgate_api.snapshot import FleetSettings
from headgate_proxy.callers.caller import Caller
from headgate_proxy.callers.keys import KeySet
from headgate_proxy.callers.token import Expected, Verified, verify

_REMEMBERED: Final = 8192


class VerifiedTokens:
    """Tokens of one kind. They are remembered by their SHA-256, never by themselves."""

    def __init__(self, clock: Clock, expected: Callable[[FleetSettings], Expected]) -> None:
        self._clock = clock
        self._expected_of = expected
        self._fleet: FleetSettings | None = None
        self._expected = Expected("", "", 0)
        self._keys = KeySet({})
        self._known: OrderedDict[bytes, Verified] = OrderedDict()

    def bearer(self, token: str, fleet: FleetSettings) -> Caller:
        """Return whom a token was issued to. Raises TokenRefusedError."""
        if fleet is not self._fleet:
            self._follow(fleet)
        now = self._clock.now()
        digest = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        known = self._known.get(digest)
        if known is not None and known.expires > now.timestamp():
            self._known.move_to_end(digest)
            return known.caller
        self._known.pop(digest, None)
        verified = verify(token, self._keys, self._expected, now)
        self._known[digest] = verified
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return verified.caller

    def _follow(self, fleet: FleetSettings) -> None:
        """Forget what was verified under other keys or rules: a key that was rotated out must not live on in memory."""
        before, expected = self._fleet, self._expected_of(fleet)
        self._fleet = fleet
        if before is None or expected != self._expected or before.jwks != fleet.jwks:
            self._expected = expected
            self._keys = KeySet.build(fleet.jwks)
            self._known.clear()
