"""How vendors write how much of a limit is used, and for how long: what is nonsense counts as not said, never as an error."""

import math
import re
from datetime import datetime
from typing import Final

_OVERDRAWN: Final = 10.0
_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|h|m|s)")
_DURATION: Final = re.compile(rf"(?:{_PART.pattern})+")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def number(value: str | None) -> float | None:
    """Return a finite number that is not negative, or None."""
    try:
        found = float(value) if value is not None else math.nan
    except ValueError:
        return None
    return found if math.isfinite(found) and found >= 0 else None


def percent(share: float) -> float:
    """Return a share as a percentage: not below 0, and no more than a window can be overdrawn."""
    return round(100 * min(max(share, 0.0), _OVERDRAWN), 2)


def rfc3339(value: str | None) -> datetime | None:
    """Return a moment that names its zone."""
    try:
        moment = datetime.fromisoformat(value) if value is not None else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None


def seconds_in(value: str | None) -> float | None:
    """Return a duration such as ``6m0s`` or ``20ms`` in seconds, or None where it is none."""
    if value is None or len(value) > 32 or _DURATION.fullmatch(value) is None:
        return None
    return sum(float(count) * _SECONDS[unit] for count, unit in _PART.findall(value))
