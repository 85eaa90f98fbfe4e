"""A vendor that says what it is told to, byte for byte, and keeps what it was sent: for what no well-behaved vendor does."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class Scripted:
    """Writes ``pieces`` for every request, each as a piece of its own; a None closes the connection."""

    url: str
    pieces: Sequence[bytes | None]
    lines: list[str] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
                self.lines.append(head.partition(b"\r\n")[0].decode())
                self.heads.append(head)
                self.bodies.append(await reader.readexactly(length))
                for piece in self.pieces:
                    if piece is None:
                        return
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0.01)  # so that it arrives as a piece of its own
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def scripted(*pieces: bytes | None) -> AsyncIterator[Scripted]:
    """Run such a vendor on a free port."""
    script = Scripted("", pieces)
    async with await asyncio.start_server(script.serve, "127.0.0.1") as server:
        script.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield script


def chunked(*pieces: bytes) -> tuple[bytes, ...]:
    """Return pieces as HTTP/1.1 chunks, the last one included."""
    return (*(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces), b"0\r\n\r\n")
