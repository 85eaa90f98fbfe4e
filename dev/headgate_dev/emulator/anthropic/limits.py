"""Rate-limit headers: per-minute limits for API keys, the unified plan windows for OAuth tokens, and the plan's usage page.

Names and forms: Anthropic API docs, "Rate limits"; the unified ones and ``/api/oauth/usage`` as clients of plans read them.
"""

from datetime import datetime, timedelta
from typing import Any

from headgate_api.clock import rfc3339
from headgate_dev.emulator.plans import PlanReading, Reading
from headgate_dev.emulator.vendor import Headers

_PER_MINUTE = {"requests": 4_000, "tokens": 2_400_000, "input-tokens": 2_000_000, "output-tokens": 400_000}
_WARNS_FROM = 90.0


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


def for_oauth(plan: PlanReading) -> Headers:
    """Return the unified headers: resets are epoch seconds, utilisations fractions of one."""
    binding = plan.binding
    return (
        ("anthropic-ratelimit-unified-status", _status(binding)),
        ("anthropic-ratelimit-unified-reset", _epoch(binding.resets_at)),
        (
            "anthropic-ratelimit-unified-representative-claim",
            "five_hour" if binding is plan.five_hours else "seven_day",
        ),
        *_window("5h", plan.five_hours),
        *_window("7d", plan.seven_days),
        ("anthropic-ratelimit-unified-overage-status", "rejected"),
        ("anthropic-ratelimit-unified-overage-disabled-reason", "org_level_disabled"),
    )


def usage_page(plan: PlanReading) -> dict[str, Any]:
    """Return what ``GET /api/oauth/usage`` answers: utilisations in percent, resets in RFC 3339."""
    return {
        "five_hour": _usage(plan.five_hours),
        "seven_day": _usage(plan.seven_days),
        "seven_day_oauth_apps": None,
        "seven_day_opus": None,
        "extra_usage": {"is_enabled": False, "monthly_limit": None, "used_credits": None, "utilization": None},
    }


def _usage(window: Reading) -> dict[str, Any]:
    return {"utilization": window.used_percent, "resets_at": window.resets_at.isoformat()}


def _window(name: str, window: Reading) -> Headers:
    return (
        (f"anthropic-ratelimit-unified-{name}-status", _status(window)),
        (f"anthropic-ratelimit-unified-{name}-reset", _epoch(window.resets_at)),
        (f"anthropic-ratelimit-unified-{name}-utilization", str(window.used_percent / 100)),
    )


def _status(window: Reading) -> str:
    if window.full:
        return "rejected"
    return "allowed_warning" if window.used_percent >= _WARNS_FROM else "allowed"


def _epoch(moment: datetime) -> str:
    return str(int(moment.timestamp()))
