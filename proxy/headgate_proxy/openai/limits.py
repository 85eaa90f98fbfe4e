"""When a limit resets, as OpenAI's answers say: in the error itself (plans), and in response headers.

Sources: OpenAI API docs, "Rate limits" (``x-ratelimit-reset-*`` are durations such as ``1s`` or ``6m0s``); plans as the Codex
client reads them: ``resets_at`` (epoch seconds) and ``resets_in_seconds`` of the error, ``x-codex-{primary,secondary}-*``.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from headgate_proxy.protocols.waiting import after, believed, epoch, retry_after

_PER_MINUTE: Final = ("requests", "tokens")
_WINDOWS: Final = ("primary", "secondary")
_FULL: Final = 100.0
_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|h|m|s)")
_DURATION: Final = re.compile(rf"(?:{_PART.pattern})+")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def reset_of(
    headers: Mapping[str, str], now: datetime, *, at: float | None = None, in_seconds: float | None = None
) -> datetime | None:
    """Return when the limit that a 429 met resets, or None when nothing says so (or says nonsense).

    ``at`` (epoch seconds) and ``in_seconds`` are what the error itself says.
    """
    return believed(
        now,
        epoch(at),
        after(in_seconds, now),
        retry_after(headers.get("retry-after"), now),
        _full_window(headers),
        _exhausted(headers, now),
    )


def _full_window(headers: Mapping[str, str]) -> datetime | None:
    resets = [
        epoch(headers.get(f"x-codex-{name}-reset-at"))
        for name in _WINDOWS
        if (_number(headers.get(f"x-codex-{name}-used-percent")) or 0) >= _FULL
    ]
    return max((reset for reset in resets if reset is not None), default=None)


def _exhausted(headers: Mapping[str, str], now: datetime) -> datetime | None:
    resets = [
        after(_duration(headers.get(f"x-ratelimit-reset-{name}")), now)
        for name in _PER_MINUTE
        if headers.get(f"x-ratelimit-remaining-{name}") == "0"
    ]
    return max((reset for reset in resets if reset is not None), default=None)


def _duration(value: str | None) -> float | None:
    if value is None or len(value) > 32 or _DURATION.fullmatch(value) is None:
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(value))


def _number(value: str | None) -> float | None:
    try:
        return float(value) if value is not None else None
    except ValueError:
        return None
