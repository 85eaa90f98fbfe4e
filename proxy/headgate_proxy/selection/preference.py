"""In which order the accounts that a caller may use are looked at: by priority, and among equals as the provider's strategy says.

Spreading is rendezvous hashing (Thaler and Ravishankar, 1998): each session has its own order of all accounts, so that it keeps
its account while that one serves, and only the sessions of an account that falls out move, each to an account of its own.
"""

import hashlib
from bisect import bisect
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final, Literal

from headgate_proxy.routing.provider import Account, Rank

Strategy = Literal["FillFirst", "Spread", "LeastUsed"]

STEP_PERCENT: Final = 10
"""LeastUsed takes accounts within the same tenth for equal: a session does not leave its prompt cache for one percent."""
BATCH: Final = 32
"""So many accounts, by the session's hash, are compared; the others of a larger pool come after them."""
_MASK: Final = (1 << 64) - 1
_FACTOR: Final = 0x9E3779B97F4A7C15
"""2**64 divided by the golden ratio, odd: multiplying by it carries every bit upwards."""


def ordered(
    ranks: Sequence[Rank], strategy: Strategy, session: Callable[[], str], used: Callable[[Account], float]
) -> Iterator[Account]:
    """Yield accounts in the order they are looked at.

    ``session`` is asked for at most once, and only where it matters; ``used`` is a percentage.
    """
    key: int | None = None
    for rank in ranks:
        if strategy == "FillFirst" or len(rank.accounts) == 1:
            yield from rank.accounts
            continue
        key = hash_of(session()) if key is None else key
        for batch in _batches(rank, key):
            yield from sorted(batch, key=partial(_spread if strategy == "Spread" else _least, key, used))


def _spread(key: int, _used: Callable[[Account], float], account: Account) -> int:
    return -score(account.seed, key)


def _least(key: int, used: Callable[[Account], float], account: Account) -> tuple[float, int]:
    return used(account) // STEP_PERCENT, -score(account.seed, key)


def _batches(rank: Rank, key: int) -> Iterator[Sequence[Account]]:
    """Yield the accounts by BATCH at a time, from where the session's hash falls: a large pool costs no more than a small one."""
    count = len(rank.ring)
    if count <= BATCH:
        yield rank.accounts
        return
    start = bisect(rank.seeds, key)
    for first in range(start, start + count, BATCH):
        yield [rank.ring[place % count] for place in range(first, min(first + BATCH, start + count))]


def hash_of(session: str) -> int:
    """Return 64 bits of a session key: the same on every proxy."""
    return int.from_bytes(hashlib.blake2b(session.encode("utf-8", "surrogatepass"), digest_size=8).digest())


def score(seed: int, key: int) -> int:
    """Return how much a session (``key``) prefers an account (``seed``)."""
    mixed = (seed ^ key) * _FACTOR & _MASK
    return (mixed ^ mixed >> 32) * _FACTOR & _MASK
