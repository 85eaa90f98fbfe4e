"""Runs a small asyncio server in a thread of its own, so that blocking tests, pytest fixtures and the demo can use one."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Generic, Self, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Background(Generic[T]):
    """Enters an async context manager on a private event loop in a thread, and leaves it (and joins) on exit.

    ``factory`` is called on that loop. An error while entering is raised by ``__enter__``.
    """

    def __init__(self, factory: Callable[[], AbstractAsyncContextManager[T]]) -> None:
        self._factory = factory
        self._ready: concurrent.futures.Future[tuple[T, asyncio.AbstractEventLoop, asyncio.Event]]
        self._thread: threading.Thread

    def __enter__(self) -> Self:
        self._ready = concurrent.futures.Future()
        self._thread = threading.Thread(target=self._run, name="headgate-dev-background", daemon=True)
        self._thread.start()
        try:
            self._inside, self._loop, self._leave = self._ready.result()
        except BaseException:
            self._thread.join()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._leave.set)
        self._thread.join()

    @property
    def inside(self) -> T:
        """Return what the context manager gave; touch its mutable parts only through ``call`` and ``ask``."""
        return self._inside

    def call(self, function: Callable[[T], Awaitable[R]]) -> R:
        """Run ``await function(inside)`` on the server's loop and return (or raise) what it does."""

        async def run() -> R:
            return await function(self._inside)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result()

    def ask(self, function: Callable[[T], R]) -> R:
        """Run ``function(inside)`` on the server's loop, where nothing changes meanwhile, and return what it does."""

        async def run() -> R:
            return function(self._inside)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        leave = asyncio.Event()
        try:
            async with self._factory() as inside:
                self._ready.set_result((inside, asyncio.get_running_loop(), leave))
                await leave.wait()
        except BaseException as error:
            if self._ready.done():
                raise
            self._ready.set_exception(error)
