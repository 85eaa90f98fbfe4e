"""When to stop asking a Vault that does not answer, so that callers fail at once and threads are not spent on waiting.

Pure apart from the injected clock: three failures in a row open the breaker; while it is open one probe per period is let
through, and the period doubles up to ten seconds, so a Vault that is back is noticed soon.
"""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from headgate_api.clock import Clock

FAILURES_TO_OPEN: Final = 3
FIRST_PERIOD_SECONDS: Final = 1.0
LONGEST_PERIOD_SECONDS: Final = 10.0


class Breaker:
    """Counts failures in a row and says whether one more call may be tried."""

    def __init__(self, clock: "Clock") -> None:
        self._clock = clock
        self._failures = 0
        self._period = FIRST_PERIOD_SECONDS
        self._next_probe = 0.0

    @property
    def is_open(self) -> bool:
        """Tell whether calls are being refused without being tried."""
        return self._failures >= FAILURES_TO_OPEN

    def admit(self) -> bool:
        """Tell whether this call may be tried; while open, this grants the one probe of the period."""
        if not self.is_open:
            return True
        now = self._clock.monotonic()
        if now < self._next_probe:
            return False
        self._next_probe = now + self._period
        return True

    def succeeded(self) -> None:
        """Close the breaker: Vault has answered."""
        self._failures = 0
        self._period = FIRST_PERIOD_SECONDS

    def failed(self) -> None:
        """Count one call that got no usable answer."""
        was_open = self.is_open
        self._failures += 1
        if not self.is_open:
            return
        if was_open:
            self._period = min(self._period * 2, LONGEST_PERIOD_SECONDS)
        self._next_probe = self._clock.monotonic() + self._period
