"""Anthropic's error envelope and the one exception that carries a refusal from where it is found to the answer."""

from headgate_dev.emulator.sse import compact_json, frame
from headgate_dev.emulator.vendor import Answer, Headers

STATUS_OF_TYPE = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "overloaded_error": 529,
}
"""HTTP status by error type (Anthropic API docs, "Errors")."""


class RefusedError(Exception):
    """The vendor refuses the request; ``type`` is a key of STATUS_OF_TYPE, ``status`` may differ from its usual one."""

    def __init__(self, type_: str, message: str, status: int | None = None, headers: Headers = ()) -> None:
        super().__init__(message)
        self.type = type_
        self.message = message
        self.status = status or STATUS_OF_TYPE[type_]
        self.headers = headers


def json_answer(request_id: str, value: object, status: int = 200, headers: Headers = ()) -> Answer:
    """Return ``value`` as a JSON response with the headers every answer of the vendor has."""
    return Answer(
        status,
        (("content-type", "application/json"), ("request-id", request_id), *headers),
        (compact_json(value),),
    )


def refusal_answer(request_id: str, refused: RefusedError) -> Answer:
    """Return the error envelope for ``refused``."""
    envelope = {
        "type": "error",
        "error": {"type": refused.type, "message": refused.message},
        "request_id": request_id,
    }
    return json_answer(request_id, envelope, refused.status, refused.headers)


def error_event(type_: str, message: str, request_id: str) -> bytes:
    """Return the SSE event that ends a stream which has already begun."""
    return frame({"type": "error", "error": {"type": type_, "message": message}, "request_id": request_id})
