"""One client connection, for what never becomes a request: bytes that are no valid HTTP are answered in the same envelope.

aiohttp's own answer is plain text that quotes what it could not read, and its log line does so too: both may hold the
caller's token.
"""

import logging
from http import HTTPStatus
from typing import Final

from aiohttp import http_exceptions, web

from headgate_proxy.edge.exchange import new_request_id, own_answer
from headgate_proxy.refusal import ErrorType, Refusal

MAX_HEADER_BYTES: Final = 32 * 1024
"""The longest request line or header: a ServiceAccount token of 16 KiB fits."""
MAX_HEADERS: Final = 128
_MALFORMED: Final = (http_exceptions.BadStatusLine, http_exceptions.BadHttpMethod, http_exceptions.InvalidURLError)

_log = logging.getLogger(__name__)


class Connection(web.RequestHandler):
    """aiohttp's connection with error answers of our own."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what was no valid HTTP (or, with 500, what failed in the handler), and close the connection."""
        if request.writer.output_size > 0:
            raise ConnectionError(
                "a response has begun: only closing the connection tells the client that it broke off"
            )
        request_id = new_request_id()
        refusal = _refusal(status, exc, message or "")
        _log.info("not a valid request", extra={"request_id": request_id, "problem": refusal.message})
        response = own_answer(refusal, request_id)
        response.force_close()
        return response


class Listener(web.Server):
    """aiohttp's low-level server, with our connections."""

    def __call__(self) -> Connection:
        """Return the protocol of a new connection."""
        return Connection(self, loop=self._loop, **self._kwargs)


def _refusal(status: int, error: BaseException | None, message: str) -> Refusal:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Refusal(status, ErrorType.API, "the proxy failed to handle this request; its log has the request id")
    if isinstance(error, http_exceptions.LineTooLong):
        problem = f"the request line or a header is longer than {MAX_HEADER_BYTES} bytes"
        return Refusal(431, ErrorType.INVALID_REQUEST, problem)
    if "Too many headers" in message:
        return Refusal(431, ErrorType.INVALID_REQUEST, "the request has too many headers")
    if "HTTPS traffic" in message:
        return Refusal(400, ErrorType.INVALID_REQUEST, "this port speaks plain HTTP; use http:// in the base URL")
    if isinstance(error, _MALFORMED):
        return Refusal(400, ErrorType.INVALID_REQUEST, "the request line is not valid HTTP/1.1")
    problem = message.strip().partition("\n")[0].partition(":")[0].rstrip(".")  # what follows quotes the request
    return Refusal(400, ErrorType.INVALID_REQUEST, f"the request is not valid HTTP/1.1 ({problem})")
