"""Google's error envelope (google.rpc.Status as JSON), for answers that Headgate gives itself.

Source: https://google.aip.dev/193: ``{"error": {"code", "message", "status"}}``, ``status`` being the canonical code's name.
"""

from typing import Final

import msgspec

from headgate_proxy.refusal import ErrorType, Refusal

_STATUSES: Final = {
    ErrorType.INVALID_REQUEST: "INVALID_ARGUMENT",
    ErrorType.AUTHENTICATION: "UNAUTHENTICATED",
    ErrorType.PERMISSION: "PERMISSION_DENIED",
    ErrorType.NOT_FOUND: "NOT_FOUND",
    ErrorType.TOO_LARGE: "INVALID_ARGUMENT",
    ErrorType.RATE_LIMIT: "RESOURCE_EXHAUSTED",
    ErrorType.TIMEOUT: "DEADLINE_EXCEEDED",
    ErrorType.API: "INTERNAL",
    ErrorType.OVERLOADED: "UNAVAILABLE",
}
_encode = msgspec.json.Encoder().encode


def envelope(refusal: Refusal, request_id: str) -> bytes:
    """Return the JSON body that says ``refusal`` to a client of Google's APIs; the request's id is in a header."""
    return _encode({"error": {"code": refusal.status, "message": refusal.message, "status": _STATUSES[refusal.type]}})


def last_event(refusal: Refusal, request_id: str) -> bytes:
    """Return the server-sent event that ends a stream which has already begun."""
    return b"data: " + envelope(refusal, request_id) + b"\r\n\r\n"
