"""The canary pods a stable pod may turn to: the least busy one, and none that keeps failing.

A pod that fails several times in a row is left alone for a while, for longer each time; after that one request tries it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from headgate_api.clock import Clock
from headgate_api.snapshot import Endpoint

FAILURES: Final = 3
"""Failures in a row that eject an endpoint."""
EJECTED_SECONDS: Final = 30.0
LONGEST_EJECTION_SECONDS: Final = 480.0
_REST_SECONDS: Final = 5.0
"""How long a pod that says it is stopping is passed over: by then the head no longer names it."""


@dataclass(slots=True, eq=False)
class _State:
    endpoint: Endpoint
    open: int = 0
    failures: int = 0
    ejections: int = 0
    until: float = 0.0
    turn: int = 0


class Lease:
    """One request's hold on an endpoint: ends exactly once, further calls do nothing."""

    __slots__ = ("_ended", "_endpoints", "_state")

    def __init__(self, endpoints: "Endpoints", state: _State) -> None:
        self._endpoints = endpoints
        self._state = state
        self._ended = False
        state.open += 1
        endpoints.open += 1

    @property
    def endpoint(self) -> Endpoint:
        """Return where the request goes."""
        return self._state.endpoint

    def worked(self) -> None:
        """Note that the pod answered to the end."""
        if self._end():
            self._state.failures = self._state.ejections = 0

    def failed(self) -> None:
        """Note that the pod was not reached or broke off."""
        if self._end():
            self._endpoints.failed(self._state)

    def resting(self) -> None:
        """Note that the pod is stopping."""
        if self._end():
            self._endpoints.rest(self._state)

    def left(self) -> None:
        """Note that the request ended for a reason that says nothing about the pod."""
        self._end()

    def _end(self) -> bool:
        if self._ended:
            return False
        self._ended = True
        self._state.open -= 1
        self._endpoints.open -= 1
        return True


class Endpoints:
    """The endpoints of the present head, with what is known of each."""

    def __init__(self, clock: Clock, ejected: Callable[[Endpoint, float], None]) -> None:
        """``ejected`` is told of each ejection and its seconds."""
        self._clock = clock
        self._ejected = ejected
        self._states: dict[tuple[str, str, int], _State] = {}
        self._turn = 0
        self.open = 0
        """Leases that have not ended, those of endpoints that are gone included."""

    def follow(self, endpoints: Iterable[Endpoint]) -> None:
        """Use these from now on; what is known of those that stay is kept."""
        self._states = {
            key: self._states.get(key) or _State(e) for e in endpoints for key in [(e.pod, e.address, e.port)]
        }

    @property
    def known(self) -> int:
        """Return how many there are."""
        return len(self._states)

    @property
    def ejected(self) -> int:
        """Return how many of them are left alone now."""
        now = self._clock.monotonic()
        return sum(state.until > now for state in self._states.values())

    def take(self) -> Lease | None:
        """Return the least busy endpoint (in turn among equals), or None when there is none to turn to."""
        now = self._clock.monotonic()
        able = [state for state in self._states.values() if state.until <= now]
        if not able:
            return None
        chosen = min(able, key=lambda state: (state.open, state.turn))
        self._turn += 1
        chosen.turn = self._turn
        return Lease(self, chosen)

    def failed(self, state: _State) -> None:
        """Count a failure, and eject the endpoint when it is one too many."""
        state.failures += 1
        if state.failures < FAILURES and not state.ejections:
            return
        now = self._clock.monotonic()
        if state.until > now:
            return  # a request from before the ejection
        seconds = min(EJECTED_SECONDS * 2**state.ejections, LONGEST_EJECTION_SECONDS)
        state.until = now + seconds
        state.ejections += 1
        state.failures = 0
        self._ejected(state.endpoint, seconds)

    def rest(self, state: _State) -> None:
        """Pass the endpoint over for a moment."""
        state.until = max(state.until, self._clock.monotonic() + _REST_SECONDS)
