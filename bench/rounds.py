"""One round of measurements of one relay: the gate and the floor get the very same load."""

import asyncio
import json
from typing import Final

from bench.gate import MODEL
from bench.load import connections, drive, request
from bench.process import Process

CONNECTIONS: Final = 16
_SMALL: Final = 125
"""Requests per connection."""
_LARGE: Final = 20
_LARGE_BYTES: Final = 256 * 1024
_SHORT, _LONG = 50, 1050
_STREAMS: Final = 3
_TICKED_CONNECTIONS: Final = 64
_TICKED_SHORT, _TICKED_LONG = 5, 105
_WARM: Final = 20
_HELD: Final = 500
_SETTLE_SECONDS: Final = 0.3

SMALL, LARGE, BURST, TICKED = "small", "large", "burst", "ticked"


def _body(prompt: str, *, stream: bool) -> bytes:
    message = {"role": "user", "content": prompt}
    return json.dumps({"model": MODEL, "max_tokens": 1024, "messages": [message], "stream": stream}).encode()


class Load:
    """The requests of one relay at ``port``."""

    def __init__(self, process: Process, port: int, token: str) -> None:
        self._process = process
        self._port = port
        self._token = token

    async def warm(self) -> None:
        """Let every connection be opened and every table be filled once."""
        async with connections(self._port, CONNECTIONS) as clients:
            for stream in (False, True):
                await drive(clients, self._request(stream=stream), _WARM)

    async def cpu_micros(self, figure: str) -> float:
        """Return CPU microseconds of the process per request (``SMALL``, ``LARGE``) or per streamed event (the others)."""
        if figure == SMALL:
            return await self._each(self._request(), _SMALL)
        if figure == LARGE:
            return await self._each(self._request("word " * (_LARGE_BYTES // 5)), _LARGE)
        if figure == BURST:
            short = await self._each(self._request(events=_SHORT), _STREAMS)
            long = await self._each(self._request(events=_LONG), _STREAMS)
            return (long - short) / (_LONG - _SHORT)
        brief = await self._each(self._request(events=_TICKED_SHORT, tick=True), 1, count=_TICKED_CONNECTIONS)
        lasting = await self._each(self._request(events=_TICKED_LONG, tick=True), 1, count=_TICKED_CONNECTIONS)
        return (lasting - brief) / (_TICKED_LONG - _TICKED_SHORT)

    async def bytes_per_open_stream(self) -> float:
        """Return the memory that an open stream takes, from many that are open at once."""
        sent = self._request(hold=True)
        await asyncio.sleep(_SETTLE_SECONDS)
        before = self._process.pss_bytes()
        async with connections(self._port, _HELD) as clients, asyncio.timeout(30):
            for client in clients:
                await client.begin(sent)
            await asyncio.sleep(_SETTLE_SECONDS)
            return (self._process.pss_bytes() - before) / _HELD

    async def _each(self, sent: bytes, each: int, *, count: int = CONNECTIONS) -> float:
        async with connections(self._port, count) as clients:
            before = self._process.cpu_seconds()
            await drive(clients, sent, each)
            return (self._process.cpu_seconds() - before) / (count * each) * 1e6

    def _request(
        self,
        prompt: str = "Say hello.",
        *,
        stream: bool = False,
        events: int | None = None,
        tick: bool = False,
        hold: bool = False,
    ) -> bytes:
        extra = {"x-bench-hold": "1"} if hold else {}
        if events is not None:
            extra["x-bench-events"] = str(events)
        elif stream:
            extra["x-bench-events"] = "1"
        if tick:
            extra["x-bench-tick"] = "1"
        streamed = stream or hold or events is not None
        return request(self._token, body=_body(prompt, stream=streamed), extra=extra)
