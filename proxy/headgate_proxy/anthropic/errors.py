"""Error envelopes of the Anthropic Messages API, for answers that Headgate gives itself.

Shape and types as the vendor documents them: ``{"type": "error", "error": {"type", "message"}, "request_id"}``. The gate's own
kinds of refusal are the vendor's, so that they need no translation here.
"""

import msgspec

from headgate_proxy.refusal import Refusal

_encode = msgspec.json.Encoder().encode


def envelope(refusal: Refusal, request_id: str) -> bytes:
    """Return the JSON body that says ``refusal`` to an Anthropic client."""
    return _encode(
        {"type": "error", "error": {"type": refusal.type, "message": refusal.message}, "request_id": request_id}
    )


def last_event(refusal: Refusal, request_id: str) -> bytes:
    """Return the server-sent event that ends a stream which has already begun."""
    return b"event: error\ndata: " + envelope(refusal, request_id) + b"\n\n"
