"""Limit headers: the API's per-minute limits, and the windows of a ChatGPT plan as the Codex backend tells them.

Names and forms: OpenAI API docs, "Rate limits in headers"; ``codex-rs/codex-api/src/rate_limits.rs``; the usage page:
``codex-rs/codex-backend-openapi-models``.
"""

import math
from datetime import datetime
from typing import Any

from headgate_dev.emulator.openai.errors import RefusedError
from headgate_dev.emulator.plans import PlanReading, Reading
from headgate_dev.emulator.vendor import Headers

_REQUESTS, _TOKENS = 10_000, 2_000_000


def for_api_key(tokens: int, *, exhausted_seconds: float | None = None) -> Headers:
    """Return the API's headers after a request of ``tokens``; with ``exhausted_seconds`` no requests are left for so long."""
    out = exhausted_seconds is not None
    return (
        ("x-ratelimit-limit-requests", str(_REQUESTS)),
        ("x-ratelimit-limit-tokens", str(_TOKENS)),
        ("x-ratelimit-remaining-requests", "0" if out else str(_REQUESTS - 1)),
        ("x-ratelimit-remaining-tokens", str(max(0, _TOKENS - tokens))),
        ("x-ratelimit-reset-requests", _duration(exhausted_seconds or 0.006)),
        ("x-ratelimit-reset-tokens", _duration(tokens / _TOKENS * 60)),
    )


def for_plan(plan: PlanReading, now: datetime) -> Headers:
    """Return the Codex backend's headers."""
    return (
        ("x-codex-active-limit", "codex"),
        ("x-codex-plan-type", plan.type),
        *_window("primary", plan.five_hours, now),
        *_window("secondary", plan.seven_days, now),
        ("x-codex-credits-has-credits", "False"),
        ("x-codex-credits-unlimited", "False"),
    )


def usage_page(plan: PlanReading, now: datetime) -> dict[str, Any]:
    """Return what ``GET /backend-api/wham/usage`` answers."""
    return {
        "plan_type": plan.type,
        "rate_limit": {
            "allowed": not plan.full,
            "limit_reached": plan.full,
            "primary_window": _usage(plan.five_hours, now),
            "secondary_window": _usage(plan.seven_days, now),
        },
        "credits": {"has_credits": False, "unlimited": False, "balance": None},
    }


def used_up(plan: PlanReading, now: datetime, message: str | None = None) -> RefusedError:
    """Return the refusal of a plan that has nothing left."""
    more = {
        "plan_type": plan.type,
        "resets_at": int(plan.binding.resets_at.timestamp()),
        "resets_in_seconds": _seconds_left(plan.binding, now),
        "eligible_promo": None,
    }
    said = message or "The usage limit has been reached"
    return RefusedError(429, said, type_="usage_limit_reached", headers=for_plan(plan, now), more=more)


def _window(name: str, window: Reading, now: datetime) -> Headers:
    return (
        (f"x-codex-{name}-used-percent", f"{window.used_percent:g}"),
        (f"x-codex-{name}-window-minutes", str(int(window.length.total_seconds() // 60))),
        (f"x-codex-{name}-reset-at", str(int(window.resets_at.timestamp()))),
        (f"x-codex-{name}-reset-after-seconds", str(_seconds_left(window, now))),
    )


def _usage(window: Reading, now: datetime) -> dict[str, Any]:
    return {
        "used_percent": int(window.used_percent),
        "limit_window_seconds": int(window.length.total_seconds()),
        "reset_after_seconds": _seconds_left(window, now),
        "reset_at": int(window.resets_at.timestamp()),
    }


def _seconds_left(window: Reading, now: datetime) -> int:
    return math.ceil((window.resets_at - now).total_seconds())


def _duration(seconds: float) -> str:
    """Return ``seconds`` as the API writes durations: ``6ms``, ``1.5s``, ``6m0s``."""
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes)}m{rest:g}s" if minutes else f"{rest:g}s"
