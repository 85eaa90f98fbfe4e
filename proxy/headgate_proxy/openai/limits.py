"""When a limit resets, as OpenAI's answers say: in the error itself (plans), and in response headers.

Sources: OpenAI API docs, "Rate limits" (``x-ratelimit-reset-*`` are durations such as ``1s`` or ``6m0s``); plans as the Codex
client reads them: ``resets_at`` (epoch seconds) and ``resets_in_seconds`` of the error, ``x-codex-{primary,secondary}-*``.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from headgate_proxy.openai.windows import windows
from headgate_proxy.protocols.shares import seconds_in
from headgate_proxy.protocols.waiting import after, believed, epoch, retry_after

_PER_MINUTE: Final = ("requests", "tokens")


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
        _full_window(headers, now),
        _exhausted(headers, now),
    )


def _full_window(headers: Mapping[str, str], now: datetime) -> datetime | None:
    resets = [window.resets_at for window in windows(headers, now) if window.exhausted]
    return max((reset for reset in resets if reset is not None), default=None)


def _exhausted(headers: Mapping[str, str], now: datetime) -> datetime | None:
    resets = [
        after(seconds_in(headers.get(f"x-ratelimit-reset-{name}")), now)
        for name in _PER_MINUTE
        if headers.get(f"x-ratelimit-remaining-{name}") == "0"
    ]
    return max((reset for reset in resets if reset is not None), default=None)
