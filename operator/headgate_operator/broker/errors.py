"""How the broker says no: one JSON form, ``{"error": {"reason", "message", "until"?}}``, whatever was asked."""

import math
from datetime import datetime
from typing import Final

from aiohttp import web

from headgate_api.clock import rfc3339

_LATEST_SECONDS: Final = 3600


def error_answer(
    status: int, reason: str, message: str, retry_after: float | None = None, until: datetime | None = None
) -> web.Response:
    """Return an error. ``retry_after``: seconds after which asking again may help."""
    headers = {"www-authenticate": "Bearer"} if status == 401 else {}
    if retry_after is not None:
        headers["retry-after"] = str(min(_LATEST_SECONDS, max(1, math.ceil(retry_after))))
    error = {"reason": str(reason), "message": message} | ({"until": rfc3339(until)} if until is not None else {})
    return web.json_response({"error": error}, status=status, headers=headers)
