"""When a federated token is renewed: pure functions of its record, so that every operator and every restart agrees.

At half of its lifetime: whatever the vendor or the API server do then, what is left of it is the time to mend that. Jitter comes
from the grant, not from chance, and only brings a renewal forward; a restart moves none.
"""

import hashlib
from datetime import datetime, timedelta
from typing import Final

from headgate_api.vault import FederatedRecord

_SHARE: Final = 0.5
_SPREAD: Final = 0.05
_LEAD: Final = timedelta(seconds=120)
"""At the latest this long before its end (the vendor's clients do so), of tokens that live for less than four minutes."""
_SHORTEST_SHARE: Final = 0.25
"""But a token is used for a quarter of its lifetime, however short that is."""
_LEAST: Final = timedelta(seconds=10)
"""And for no less than this: a vendor whose tokens end at once is not asked all the time."""
_UNNAMED: Final = timedelta(minutes=30)
"""After how long a token is renewed whose end the vendor does not name."""
_FORCED: Final = timedelta(minutes=1)
_LONGEST_FORCED: Final = timedelta(hours=1)


def due_at(record: FederatedRecord) -> datetime:
    """Return when the token is to be renewed."""
    share = _SHARE - _SPREAD * jitter(record.grant_id, record.generation)
    if record.expires_at is None or record.expires_at <= record.obtained_at:
        return record.obtained_at + _UNNAMED * 2 * share
    lifetime = record.expires_at - record.obtained_at
    return record.obtained_at + max(_LEAST, min(lifetime * share, max(lifetime - _LEAD, lifetime * _SHORTEST_SHARE)))


def forced_gap(forced: int) -> timedelta:
    """Return the least time between a token's exchange and one that proxies ask for, after this many such in a row.

    The first may come at once; a vendor that refuses each new token too is asked less and less.
    """
    return min(_FORCED * (1 << min(forced - 1, 10)), _LONGEST_FORCED) if forced else timedelta()


def back_off(grant: str, failures: int, first: timedelta, longest: timedelta) -> timedelta:
    """Return how long to wait after this many failures in a row, spread by the grant."""
    doubled = first * (1 << min(max(failures - 1, 0), 16))
    return min(doubled, longest) * (0.8 + 0.4 * jitter(grant, failures))


def jitter(grant: str, number: int) -> float:
    """Return a number in [0, 1) that only the grant and a count decide."""
    digest = hashlib.sha256(f"{grant}:{number}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
