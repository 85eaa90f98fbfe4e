"""When a limit resets, as the vendor's response headers say.

``retry-after`` (RFC 9110: seconds or a date), ``anthropic-ratelimit-unified-reset`` (epoch seconds, plans) and
``anthropic-ratelimit-*-reset`` (RFC 3339, API keys; Anthropic API docs, "Rate limits").
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from headgate_api.limits import concerns
from headgate_api.resources.limits import LimitWindow
from headgate_proxy.anthropic.windows import claimed
from headgate_proxy.protocols.shares import rfc3339
from headgate_proxy.protocols.waiting import believed, epoch, retry_after

_PER_MINUTE: Final = ("requests", "tokens", "input-tokens", "output-tokens")


def reset_of(headers: Mapping[str, str], now: datetime) -> datetime | None:
    """Return when the limit that a 429 met resets, or None when the headers do not say (or say nonsense).

    The limit of one model is a window of its own, and leaves the account to requests for others.
    """
    unified = None
    if headers.get("anthropic-ratelimit-unified-status") == "rejected":
        claim = claimed(headers)
        if claim is not None and not concerns(LimitWindow(name=claim), ""):
            return None
        unified = epoch(headers.get("anthropic-ratelimit-unified-reset"))
    return believed(now, unified, retry_after(headers.get("retry-after"), now), _exhausted(headers))


def _exhausted(headers: Mapping[str, str]) -> datetime | None:
    resets = [
        rfc3339(headers.get(f"anthropic-ratelimit-{name}-reset"))
        for name in _PER_MINUTE
        if headers.get(f"anthropic-ratelimit-{name}-remaining") == "0"
    ]
    return max((reset for reset in resets if reset is not None), default=None)
