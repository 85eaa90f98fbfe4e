"""Connections to upstreams that tell two things aiohttp keeps to itself: that one was used before, and that it ended early.

A pooled connection may be closed by the upstream at the very moment a request is sent on it; only a connection that was
used before can fail that way. And a response whose framing breaks leaves its reader waiting, although the connection is gone.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final
from weakref import WeakKeyDictionary

import aiohttp
from aiohttp.connector import Connection
from aiohttp.http import RawResponseMessage

_STALE: Final = 2
"""How many idle connections may turn out to be closed before that counts as the upstream being unavailable."""
_STALE_SECONDS: Final = 1.0
"""A connection that breaks later than this after a request was sent did carry it: the request may have been acted upon."""


@dataclass(slots=True, eq=False)
class Line:
    """One connection: how many requests it has carried, and the response body it carries now."""

    requests: int = 0
    content: aiohttp.StreamReader | None = None

    def closed(self, ended: asyncio.Future[None]) -> None:
        """End the wait of whoever reads a body that can no longer arrive."""
        if not ended.cancelled():
            ended.exception()
        content = self.content
        if content is not None and not content.is_eof() and content.exception() is None:
            content.set_exception(aiohttp.ClientPayloadError("the response broke off"))


LINE: Final[ContextVar[Line | None]] = ContextVar("headgate_upstream_line", default=None)
"""The connection that the current task's last request went by; None when it did not get one."""


class Connector(aiohttp.TCPConnector):
    """A pool of connections that keeps a ``Line`` for each."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self._lines: WeakKeyDictionary[asyncio.BaseProtocol, Line] = WeakKeyDictionary()

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[aiohttp.tracing.Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  # aiohttp's own signature
    ) -> Connection:
        """Return a connection from the pool, or a new one."""
        connection = await super().connect(req, traces, timeout)
        protocol = connection.protocol
        if protocol is not None:
            line = self._lines.get(protocol)
            if line is None:
                line = self._lines[protocol] = Line()
                if (closed := protocol.closed) is not None:
                    closed.add_done_callback(line.closed)
            line.requests += 1
            LINE.set(line)
        return connection


async def past_stale(send: Callable[[], Awaitable[aiohttp.ClientResponse]]) -> aiohttp.ClientResponse:
    """Send, and send again when a connection that had idled turns out to have been closed by the other side meanwhile."""
    for retries in reversed(range(_STALE + 1)):
        LINE.set(None)
        began = time.monotonic()
        try:
            return await send()
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            line, partial = LINE.get(), getattr(error, "message", None)
            stale = line is not None and line.requests > 1 and time.monotonic() - began < _STALE_SECONDS
            if not (retries and stale) or isinstance(partial, RawResponseMessage):
                raise
    raise AssertionError("the last round returns or raises")
