"""The load: keep-alive connections that each send a request as soon as the last one is answered, on a bare protocol."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, cast

_LAST_CHUNK: Final = b"0\r\n\r\n"
_ANSWER_SECONDS: Final = 30


class BadAnswerError(Exception):
    """An answer that is not what was asked for: nothing measured with it would mean anything."""


def request(token: str, *, body: bytes, extra: Mapping[str, str] | None = None) -> bytes:
    """Return a request as the vendor's Python SDK sends it, in one piece."""
    headers = {
        "host": "127.0.0.1",
        "accept-encoding": "gzip, deflate",
        "connection": "keep-alive",
        "accept": "application/json",
        "content-type": "application/json",
        "user-agent": "Anthropic/Python 2.0",
        "x-stainless-lang": "python",
        "x-stainless-package-version": "2.0",
        "x-stainless-os": "Linux",
        "x-stainless-arch": "x64",
        "x-stainless-runtime": "CPython",
        "x-stainless-runtime-version": "3.13",
        "x-stainless-retry-count": "0",
        "anthropic-version": "2023-06-01",
        "authorization": f"Bearer {token}",
        **(extra or {}),
        "content-length": str(len(body)),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return b"POST /v1/messages HTTP/1.1\r\n" + head.encode() + b"\r\n" + body


class Client(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._begun: asyncio.Future[None] | None = None
        self._done: asyncio.Future[None] | None = None
        self._data = b""
        self._left: int | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail what is waited for."""
        for waited in (self._begun, self._done):
            if waited is not None and not waited.done():
                waited.set_exception(BadAnswerError(f"the connection was closed after {self._data[:300]!r}"))

    def data_received(self, data: bytes) -> None:
        """Find the end of the answer; ``_left`` counts a body of known length, and is -1 for a chunked one."""
        if self._left is None:
            self._data += data
            end = self._data.find(b"\r\n\r\n")
            if end >= 0:
                self._head(self._data[: end + 2].lower(), len(self._data) - end - 4)
        elif self._left > 0:
            self._left -= len(data)
        else:
            self._data = (self._data + data)[-len(_LAST_CHUNK) :]
        over = self._left == 0 or (self._left == -1 and self._data.endswith(_LAST_CHUNK))
        if over and self._done is not None and not self._done.done():
            self._done.set_result(None)

    def _head(self, head: bytes, rest: int) -> None:
        if self._begun is None or not head.startswith(b"http/1.1 200 "):
            self._transport.abort()
            return
        value = head.partition(b"\r\ncontent-length: ")[2]
        self._left = int(value.split(b"\r\n", 1)[0]) - rest if value else -1
        self._begun.set_result(None)

    async def begin(self, sent: bytes) -> None:
        """Send a request; return when the head of its answer is there. Raises BadAnswerError."""
        loop = asyncio.get_running_loop()
        self._data, self._left = b"", None
        self._begun, self._done = loop.create_future(), loop.create_future()
        self._transport.write(sent)
        await self._begun

    async def ask(self, sent: bytes) -> None:
        """Send a request; return when it is answered. Raises BadAnswerError."""
        await self.begin(sent)
        assert self._done is not None
        await self._done

    def close(self) -> None:
        """Close the connection, in the middle of an answer or not."""
        if self._begun is not None and self._done is not None and self._begun.done() and not self._done.done():
            self._done.cancel()
        self._transport.abort()


@asynccontextmanager
async def connections(port: int, count: int) -> AsyncIterator[list[Client]]:
    """Hold ``count`` connections while in this context."""
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        clients = []
        for _ in range(count):
            _, client = await loop.create_connection(Client, "127.0.0.1", port)
            stack.callback(client.close)
            clients.append(client)
        yield clients


async def drive(clients: list[Client], sent: bytes, each: int) -> None:
    """Send ``each`` requests on every connection. Raises BadAnswerError or TimeoutError."""

    async def one(client: Client) -> None:
        for _ in range(each):
            async with asyncio.timeout(_ANSWER_SECONDS):
                await client.ask(sent)

    async with asyncio.TaskGroup() as group:
        for client in clients:
            group.create_task(one(client))
