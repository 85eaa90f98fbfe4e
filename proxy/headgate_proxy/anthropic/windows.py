"""What Anthropic's response headers say of limits: how much of each window is used.

Plans: ``anthropic-ratelimit-unified-{status,reset,representative-claim}`` and, per window (``5h``, ``7d``),
``…-{status,utilization,reset}``, with utilization from 0 to 1 and reset in epoch seconds, as observed; a model's own window
(``seven_day_opus``) is named by the claim of a refusal alone. API keys:
``anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{limit,remaining,reset}`` with reset in RFC 3339
(Anthropic API docs, "Rate limits").
"""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Final

from headgate_api.resources.limits import LimitWindow
from headgate_proxy.protocols.shares import number, percent, rfc3339
from headgate_proxy.protocols.waiting import epoch

_UNIFIED: Final = "anthropic-ratelimit-unified-"
_CLASSIC: Final = ("requests", "tokens", "input-tokens", "output-tokens")
_CLAIMS: Final = {"five_hour": "5h", "seven_day": "7d"}
"""``representative-claim`` writes windows out; a window of one model adds its family (``seven_day_opus``)."""
_LONGEST_NAME: Final = 64
_SAID: Final = tuple(
    (name, f"{_UNIFIED}{name}-utilization", f"{_UNIFIED}{name}-reset", f"{_UNIFIED}{name}-status")
    for name in _CLAIMS.values()
)
_Said = tuple[str, str | None, str | None, bool]


def windows(headers: Mapping[str, str], _now: datetime) -> tuple[LimitWindow, ...]:
    """Return the windows that a response tells of; none where it has no such headers."""
    if _UNIFIED + "status" in headers:
        return _unified(headers)
    if "anthropic-ratelimit-requests-limit" in headers or "anthropic-ratelimit-tokens-limit" in headers:
        return _classic(headers)
    return ()


def _unified(headers: Mapping[str, str]) -> tuple[LimitWindow, ...]:
    get = headers.get
    rejected = get(_UNIFIED + "status") == "rejected"
    claim = claimed(headers) if rejected else None
    said = tuple(
        (name, get(used), get(reset), rejected and get(status) == "rejected") for name, used, reset, status in _SAID
    )
    return _windows(said, claim, get(_UNIFIED + "reset"))


@lru_cache(maxsize=4096)
def _windows(said: tuple[_Said, ...], claim: str | None, reset: str | None) -> tuple[LimitWindow, ...]:
    """Return the windows; most answers say the same as the one before, and then this is the very same tuple."""
    found = []
    for name, utilization, resets, rejected in said:
        share, ends = number(utilization), epoch(resets)
        if share is not None or ends is not None:
            used = None if share is None else percent(share)
            found.append(LimitWindow(name=name, used_percent=used, resets_at=ends, exhausted=rejected or name == claim))
    if claim is not None and all(window.name != claim for window in found):
        found.append(LimitWindow(name=claim, resets_at=epoch(reset), exhausted=True))
    return tuple(found)


def claimed(headers: Mapping[str, str]) -> str | None:
    """Return the name of the window that a refusal is about, or None."""
    claim = headers.get(_UNIFIED + "representative-claim", "")
    for written, name in _CLAIMS.items():
        if claim == written or claim.startswith(written + "_"):
            return (name + claim[len(written) :])[:_LONGEST_NAME]
    return None


def _classic(headers: Mapping[str, str]) -> tuple[LimitWindow, ...]:
    found = []
    for name in _CLASSIC:
        limit = number(headers.get(f"anthropic-ratelimit-{name}-limit"))
        remaining = number(headers.get(f"anthropic-ratelimit-{name}-remaining"))
        if limit and remaining is not None:
            used = percent(1 - remaining / limit)
            reset = rfc3339(headers.get(f"anthropic-ratelimit-{name}-reset"))
            found.append(LimitWindow(name=name, used_percent=used, resets_at=reset))
    return tuple(found)
