"""TLS over a stream that is no socket of the operating system: what http.client asks of a socket, and no more."""

import contextlib
import io
import ssl
from collections.abc import Callable
from typing import TypeVar

from headgate_cli.cluster.forward import Forwarded

T = TypeVar("T")


class Secured:
    """A secured stream, its handshake done and the server's name checked. Raises OSError (ssl.SSLError) as a socket would."""

    def __init__(self, carrier: Forwarded, trust: ssl.SSLContext, server_name: str) -> None:
        self._carrier = carrier
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = trust.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        self._readers = 0
        self._closed = False
        try:
            self._through(self._tls.do_handshake)
        except ssl.SSLError:
            with contextlib.suppress(OSError):
                self._flush()  # the alert that tells the other side why
            raise

    def settimeout(self, seconds: float) -> None:
        """Say how long a read or write may take."""
        self._carrier.settimeout(seconds)

    def sendall(self, data: bytes) -> None:
        """Send all of ``data``."""
        view = memoryview(data)
        while view:
            view = view[self._through(lambda: self._tls.write(view)) :]  # noqa: B023 - called at once

    def makefile(self, *_: object) -> io.BufferedReader:
        """Return a file to read from; the stream lives until that is closed too."""
        self._readers += 1
        return io.BufferedReader(_Reader(self))

    def receive(self, most: int) -> bytes:
        """Return up to ``most`` bytes; b"" at the end."""
        try:
            return self._through(lambda: self._tls.read(most))
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    def close(self) -> None:
        """End the stream, once nobody reads from it any more."""
        self._closed = True
        if not self._readers:
            self._carrier.close()

    def reader_closed(self) -> None:
        """Take note that a file was closed."""
        self._readers -= 1
        if self._closed:
            self.close()

    def _through(self, step: Callable[[], T]) -> T:
        """Do one step of TLS, with as many bytes to and fro as that takes."""
        while True:
            try:
                done = step()
            except ssl.SSLWantReadError:
                self._flush()
                data = self._carrier.receive()
                self._incoming.write(data) if data else self._incoming.write_eof()
            else:
                self._flush()
                return done

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._carrier.send(self._outgoing.read())


class _Reader(io.RawIOBase):
    def __init__(self, stream: Secured) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._stream.receive(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._stream.reader_closed()
