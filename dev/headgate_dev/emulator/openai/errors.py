"""OpenAI's error envelope, the Codex backend's shorter one, and the exception that carries a refusal to the answer."""

from typing import Any

from headgate_dev.emulator.sse import compact_json
from headgate_dev.emulator.vendor import Answer, Headers


class RefusedError(Exception):
    """The vendor refuses the request with ``status``; ``more`` are further fields of the error (plan_type, resets_at, ...)."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type_: str | None = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        headers: Headers = (),
        more: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers
        self.error = {"message": message, "type": type_, "param": param, "code": code, **(more or {})}

    def body(self) -> dict[str, Any]:
        """Return the JSON to answer with."""
        return {"error": self.error}


class DetailError(RefusedError):
    """A refusal of the Codex backend's own front, which answers ``{"detail": ...}`` (seen by its clients)."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(status, detail)
        self._detail = detail

    def body(self) -> dict[str, Any]:
        """Return the JSON to answer with."""
        return {"detail": self._detail}


def json_answer(request_id: str, value: object, status: int = 200, headers: Headers = ()) -> Answer:
    """Return ``value`` as a JSON response with the headers every answer of the vendor has."""
    return Answer(status, (("content-type", "application/json"), *base(request_id), *headers), (compact_json(value),))


def refusal_answer(request_id: str, refused: RefusedError) -> Answer:
    """Return the answer for ``refused``."""
    return json_answer(request_id, refused.body(), refused.status, refused.headers)


def base(request_id: str) -> Headers:
    """Return the headers that every answer has (OpenAI API docs, "Debugging requests")."""
    return (("x-request-id", request_id), ("openai-version", "2020-10-01"), ("openai-processing-ms", "12"))
