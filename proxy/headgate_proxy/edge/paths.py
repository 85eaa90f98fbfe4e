"""The paths this server answers: the vendor's own, also under ``/claude``, for clients that keep several vendors apart."""

from dataclasses import dataclass
from typing import Final

from headgate_proxy.upstream.modes import Operation


@dataclass(frozen=True, slots=True)
class Served:
    """One path: the method it takes, and the operation behind it (None: the list of models, which asks no upstream)."""

    method: str
    operation: Operation | None


_PATHS: Final = {
    "/v1/messages": Served("POST", Operation.MESSAGES),
    "/v1/messages/count_tokens": Served("POST", Operation.COUNT_TOKENS),
    "/v1/models": Served("GET", None),
}
SERVED: Final = {prefix + path: served for prefix in ("", "/claude") for path, served in _PATHS.items()}

UNKNOWN: Final = "unknown"
"""What telemetry calls every path that is not served."""
