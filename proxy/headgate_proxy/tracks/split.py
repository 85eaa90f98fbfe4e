"""The split itself: one hash and one comparison, the same on every proxy (guarantee 1)."""

import hashlib
from typing import Final

WHOLE: Final = 10_000
"""Weights are in 1/100 of a percent."""


def in_canary(salt: str, key: str, weight: int) -> bool:
    """Tell whether a sticky key belongs to the canary's share; raising ``weight`` (0 to 10,000) only adds keys."""
    salted = f"{len(salt)}:{salt}{key}".encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(salted, digest_size=8).digest()) % WHOLE < weight
