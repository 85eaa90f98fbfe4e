"""Reads a request body: bounded in size and time, and not at all when its headers already say that it is refused."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from aiohttp import web

from headgate_proxy.edge.drain import Drain
from headgate_proxy.refusal import ErrorType, Refusal

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class Share:
    """What one request holds of the bytes that all may hold together."""

    __slots__ = ("_limits", "held")

    def __init__(self, limits: "BodyLimits") -> None:
        self._limits = limits
        self.held = 0

    def take(self, size: int) -> bool:
        """Count ``size`` more bytes; False when they are too many."""
        self._limits.buffered += size
        self.held += size
        return self._limits.buffered <= self._limits.most


class BodyLimits:
    """Bounds on request bodies: seconds for one to arrive, and bytes held by all requests together."""

    def __init__(self, seconds: float, most: int) -> None:
        self.seconds = seconds
        self.most = most
        self.buffered = 0

    @contextmanager
    def share(self) -> Iterator[Share]:
        """Return a request's share, given back at the end of this context."""
        share = Share(self)
        try:
            yield share
        finally:
            self.buffered -= share.held


async def read_body(
    request: web.BaseRequest, share: Share, drain: Drain, *, limit: int, seconds: float
) -> bytes | Refusal:
    """Return the whole body, or the refusal to answer with; after a refusal the connection has to be closed.

    Refused is what is over ``limit`` bytes, compressed, slower than ``seconds``, or too much beside all others' bodies.
    """
    if (refusal := _unreadable(request, limit)) is not None:
        return refusal
    if request.headers.get("Expect", "").strip().lower() == "100-continue":
        await request.writer.write(_CONTINUE)
        request.writer.output_size = 0
    pieces: list[bytes] = []
    size = 0
    try:
        async with drain.limit(seconds):
            while piece := await request.content.readany():
                size += len(piece)
                if size > limit:
                    return _too_large(limit)
                if not share.take(len(piece)):
                    return Refusal(
                        503,
                        ErrorType.OVERLOADED,
                        "this proxy holds as many request bodies as it can; send the request again",
                    )
                pieces.append(piece)
    except TimeoutError:
        if drain.cutting:
            return Refusal(503, ErrorType.OVERLOADED, "this proxy is stopping; send the request again")
        return Refusal(
            408, ErrorType.TIMEOUT, f"the request body did not arrive within {seconds:.0f} s; send it faster"
        )
    except web.RequestPayloadError:
        return Refusal(400, ErrorType.INVALID_REQUEST, "the request body broke off, or its transfer coding is damaged")
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _unreadable(request: web.BaseRequest, limit: int) -> Refusal | None:
    headers = request.headers
    encoding = headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        return Refusal(
            400,
            ErrorType.INVALID_REQUEST,
            f"content-encoding: request bodies must not be compressed (got {encoding[:40]!r}); send the JSON as it is",
        )
    if headers.get("Transfer-Encoding", "chunked").strip().lower() != "chunked":
        return Refusal(400, ErrorType.INVALID_REQUEST, "transfer-encoding: only chunked is understood")
    if request.content_length is not None and request.content_length > limit:
        return _too_large(limit)
    return None


def _too_large(limit: int) -> Refusal:
    return Refusal(
        413,
        ErrorType.TOO_LARGE,
        f"the request body is larger than the {limit} bytes this ProxyFleet accepts (limits.maxRequestBytes)",
    )
