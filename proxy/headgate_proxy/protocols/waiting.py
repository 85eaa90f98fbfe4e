"""When to come back, as response headers say it: what every vendor's limits are read with."""

import math
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from headgate_api.limits import LONGEST


def retry_after(value: str | None, now: datetime) -> datetime | None:
    """Return the moment that ``retry-after`` names (RFC 9110: seconds or a date), or None when it names none."""
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
    return after(seconds, now)


def after(seconds: float | None, now: datetime) -> datetime | None:
    """Return the moment so many seconds from now, at most ``LONGEST``; None for what is no number of seconds."""
    if seconds is None or not math.isfinite(seconds):
        return None
    return now + timedelta(seconds=max(0.0, min(seconds, LONGEST.total_seconds())))


def epoch(value: str | float | None) -> datetime | None:
    """Return the moment so many seconds after 1970, or None for what is no such number."""
    try:
        return datetime.fromtimestamp(float(value), UTC) if value is not None else None
    except (ValueError, OverflowError, OSError):
        return None


def believed(now: datetime, *moments: datetime | None) -> datetime | None:
    """Return the first of these that lies ahead, in the order of how much they are to be believed; at most ``LONGEST`` away."""
    return next((min(moment, now + LONGEST) for moment in moments if moment is not None and now < moment), None)
