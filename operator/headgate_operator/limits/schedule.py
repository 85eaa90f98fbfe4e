"""When an idle account is asked about: pure, and with jitter that only its name decides, so that a restart moves nobody."""

import hashlib
from datetime import datetime, timedelta
from typing import Final

SPREAD: Final = 0.2
"""The interval is stretched by up to this share, so that accounts drift apart."""
LONGEST: Final = timedelta(hours=6)
"""A vendor that does not answer is asked less and less, down to this."""
LEAST: Final = timedelta(seconds=10)
_EXPONENT: Final = 10


def due_at(
    name: str, interval: timedelta, heard: datetime | None, since: datetime, tried: datetime | None, failures: int
) -> datetime:
    """Return when an account is to be asked about.

    ``heard``: when anybody last told of its limits; None: nobody has ``since`` this process leads, and accounts begin one by one.
    ``tried`` and ``failures``: the last attempt, and how many in a row have failed.
    """
    interval = max(interval, LEAST)
    share = jitter(name)
    idle = since + interval * share if heard is None else heard + interval * (1 + SPREAD * share)
    if tried is None:
        return idle
    pause = min(interval * (1 << min(failures, _EXPONENT)), max(LONGEST, interval)) * (1 + SPREAD * share)
    return max(idle, tried + pause)


def jitter(name: str) -> float:
    """Return a number in [0, 1) that only the name decides."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) / 2**64
