"""What can go wrong between Headgate and the API server, told apart by what a caller does about it."""

import json


class KubeError(Exception):
    """The API server refused: HTTP ``status``, its ``reason`` (a CamelCase word) and its ``message`` for people."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message


class Conflict(KubeError):  # noqa: N818 - the API server's own word for it
    """409: the object changed meanwhile, or exists already. Read again, then decide again."""


class Expired(KubeError):  # noqa: N818 - the API server's own word for it
    """410: the resourceVersion asked for is too old. List again."""


class KubeUnavailable(Exception):  # noqa: N818 - a state, as VaultUnavailable
    """No usable answer in time (unreachable, 5xx, 429, deadline). What was known before still stands; try later."""


def error_from(status: int, body: bytes) -> KubeError | KubeUnavailable:
    """Return the exception for an answer of status 400 or above, read from the ``Status`` object in its body."""
    try:
        status_object = json.loads(body)
        reason = str(status_object.get("reason") or "Unknown")
        message = str(status_object.get("message") or "no message")
    except (ValueError, AttributeError):
        reason, message = "Unknown", body[:200].decode(errors="replace")
    if status == 429 or status >= 500:
        return KubeUnavailable(f"the API server answers {status} {reason}: {message}")
    return {409: Conflict, 410: Expired}.get(status, KubeError)(status, reason, message)
