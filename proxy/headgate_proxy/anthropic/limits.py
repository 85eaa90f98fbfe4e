"""When a limit resets, as the vendor's response headers say.

``retry-after`` (RFC 9110: seconds or a date), ``anthropic-ratelimit-unified-reset`` (epoch seconds, plans) and
``anthropic-ratelimit-*-reset`` (RFC 3339, API keys; Anthropic API docs, "Rate limits").
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

_LONGEST: Final = timedelta(days=8)
"""No window of the vendor is longer; whatever says more is not believed."""
_PER_MINUTE: Final = ("requests", "tokens", "input-tokens", "output-tokens")


def reset_of(headers: Mapping[str, str], now: datetime) -> datetime | None:
    """Return when the limit that a 429 met resets, or None when the headers do not say (or say nonsense)."""
    unified = None
    if headers.get("anthropic-ratelimit-unified-status") == "rejected":
        unified = _epoch(headers.get("anthropic-ratelimit-unified-reset"))
    for moment in (unified, _retry_after(headers.get("retry-after"), now), _exhausted(headers)):
        if moment is not None and now < moment:
            return min(moment, now + _LONGEST)
    return None


def _exhausted(headers: Mapping[str, str]) -> datetime | None:
    resets = [
        _rfc3339(headers.get(f"anthropic-ratelimit-{name}-reset"))
        for name in _PER_MINUTE
        if headers.get(f"anthropic-ratelimit-{name}-remaining") == "0"
    ]
    return max((reset for reset in resets if reset is not None), default=None)


def _retry_after(value: str | None, now: datetime) -> datetime | None:
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
        except ValueError:
            return None
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return now + timedelta(seconds=min(seconds, _LONGEST.total_seconds())) if math.isfinite(seconds) else None


def _epoch(value: str | None) -> datetime | None:
    try:
        return datetime.fromtimestamp(float(value), UTC) if value is not None else None
    except (ValueError, OverflowError, OSError):
        return None


def _rfc3339(value: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if value is not None else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None
