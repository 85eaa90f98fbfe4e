"""The work queue: each key waits once, is handled by one worker at a time, and comes back later when asked to.

Time is the event loop's, so that tests run on a loop whose time they own. A failing key backs off on its own; it never
delays another.
"""

import asyncio
from typing import Final

from headgate_operator.engine.keys import Key

FIRST_BACKOFF_SECONDS: Final = 0.5
LONGEST_BACKOFF_SECONDS: Final = 60.0


class WorkQueue:
    """Keys to look at. Not thread-safe: everything happens on one event loop."""

    def __init__(self) -> None:
        self._ready: asyncio.Queue[Key] = asyncio.Queue()
        self._queued: set[Key] = set()
        self._active: set[Key] = set()
        self._dirty: set[Key] = set()
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._failures: dict[Key, int] = {}

    @property
    def depth(self) -> int:
        """Return how many keys wait for a worker now."""
        return len(self._queued) + len(self._dirty)

    def add(self, key: Key, *, delay: float = 0.0) -> None:
        """Ask for a look at ``key`` in ``delay`` seconds; an earlier look already asked for stands."""
        if delay <= 0:
            self._cancel_timer(key)
            self._enqueue(key)
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + delay
        waiting = self._timers.get(key)
        if waiting is not None:
            if waiting.when() <= due:
                return
            waiting.cancel()
        self._timers[key] = loop.call_at(due, self._due, key)

    async def take(self) -> Key:
        """Wait for a key and return it; until ``done`` no other worker gets it."""
        key = await self._ready.get()
        self._queued.discard(key)
        self._active.add(key)
        return key

    def done(self, key: Key) -> None:
        """Tell that the worker is finished with ``key``; if it was asked for meanwhile, it is queued again."""
        self._active.discard(key)
        if key in self._dirty:
            self._dirty.discard(key)
            self._enqueue(key)

    def succeeded(self, key: Key) -> None:
        """Forget earlier failures of ``key``."""
        self._failures.pop(key, None)

    def failed(self, key: Key) -> float:
        """Count a failure, ask for another look after a back-off, and return that back-off in seconds."""
        count = self._failures.get(key, 0)
        self._failures[key] = count + 1
        delay: float = min(LONGEST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2 ** min(count, 16))
        self.add(key, delay=delay)
        return delay

    def close(self) -> None:
        """Cancel every delayed look."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _due(self, key: Key) -> None:
        self._timers.pop(key, None)
        self._enqueue(key)

    def _enqueue(self, key: Key) -> None:
        if key in self._active:
            self._dirty.add(key)
        elif key not in self._queued:
            self._queued.add(key)
            self._ready.put_nowait(key)

    def _cancel_timer(self, key: Key) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
