"""The order and pace in which the accounts of one vendor take their turn: pure bookkeeping, without tasks or clocks.

Each vendor (token endpoint's origin) has a lane of its own, so that one that hangs delays no other's accounts.
"""

import heapq
import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from headgate_operator.engine.keys import Key

AT_ONCE: Final = 8
SPACING_SECONDS: Final = 0.25
"""Between two beginnings: a thousand accounts that are overdue after an outage take four minutes, not one moment."""
_ASKED_FOR: Final = datetime(1, 1, 1, tzinfo=UTC)
_NO_HURRY: Final = datetime(9999, 12, 31, tzinfo=UTC)


@dataclass
class Lane:
    """Keys that wait: those somebody asked for first, then by when their access token expires."""

    running: int = 0
    next_start: float = 0.0
    _heap: list[tuple[datetime, int, Key]] = field(default_factory=list)
    _waiting: dict[Key, datetime] = field(default_factory=dict)
    _count: "itertools.count[int]" = field(default_factory=itertools.count)

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, key: Key, expires: datetime | None, *, asked: bool) -> None:
        """Let a key wait; one that waits already only moves forward."""
        rank = _ASKED_FOR if asked else expires or _NO_HURRY
        if key in self._waiting and self._waiting[key] <= rank:
            return
        self._waiting[key] = rank
        heapq.heappush(self._heap, (rank, next(self._count), key))

    def take(self, now: float) -> Key | None:
        """Return the next key to begin with at ``now`` (monotonic seconds), or None: none waits, or it is too early."""
        if not self._waiting or self.running >= AT_ONCE or now < self.next_start:
            return None
        while True:
            rank, _, key = heapq.heappop(self._heap)
            if self._waiting.get(key) == rank:
                del self._waiting[key]
                self.running += 1
                self.next_start = now + SPACING_SECONDS
                return key

    def wake_at(self) -> float | None:
        """Return when to try ``take`` again though nothing ends before; None: not before something ends or is added."""
        return self.next_start if self._waiting and self.running < AT_ONCE else None

    def clear(self) -> None:
        """Forget who waits; what runs goes on."""
        self._heap.clear()
        self._waiting.clear()
