"""A server's side of TLS whose certificate changes while connections go on: each handshake takes the pair in use then.

The listener keeps one context for its whole life; that one has no certificate, and hands every handshake over to the
context of the present pair. So a bad pair never half-replaces a good one, and a listener may open before its certificate is
there (handshakes fail until then).
"""

import os
import ssl
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final, cast

from headgate_api.clock import Clock
from headgate_runtime.certificates import CERTIFICATE_KEY, BadCertificate, Pair, check

HANDSHAKE_SECONDS: Final = 10.0
"""How long a client may take over its handshake."""
_PLAIN_HTTP: Final = "HTTP_REQUEST"
"""OpenSSL's word for a client that speaks plain HTTP where TLS is expected."""


class ServingTLS:
    """The context a listener serves with; ``take`` changes its certificate."""

    def __init__(self, clock: Clock, *, plain_answer: Callable[[], bytes]) -> None:
        """``plain_answer`` makes a whole HTTP/1.1 response, sent to whoever speaks plain HTTP here."""
        self._clock = clock
        self._current: ssl.SSLContext | None = None
        self.context: ssl.SSLContext = _Listening(plain_answer)
        self.context.sni_callback = self._choose

    @property
    def ready(self) -> bool:
        """Tell whether there is a certificate to serve with."""
        return self._current is not None

    def take(self, pair: Pair, dns_name: str | None = None) -> datetime:
        """Serve with this pair from the next handshake on, and return when it expires.

        Raises BadCertificate, and goes on with the one before.
        """
        leaf = check(pair, self._clock.now(), dns_name)
        self._current = server_context(pair)
        return leaf.not_after

    def _choose(self, connection: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _: ssl.SSLContext) -> int | None:
        if self._current is None:
            return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR
        connection.context = self._current
        return None


class _Listening(ssl.SSLContext):
    """A context whose connections answer plain HTTP instead of hanging up without a word."""

    plain_answer: Callable[[], bytes]

    def __new__(cls, plain_answer: Callable[[], bytes]) -> "_Listening":
        made = super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        made.plain_answer = plain_answer
        made.sslobject_class = _Connection
        return made

    def wrap_bio(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *args: Any, **named: Any) -> ssl.SSLObject:
        made = cast("_Connection", super().wrap_bio(incoming, outgoing, *args, **named))
        made.plain_answer, made.outgoing = self.plain_answer, outgoing
        return made


class _Connection(ssl.SSLObject):
    plain_answer: Callable[[], bytes] | None
    outgoing: ssl.MemoryBIO

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except ssl.SSLWantReadError:
            raise
        except ssl.SSLError as error:
            if error.reason != _PLAIN_HTTP or self.plain_answer is None:
                raise
            # As if more were to come: the event loop then sends what stands in the buffer, and the client hangs up.
            self.outgoing.write(self.plain_answer())
            self.plain_answer = None
            raise ssl.SSLWantReadError from None


def plain_http_answer(content_type: str, body: bytes) -> bytes:
    """Return the response to plain HTTP on a TLS port."""
    head = (
        f"HTTP/1.1 400 Bad Request\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n"
        "connection: close\r\n\r\n"
    )
    return head.encode() + body


def server_context(pair: Pair) -> ssl.SSLContext:
    """Return a server context (TLS 1.2 or later) with this pair. Raises BadCertificate when OpenSSL does not take it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        with _as_file(f"{pair.chain}\n{pair.key.reveal()}".encode()) as path:
            context.load_cert_chain(path)
    except (ssl.SSLError, OSError) as error:
        problem = f"cannot be served with ({type(error).__name__}: {error})"
        raise BadCertificate(CERTIFICATE_KEY, problem, "issue another one (ECDSA P-256 or RSA 2048)") from None
    return context


@contextmanager
def _as_file(content: bytes) -> Iterator[Path]:
    """Give OpenSSL a path for what is in memory; where the system can, it never touches a disk."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("headgate-tls", os.MFD_CLOEXEC)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            yield Path(f"/proc/self/fd/{descriptor}")
        return
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        yield Path(file.name)
