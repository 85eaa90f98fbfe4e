"""Google's error envelope with its typed details, and the exception that carries a refusal to the answer."""

from typing import Any, Final

from headgate_dev.emulator.script import JsonObject
from headgate_dev.emulator.sse import compact_json
from headgate_dev.emulator.vendor import Answer, Headers

STATUS_OF: Final = {
    "INVALID_ARGUMENT": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
}
"""HTTP status by canonical code (google/rpc/code.proto)."""
_DOMAIN: Final = "googleapis.com"
_SERVICE: Final = "generativelanguage.googleapis.com"


class RefusedError(Exception):
    """The vendor refuses the request with the canonical ``status``; ``details`` are google.rpc messages."""

    def __init__(
        self, status: str, message: str, *, details: tuple[JsonObject, ...] = (), http_status: int | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.details = details
        self.http_status = http_status or STATUS_OF[status]

    def body(self) -> dict[str, Any]:
        """Return the JSON to answer with."""
        error: dict[str, Any] = {"code": self.http_status, "message": self.message, "status": self.status}
        if self.details:
            error["details"] = list(self.details)
        return {"error": error}


def error_info(reason: str) -> JsonObject:
    """Return the detail that names ``reason`` (google/rpc/error_details.proto, ErrorInfo)."""
    metadata = {"service": _SERVICE}
    return {"@type": _kind("ErrorInfo"), "reason": reason, "domain": _DOMAIN, "metadata": metadata}


def retry_info(seconds: float) -> JsonObject:
    """Return the detail that says when to come again (RetryInfo)."""
    return {"@type": _kind("RetryInfo"), "retryDelay": f"{seconds:g}s"}


def quota_failure(metric: str, quota_id: str, value: int) -> JsonObject:
    """Return the detail that names the quota that is used up (QuotaFailure)."""
    violation = {"quotaMetric": f"{_SERVICE}/{metric}", "quotaId": quota_id, "quotaValue": str(value)}
    return {"@type": _kind("QuotaFailure"), "violations": [violation]}


def field_violation(field: str, description: str) -> JsonObject:
    """Return the detail that names a field (BadRequest)."""
    return {"@type": _kind("BadRequest"), "fieldViolations": [{"field": field, "description": description}]}


def json_answer(value: object, status: int = 200, headers: Headers = ()) -> Answer:
    """Return ``value`` as a JSON response."""
    return Answer(status, (("content-type", "application/json; charset=UTF-8"), *headers), (compact_json(value),))


def refusal_answer(refused: RefusedError, headers: Headers = ()) -> Answer:
    """Return the answer for ``refused``."""
    return json_answer(refused.body(), refused.http_status, headers)


def _kind(name: str) -> str:
    return f"type.googleapis.com/google.rpc.{name}"
