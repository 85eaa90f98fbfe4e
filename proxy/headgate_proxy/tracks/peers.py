"""Which requests come from a pod of the same fleet: those that carry a relay token of the fleet's own ServiceAccount."""

from typing import Final

from headgate_api import names
from headgate_api.clock import Clock
from headgate_api.snapshot import FleetSettings
from headgate_proxy.callers.token import Expected, TokenRefusedError
from headgate_proxy.callers.verified import VerifiedTokens
from headgate_proxy.tracks.wire import Headers

_LONGEST_SECONDS: Final = 24 * 3600
"""Projected tokens live for an hour; those that somebody made by hand are no longer-lived than this."""


class Peers:
    """Knows the stable pods of one fleet."""

    def __init__(self, clock: Clock, *, fleet: str, namespace: str) -> None:
        self._tokens = VerifiedTokens(clock, _of_peers)
        self._peer = f"system:serviceaccount:{namespace}:{names.proxy_name(fleet)}"

    def sent(self, headers: Headers, fleet: FleetSettings) -> bool:
        """Tell whether a request carries exactly one relay token, and that of a stable pod of this fleet."""
        tokens = headers.getall(names.HEADER_RELAY_TOKEN, ())
        if len(tokens) != 1:
            return False
        try:
            return self._tokens.bearer(tokens[0], fleet).actor == self._peer
        except TokenRefusedError:
            return False


def _of_peers(fleet: FleetSettings) -> Expected:
    return Expected(fleet.issuer, names.AUDIENCE_RELAY, _LONGEST_SECONDS)
