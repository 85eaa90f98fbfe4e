"""OpenAI's error envelope and the events that end its streams, for answers that Headgate gives itself.

Sources: OpenAI API docs, "Error codes" (``{"error": {"message", "type", "param", "code"}}``) and "Streaming events"; that the
Responses API also sends the error as an object in its ``error`` event was observed. Client libraries raise on either.
"""

from typing import Any, Final

import msgspec

from headgate_proxy.refusal import ErrorType, Refusal

_CODES: Final = {ErrorType.AUTHENTICATION: "invalid_api_key", ErrorType.RATE_LIMIT: "rate_limit_exceeded"}
"""Where clients know a word of the vendor's; the gate's own kinds stand for the rest."""
_encode = msgspec.json.Encoder().encode


def envelope(refusal: Refusal, request_id: str) -> bytes:
    """Return the JSON body that says ``refusal`` to an OpenAI client; the request's id is in a header."""
    return _encode({"error": _error(refusal)})


def last_chunk(refusal: Refusal, request_id: str) -> bytes:
    """Return the event that ends a stream of Chat Completions which has already begun."""
    return b"data: " + envelope(refusal, request_id) + b"\n\n"


def last_event(refusal: Refusal, request_id: str) -> bytes:
    """Return the event that ends a stream of Responses which has already begun."""
    error = _error(refusal)
    event = {"type": "error", "code": error["code"], "message": error["message"], "param": None, "error": error}
    return b"event: error\ndata: " + _encode(event) + b"\n\n"


def _error(refusal: Refusal) -> dict[str, Any]:
    kind = "server_error" if refusal.status >= 500 else "invalid_request_error"
    return {
        "message": refusal.message,
        "type": kind,
        "param": None,
        "code": _CODES.get(refusal.type, refusal.type.value),
    }
