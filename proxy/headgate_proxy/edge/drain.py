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
        self._limits: set[Limit] = set()
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
        return Limit(self, seconds, self._limits)

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
        for limit in self._limits:
            limit.expire()


class Limit:
    """A deadline that can be moved, and that ends when the server cuts its requests."""

    __slots__ = ("_armed", "_drain", "_limits", "_loop", "_slack", "_timeout")

    def __init__(self, drain: Drain, seconds: float, limits: "set[Limit]") -> None:
        self._drain = drain
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._slack = min(1.0, seconds / 8)
        self._armed = self._loop.time()
        self._timeout = asyncio.timeout_at(self._armed + seconds)

    async def __aenter__(self) -> Self:
        await self._timeout.__aenter__()
        self._limits.add(self)
        if self._drain.cutting:
            self.expire()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._limits.discard(self)
        await self._timeout.__aexit__(kind, error, trace)

    def extend(self, seconds: float) -> None:
        """Count ``seconds`` from now on. Called for every piece of a stream, so the timer itself is moved only seldom."""
        now = self._loop.time()
        if now - self._armed > self._slack and not self._timeout.expired() and not self._drain.cutting:
            self._armed = now
            self._timeout.reschedule(now + seconds + self._slack)

    def expire(self) -> None:
        """End the wait now."""
        if not self._timeout.expired():
            self._timeout.reschedule(self._loop.time())
