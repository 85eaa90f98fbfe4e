"""Time as a dependency, so that every decision about expiry, back-off and deadlines can be tested without waiting."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What Headgate asks of a clock."""

    def now(self) -> datetime:
        """Return the wall-clock time, aware, in UTC."""

    def monotonic(self) -> float:
        """Return seconds that never go backwards, for measuring durations."""


class SystemClock:
    """The machine's own clock; the only place that reads it."""

    def now(self) -> datetime:
        """Return the wall-clock time, aware, in UTC."""
        return datetime.now(UTC)  # noqa: TID251

    def monotonic(self) -> float:
        """Return the process's monotonic seconds."""
        return time.monotonic()


class ManualClock:
    """A clock that moves only when told: for tests and for replaying decisions."""

    def __init__(self, start: datetime) -> None:
        self._now = start
        self._monotonic = 0.0

    def now(self) -> datetime:
        """Return the time this clock was set to."""
        return self._now

    def monotonic(self) -> float:
        """Return the seconds this clock was advanced by since it was made."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Move the clock forward by ``seconds`` (a negative number is a ValueError)."""
        if seconds < 0:
            raise ValueError("a clock does not go backwards")
        self._now = datetime.fromtimestamp(self._now.timestamp() + seconds, UTC)
        self._monotonic += seconds


def rfc3339(moment: datetime) -> str:
    """Return ``moment`` as Kubernetes writes times: RFC 3339, UTC, whole seconds, ``Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
