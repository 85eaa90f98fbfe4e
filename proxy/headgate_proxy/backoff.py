"""Waiting between attempts at something that is away: exponential, capped, with jitter so that a fleet does not knock in step."""

import random
from typing import Final

_JITTER: Final = 0.2


class Backoff:
    """Delays in seconds from ``first``, doubling, to ``longest``, each within 20 %; ``reset`` after a success."""

    def __init__(self, first: float, longest: float, source: random.Random | None = None) -> None:
        self._first = first
        self._longest = longest
        self._next = first
        self._random = source if source is not None else random.SystemRandom()

    def reset(self) -> None:
        """Begin again with the shortest delay."""
        self._next = self._first

    def delay(self) -> float:
        """Return how long to wait now, and wait longer the next time."""
        now = self._next
        self._next = min(self._next * 2, self._longest)
        return now * self._random.uniform(1 - _JITTER, 1 + _JITTER)
