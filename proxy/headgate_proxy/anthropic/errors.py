"""Error envelopes of the Anthropic Messages API, for answers that Headgate gives itself.

Shape and types as the vendor documents them: ``{"type": "error", "error": {"type", "message"}, "request_id"}``.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec


class ErrorType(StrEnum):
    """The error types that Anthropic clients know."""

    INVALID_REQUEST = "invalid_request_error"
    AUTHENTICATION = "authentication_error"
    PERMISSION = "permission_error"
    NOT_FOUND = "not_found_error"
    TOO_LARGE = "request_too_large"
    RATE_LIMIT = "rate_limit_error"
    TIMEOUT = "timeout_error"
    API = "api_error"
    OVERLOADED = "overloaded_error"


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer in place of the upstream's: an HTTP status, an error type, and a message with the mend for people.

    ``retry`` False tells client libraries not to try again by themselves: a person has to mend something first.
    """

    status: int
    type: ErrorType
    message: str
    retry: bool = True


_SHOWN: Final = 100


def shown(text: str) -> str:
    """Return what a caller sent as an error message may repeat it: quoted, and not at any length."""
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


_encode = msgspec.json.Encoder().encode


def envelope(refusal: Refusal, request_id: str) -> bytes:
    """Return the JSON body that says ``refusal`` to an Anthropic client."""
    return _encode(
        {"type": "error", "error": {"type": refusal.type, "message": refusal.message}, "request_id": request_id}
    )


def sse_error(refusal: Refusal, request_id: str) -> bytes:
    """Return the server-sent event that ends a stream which has already begun."""
    return b"event: error\ndata: " + envelope(refusal, request_id) + b"\n\n"
