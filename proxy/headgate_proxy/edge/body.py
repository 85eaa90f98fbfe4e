"""Reads a request body: bounded in size and time, and not at all when its headers already say that it is refused."""

import asyncio
from typing import Final

from aiohttp import web

from headgate_proxy.anthropic.errors import ErrorType, Refusal

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


async def read_body(request: web.BaseRequest, *, limit: int, seconds: float) -> bytes | Refusal:
    """Return the whole body, or the refusal to answer with: over ``limit`` bytes, compressed, or slower than ``seconds``."""
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        return Refusal(
            400,
            ErrorType.INVALID_REQUEST,
            f"content-encoding: request bodies must not be compressed (got {encoding!r}); send the JSON as it is",
        )
    if request.content_length is not None and request.content_length > limit:
        return _too_large(limit)
    if request.headers.get("Expect", "").strip().lower() == "100-continue":
        await request.writer.write(_CONTINUE)
        request.writer.output_size = 0
    pieces: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(seconds):
            while piece := await request.content.readany():
                size += len(piece)
                if size > limit:
                    return _too_large(limit)
                pieces.append(piece)
    except TimeoutError:
        return Refusal(
            408, ErrorType.TIMEOUT, f"the request body did not arrive within {seconds:.0f} s; send it faster"
        )
    except web.RequestPayloadError:
        return Refusal(400, ErrorType.INVALID_REQUEST, "the request body broke off, or its transfer coding is damaged")
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _too_large(limit: int) -> Refusal:
    return Refusal(
        413,
        ErrorType.TOO_LARGE,
        f"the request body is larger than the {limit} bytes this ProxyFleet accepts (limits.maxRequestBytes)",
    )
