"""When an access token is refreshed: pure functions of the grant, so that every operator and every restart agrees.

Jitter comes from the grant's id and generation, not from chance: a thousand grants imported at once drift apart, and a
restart moves none of them.
"""

import hashlib
from datetime import datetime, timedelta
from typing import Final

from headgate_api.vault import GrantRecord

EARLIEST: Final = 0.60
LATEST: Final = 2 * 2 / 3 - EARLIEST
"""Shares of an access token's lifetime between which it is refreshed: two thirds, give or take."""
_UNKNOWN_AGE_LEAD: Final = timedelta(hours=1)
"""How long before its end a token is refreshed whose beginning is not known."""
_FIRST: Final = timedelta(seconds=30)
_LONGEST: Final = timedelta(minutes=30)
_FIRST_REFUSED: Final = timedelta(minutes=5)
_LONGEST_REFUSED: Final = timedelta(hours=1)
_FORCED: Final = timedelta(minutes=1)
_LONGEST_FORCED: Final = timedelta(hours=1)


def due_at(grant: GrantRecord) -> datetime | None:
    """Return when the access token is to be refreshed; None: it names no expiry, so nobody can tell."""
    if grant.expires_at is None:
        return None
    share = EARLIEST + (LATEST - EARLIEST) * _jitter(grant)
    if grant.obtained_at is None or grant.obtained_at >= grant.expires_at:
        return grant.expires_at - _UNKNOWN_AGE_LEAD * (1.5 - share)
    return grant.obtained_at + (grant.expires_at - grant.obtained_at) * share


def back_off(grant: GrantRecord, failures: int, *, refused: bool = False) -> timedelta:
    """Return how long to wait after this many failures in a row; ``refused``: a person has to mend the profile first."""
    first, longest = (_FIRST_REFUSED, _LONGEST_REFUSED) if refused else (_FIRST, _LONGEST)
    doubled = first * (1 << min(max(failures - 1, 0), 10))
    return min(doubled, longest) * (0.8 + 0.4 * _jitter(grant))


def forced_gap(forced: int) -> timedelta:
    """Return the least time between two refreshes that proxies asked for, after this many such in a row.

    A vendor that refuses every new token is not asked for one after another.
    """
    return min(_FORCED * (1 << min(forced, 10)), _LONGEST_FORCED)


def _jitter(grant: GrantRecord) -> float:
    """Return a number in [0, 1) that only the grant and its generation decide."""
    digest = hashlib.sha256(f"{grant.grant_id}:{grant.generation}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
