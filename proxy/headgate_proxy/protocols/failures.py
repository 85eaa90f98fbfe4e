"""Which answers of an upstream are failures of the auth mode: the form of each protocol's table, and how it is read."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from headgate_api.decisions import at_limit
from headgate_api.reasons import SkipReason
from headgate_proxy.selection.states import Failure

HEAD_BYTES: Final = 64 * 1024
"""How much of an error body is read to classify it."""


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of failure: ``types`` and ``pattern`` None match everything. What follows of it: ``headgate_api.decisions``."""

    statuses: frozenset[int]
    reason: SkipReason
    pattern: re.Pattern[str] | None = None
    types: frozenset[str] | None = None


SERVER_FAILURES: Final = (
    Row(frozenset({503, 529}), SkipReason.OVERLOADED),
    Row(frozenset({*range(500, 600)}), SkipReason.UNAVAILABLE),
)
"""The last rows of every protocol: they say nothing about a credential."""


def says(pattern: str) -> re.Pattern[str]:
    """Return the pattern of a row: messages are for people, and their case changes."""
    return re.compile(pattern, re.IGNORECASE | re.DOTALL)


def judge(
    table: Iterable[Row], status: int, types: frozenset[str], message: str, reset: datetime | None
) -> Failure | None:
    """Return what the first row that fits makes of an answer; None: it passes through, byte for byte.

    ``types`` are the vendor's words for the error, ``reset`` is when the limit that was met resets. A limit counts for later
    requests only where the vendor says when it resets: a plain 429 is of that request alone.
    """
    for row in table:
        if status not in row.statuses or (row.types is not None and row.types.isdisjoint(types)):
            continue
        if row.pattern is not None and row.pattern.search(message) is None:
            continue
        until = reset if at_limit(row.reason) else None
        return Failure(row.reason, status, until)
    return None
