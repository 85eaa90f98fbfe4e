"""What OpenAI's response headers say of limits: how much of each window is used.

Codex plans: ``x-codex-{primary,secondary}-{used-percent,window-minutes,reset-at,reset-after-seconds}``, with reset-at in epoch
seconds, as observed; where ``x-codex-credits-{has-credits,unlimited}`` is true, a full window refuses nothing. API keys:
``x-ratelimit-{limit,remaining,reset}-{requests,tokens}`` with reset as ``1s``, ``6m0s`` or ``20ms`` (OpenAI API docs, "Rate
limits").
"""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Final

from headgate_api.resources.limits import LimitWindow
from headgate_proxy.protocols.shares import number, percent, seconds_in
from headgate_proxy.protocols.waiting import after, epoch

_SAID: Final = tuple(
    (name, *(f"x-codex-{name}-{what}" for what in ("used-percent", "reset-at", "reset-after-seconds")))
    for name in ("primary", "secondary")
)
_CREDITS: Final = ("x-codex-credits-has-credits", "x-codex-credits-unlimited")
_Said = tuple[str, str | None, str | None]
_KEYS: Final = ("requests", "tokens")
_FULL: Final = 100.0


def windows(headers: Mapping[str, str], now: datetime) -> tuple[LimitWindow, ...]:
    """Return the windows that a response tells of; none where it has no such headers."""
    if "x-codex-primary-used-percent" in headers or "x-codex-secondary-used-percent" in headers:
        return _codex(headers, now)
    if "x-ratelimit-limit-requests" in headers or "x-ratelimit-limit-tokens" in headers:
        return _keys(headers, now)
    return ()


def _codex(headers: Mapping[str, str], now: datetime) -> tuple[LimitWindow, ...]:
    get = headers.get
    credit = any(get(name, "").lower() == "true" for name in _CREDITS)
    said = tuple((name, get(used), get(at)) for name, used, at, _ in _SAID)
    found = _windows(said, credit)
    if all(window.resets_at is not None for window in found):
        return found
    soon = {name: after(number(get(seconds)), now) for name, _, _, seconds in _SAID}
    return tuple(w if w.resets_at else w.model_copy(update={"resets_at": soon[w.name]}) for w in found)


@lru_cache(maxsize=4096)
def _windows(said: tuple[_Said, ...], credit: bool) -> tuple[LimitWindow, ...]:
    """Return the windows; most answers say the same as the one before, and then this is the very same tuple."""
    shares = ((name, number(used), epoch(at)) for name, used, at in said)
    return tuple(
        LimitWindow(name=name, used_percent=percent(used / 100), resets_at=at, exhausted=used >= _FULL and not credit)
        for name, used, at in shares
        if used is not None
    )


def _keys(headers: Mapping[str, str], now: datetime) -> tuple[LimitWindow, ...]:
    found = []
    for name in _KEYS:
        limit = number(headers.get(f"x-ratelimit-limit-{name}"))
        remaining = number(headers.get(f"x-ratelimit-remaining-{name}"))
        if limit and remaining is not None:
            used = percent(1 - remaining / limit)
            found.append(LimitWindow(name=name, used_percent=used, resets_at=_reset(headers, name, now)))
    return tuple(found)


def _reset(headers: Mapping[str, str], name: str, now: datetime) -> datetime | None:
    return after(seconds_in(headers.get(f"x-ratelimit-reset-{name}")), now)
