"""Liveness judged by progress: a process that runs but no longer looks must be restarted, one that waits must not.

An unreachable API server is not a reason to restart: a sweep that ends with that answer is progress too. A watch that
stays silent about objects which a list shows is a reason, whatever its connection says.
"""

from collections.abc import Mapping
from typing import Final

from headgate_api.clock import Clock
from headgate_operator.engine.keys import Key

STALLED_AFTER_SECONDS: Final = 90.0


class Progress:
    """What the loops last achieved, in the clock's monotonic seconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lease_looked = clock.monotonic()
        self._swept: float | None = None
        self._seen: dict[Key, str] = {}
        self._behind: dict[Key, float] = {}

    def lease_looked(self) -> None:
        """Tell that the lease loop went round, whatever it found."""
        self._lease_looked = self._clock.monotonic()

    def term_began(self) -> None:
        """Tell that this process leads now: from here on, sweeps are expected."""
        self._swept = self._clock.monotonic()

    def term_ended(self) -> None:
        """Tell that this process leads no more."""
        self._swept = None

    def swept(self) -> None:
        """Tell that a sweep over all objects came to an end and a worker answered for it."""
        if self._swept is not None:
            self._swept = self._clock.monotonic()

    def watch_saw(self, key: Key, resource_version: str) -> None:
        """Tell that the watch delivered this version of an object."""
        self._seen[key] = resource_version
        self._behind.pop(key, None)

    def watch_saw_gone(self, key: Key) -> None:
        """Tell that the watch delivered a deletion."""
        self._seen.pop(key, None)
        self._behind.pop(key, None)

    def listed(self, versions: Mapping[Key, str]) -> None:
        """Compare a fresh list (key to resourceVersion) with what the watch delivered."""
        now = self._clock.monotonic()
        self._behind = {
            key: self._behind.get(key, now) for key, version in versions.items() if self._seen.get(key) != version
        }

    @property
    def seconds_since_sweep(self) -> float | None:
        """Return the age of the last sweep, or None while this process does not lead."""
        return None if self._swept is None else self._clock.monotonic() - self._swept

    def stalled(self) -> str | None:
        """Return what has made no progress for too long, or None."""
        now = self._clock.monotonic()
        if now - self._lease_looked > STALLED_AFTER_SECONDS:
            return f"the lease loop has not gone round for {now - self._lease_looked:.0f} s"
        if self._swept is not None and now - self._swept > STALLED_AFTER_SECONDS:
            return f"no sweep over all objects has ended for {now - self._swept:.0f} s"
        for key, since in self._behind.items():
            if now - since > STALLED_AFTER_SECONDS:
                return f"the watch has been silent about {key} for {now - since:.0f} s"
        return None
