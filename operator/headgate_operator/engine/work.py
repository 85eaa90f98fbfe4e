"""What must not be broken off: nobody else has the tokens that a vendor has just answered with.

Whoever waits for such work may leave; the process lets it end before it ends itself, for some seconds.
"""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

SHUTDOWN_SECONDS: Final = 20.0
_T = TypeVar("_T")


class Stopping(Exception):  # noqa: N818 - a state
    """This process ends (or has not begun yet), and takes no more work."""


class Work:
    """Runs tasks of its own. They must raise nothing: what they come to is their result."""

    def __init__(self) -> None:
        self._group: asyncio.TaskGroup | None = None
        self._working: set[asyncio.Task[Any]] = set()
        self._waiting: set[asyncio.Task[None]] = set()

    @property
    def open(self) -> bool:
        """Tell whether work is taken."""
        return self._group is not None

    async def run(self) -> None:
        """Take work until cancelled; then let what is under way end."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                self._group = None
                for task in self._waiting:
                    task.cancel()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(SHUTDOWN_SECONDS):
                        while self._working:
                            await asyncio.wait(self._working)

    def begin(self, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        """Begin with work that is to be ended whatever happens. Raises Stopping when the process ends."""
        return self._add(work, self._working)

    def wait(self, waiting: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Begin with something that only waits, and is broken off when the process ends. Raises Stopping then."""
        return self._add(waiting, self._waiting)

    def _add(self, work: Coroutine[Any, Any, _T], tasks: set[asyncio.Task[_T]]) -> asyncio.Task[_T]:
        if self._group is None:
            work.close()
            raise Stopping
        task = self._group.create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return task
