"""What a vendor's usage endpoint says, read into windows; by the provider's protocol, so that no vendor is asked another's way.

Anthropic ``/api/oauth/usage``: ``{five_hour, seven_day, seven_day_<family>: {utilization (percent), resets_at (RFC 3339)}}``.
Codex ``/backend-api/wham/usage``: ``{rate_limit: {primary_window, secondary_window: {used_percent, reset_at (epoch)}}}``. Both as
observed; neither is documented.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from headgate_api.resources.limits import MAX_WINDOWS, LimitWindow

_FULL: Final = 100.0
_MOST: Final = 1000.0
_ANTHROPIC: Final = {
    "five_hour": "5h",
    "seven_day": "7d",
    "seven_day_opus": "7d_opus",
    "seven_day_sonnet": "7d_sonnet",
    "seven_day_haiku": "7d_haiku",
}
_CODEX: Final = {"primary_window": "primary", "secondary_window": "secondary"}


class NotUsage(ValueError):  # noqa: N818 - reads as what it is
    """The answer is nothing that this vendor's usage endpoint would say; the message quotes nothing of it."""


def windows(protocol: str, content: bytes) -> tuple[LimitWindow, ...]:
    """Return the windows that an answer tells of. Raises NotUsage."""
    parse = PARSERS.get(protocol)
    if parse is None:
        raise NotUsage(f"no usage endpoint is known for protocol {protocol}")
    try:
        found = tuple(parse(_mapping(json.loads(content))))[:MAX_WINDOWS]
    except (ValueError, RecursionError):
        raise NotUsage(f"the answer is no JSON object with windows of protocol {protocol}") from None
    if not found:
        raise NotUsage(f"the answer names no window of protocol {protocol}; check the endpoint")
    return found


def _anthropic(said: Mapping[str, Any]) -> Iterator[LimitWindow]:
    for key, name in _ANTHROPIC.items():
        window = said.get(key)
        if isinstance(window, Mapping) and (used := _number(window.get("utilization"))) is not None:
            yield _window(name, used, _rfc3339(window.get("resets_at")))


def _codex(said: Mapping[str, Any]) -> Iterator[LimitWindow]:
    limit = _mapping(said.get("rate_limit"))
    for key, name in _CODEX.items():
        window = limit.get(key)
        if isinstance(window, Mapping) and (used := _number(window.get("used_percent"))) is not None:
            yield _window(name, used, _epoch(window.get("reset_at")))


PARSERS: Final[Mapping[str, Callable[[Mapping[str, Any]], Iterator[LimitWindow]]]] = {
    "Anthropic": _anthropic,
    "OpenAI": _codex,
}


def _window(name: str, used: float, resets: datetime | None) -> LimitWindow:
    return LimitWindow(name=name, used_percent=min(used, _MOST), resets_at=resets, exhausted=used >= _FULL)


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError("no object")
    return value


def _number(value: Any) -> float | None:
    good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
    return float(value) if good else None


def _rfc3339(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None


def _epoch(value: Any) -> datetime | None:
    seconds = _number(value)
    try:
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
