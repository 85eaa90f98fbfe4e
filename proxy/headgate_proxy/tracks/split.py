"""The split itself: one hash and one comparison, the same on every proxy (guarantee 1)."""

import hashlib
from typing import Final

WHOLE: Final = 10_000
"""Weights are in 1/100 of a percent."""


def in_canary(salt: str, key: str, weight: int) -> bool:
    """Tell whether a sticky key belongs to the canary's share; raising ``weight`` (0 to 10,000) only adds keys."""
    digest = hashlib.blake2b(
        key.encode("utf-8", "surrogateescape"), digest_size=8, key=hashlib.sha256(salt.encode()).digest()
    ).digest()
    return int.from_bytes(digest) % WHOLE < weight
