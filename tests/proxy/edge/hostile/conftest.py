"""Bytes on the wire, where a well-behaved HTTP library would not let a test say what it wants to say."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest


@dataclass
class Script:
    """An upstream that answers every request with these pieces; None closes the connection, an event is waited for."""

    url: str
    pieces: Sequence[bytes | asyncio.Event | None] = ()
    connections: int = 0
    requests: int = 0
    bodies: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
                self.bodies.append(await reader.readexactly(length))
                self.requests += 1
                for piece in self.pieces:
                    if piece is None:
                        return
                    if isinstance(piece, asyncio.Event):
                        await piece.wait()
                    else:
                        writer.write(piece)
                        await writer.drain()
                        await asyncio.sleep(0.02)  # so that it arrives as a piece of its own
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


class Wire:
    """Talks to the edge of a gate in raw bytes, and puts raw upstreams behind it."""

    def __init__(self, gate: Any) -> None:
        self._gate = gate

    async def exchange(self, *pieces: bytes) -> bytes:
        """Send pieces on a new connection and return all that comes until the server closes it (10 s at most)."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._gate.edge.port)
        try:
            async with asyncio.timeout(10):
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0.02)  # so that it arrives as a piece of its own
                return await reader.read()
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    def request(self, body: bytes, *lines: str, target: str = "/v1/messages") -> bytes:
        """Return a request with a valid token that asks to close the connection; its length is added unless ``lines`` say one."""
        if not any(line.lower().startswith(("content-length", "transfer-encoding")) for line in lines):
            lines = (*lines, f"content-length: {len(body)}")
        auth = self._gate.headers()["authorization"]
        head = (
            f"POST {target} HTTP/1.1",
            "host: x",
            f"authorization: {auth}",
            "anthropic-version: 2023-06-01",
            "connection: close",
            *lines,
        )
        return "\r\n".join((*head, "", "")).encode() + body

    @asynccontextmanager
    async def upstream(self, *pieces: bytes | asyncio.Event | None, **spec: Any) -> AsyncIterator[Script]:
        """Run a scripted upstream as the endpoint of provider team-a/claude."""
        script = Script("", pieces)
        async with await asyncio.start_server(script.serve, "127.0.0.1") as server:
            script.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            self._gate.provider(endpoint=script.url, **spec)
            self._gate.hold("team-a/llmproviders/claude/api-key", "emulated-api-key", origins=(script.url,))
            yield script
            await self._gate.edge.close()


@pytest.fixture
def wire(gate: Any) -> Wire:
    return Wire(gate)
