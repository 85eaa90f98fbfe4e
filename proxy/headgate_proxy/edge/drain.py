"""Stopping without breaking anything: counts open requests, and cuts those that outlast the drain (B12)."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self


class Drain:
    """Knows every open request of a server."""

    def __init__(self) -> None:
        self.draining = False
        self.cutting = False
        self.open_requests = 0
        self._deadlines: dict[float, _Deadlines] = {}
        self._idle = asyncio.Event()
        self._idle.set()

    @contextmanager
    def request(self) -> Iterator[None]:
        """Count a request as open while in this context."""
        self.open_requests += 1
        self._idle.clear()
        try:
            yield
        finally:
            self.open_requests -= 1
            if self.open_requests == 0:
                self._idle.set()

    def limit(self, seconds: float) -> "Limit":
        """Return a context that raises TimeoutError after ``seconds``, or at once when requests are cut."""
        deadlines = self._deadlines.get(seconds)
        if deadlines is None:
            deadlines = self._deadlines[seconds] = _Deadlines(seconds)
        return Limit(self, deadlines)

    async def wait_idle(self, seconds: float) -> bool:
        """Return True as soon as no request is open, False after ``seconds``."""
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    def cut(self) -> None:
        """End every wait of the open requests now."""
        self.cutting = True
        for deadlines in self._deadlines.values():
            deadlines.cut()


class Limit:
    """A deadline that can be moved, and that ends when the server cuts its requests."""

    __slots__ = ("_deadlines", "_drain", "_timeout")

    def __init__(self, drain: Drain, deadlines: "_Deadlines") -> None:
        self._drain = drain
        self._deadlines = deadlines
        self._timeout = asyncio.timeout(None)

    async def __aenter__(self) -> Self:
        await self._timeout.__aenter__()
        self._deadlines.put(self)
        if self._drain.cutting:
            self.expire()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._deadlines.remove(self)
        await self._timeout.__aexit__(kind, error, trace)

    def extend(self) -> None:
        """Count the seconds from now on."""
        self._deadlines.put(self)

    def expire(self) -> None:
        """End the wait now."""
        self._deadlines.remove(self)
        if not self._timeout.expired():
            self._timeout.reschedule(asyncio.get_running_loop().time())


class _Deadlines:
    """All limits of one length, the next one to end first: they share a timer, since most end long before it rings.

    A timer of its own for every wait of every request would cost more than the rest of the wait.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._ends: dict[Limit, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def put(self, limit: Limit) -> None:
        """Let a limit end in ``seconds`` from now."""
        ends = self._loop.time() + self._seconds
        self._ends.pop(limit, None)
        self._ends[limit] = ends
        if self._timer is None:
            self._timer = self._loop.call_at(ends, self._ring)

    def remove(self, limit: Limit) -> None:
        """Forget a limit."""
        self._ends.pop(limit, None)

    def cut(self) -> None:
        """End all of them now."""
        for limit in list(self._ends):
            limit.expire()

    def _ring(self) -> None:
        self._timer = None
        now = self._loop.time()
        for limit, ends in list(self._ends.items()):
            if ends > now:
                self._timer = self._loop.call_at(ends, self._ring)
                break
            limit.expire()
