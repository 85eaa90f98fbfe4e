"""Rate-limit headers: per-minute limits for API keys, the unified plan windows for OAuth tokens.

Names and forms: Anthropic API docs, "Rate limits"; the unified ones as clients of plans read them.
"""

from datetime import datetime, timedelta

from headgate_api.clock import rfc3339
from headgate_dev.emulator.vendor import Headers

_PER_MINUTE = {"requests": 4_000, "tokens": 2_400_000, "input-tokens": 2_000_000, "output-tokens": 400_000}
_FIVE_HOURS = timedelta(hours=5)
_SEVEN_DAYS = timedelta(days=7)
_ORIGIN = datetime.fromisoformat("2026-01-01T00:00:00+00:00")


def for_api_key(now: datetime, used: dict[str, int], reset: datetime | None = None) -> Headers:
    """Return the classic headers; ``used`` is what this request took of each limit, ``reset`` defaults to a minute on."""
    at = rfc3339(reset or now + timedelta(minutes=1))
    headers = []
    for name, limit in _PER_MINUTE.items():
        remaining = max(0, limit - used.get(name, 0))
        headers += [
            (f"anthropic-ratelimit-{name}-limit", str(limit)),
            (f"anthropic-ratelimit-{name}-remaining", str(remaining)),
            (f"anthropic-ratelimit-{name}-reset", at),
        ]
    return tuple(headers)


def for_oauth(now: datetime, *, rejected: bool = False, reset: datetime | None = None) -> Headers:
    """Return the unified headers; resets are epoch seconds; ``rejected`` says the five-hour window is used up."""
    five_hours, seven_days = reset or _next(now, _FIVE_HOURS), _next(now, _SEVEN_DAYS)
    status = "rejected" if rejected else "allowed"
    return (
        ("anthropic-ratelimit-unified-status", status),
        ("anthropic-ratelimit-unified-reset", _epoch(five_hours)),
        ("anthropic-ratelimit-unified-representative-claim", "five_hour"),
        ("anthropic-ratelimit-unified-5h-status", status),
        ("anthropic-ratelimit-unified-5h-reset", _epoch(five_hours)),
        ("anthropic-ratelimit-unified-5h-utilization", "1.0" if rejected else "0.25"),
        ("anthropic-ratelimit-unified-7d-status", "allowed"),
        ("anthropic-ratelimit-unified-7d-reset", _epoch(seven_days)),
        ("anthropic-ratelimit-unified-7d-utilization", "0.1"),
        ("anthropic-ratelimit-unified-overage-status", "rejected"),
        ("anthropic-ratelimit-unified-overage-disabled-reason", "org_level_disabled"),
    )


def _next(now: datetime, window: timedelta) -> datetime:
    return now + window - (now - _ORIGIN) % window


def _epoch(moment: datetime) -> str:
    return str(int(moment.timestamp()))
