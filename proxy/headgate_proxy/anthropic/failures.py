"""Which answers of the upstream are failures of the auth mode, as one table; everything else is the client's to see.

Sources: Anthropic API docs, "Errors"; answers to OAuth bearers as observed (401, or 403 that names OAuth and revoked).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from headgate_api.reasons import SkipReason
from headgate_proxy.anthropic.limits import reset_of
from headgate_proxy.selection.states import Failure

HEAD_BYTES: Final = 64 * 1024
"""How much of an error body is read to classify it."""


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of failure: ``types`` and ``pattern`` None match everything; ``marks`` says that it is the credential's own."""

    statuses: frozenset[int]
    reason: SkipReason
    marks: bool
    pattern: re.Pattern[str] | None = None
    types: frozenset[str] | None = None


def _says(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.DOTALL)


_REFUSALS: Final = frozenset({"permission_error", "authentication_error"})
_NO_CREDIT: Final = _says(r"\AYour credit balance is too low to access the [^:]*\Z")
"""The whole message, since a 400 repeats names that the caller chose ("<field>: Extra inputs are not permitted"): nobody may
talk the gate into thinking that a credential which others use is spent."""
_QUOTA: Final = _says(r"credit balance is too low|usage limit|quota|out of (?:extra )?usage|spend(?:ing)? limit")

TABLE: Final = (
    Row(frozenset({401, 403}), SkipReason.UNSUPPORTED, False, _says(r"oauth\b.*\bnot (?:currently )?supported")),
    Row(frozenset({403}), SkipReason.REVOKED, True, _says(r"oauth.*revoked|revoked.*oauth"), _REFUSALS),
    Row(frozenset({401}), SkipReason.EXPIRED, True, _says(r"\bexpired\b")),
    Row(frozenset({401}), SkipReason.REVOKED, True),
    Row(frozenset({400}), SkipReason.QUOTA_EXHAUSTED, True, _NO_CREDIT),
    Row(frozenset({403}), SkipReason.QUOTA_EXHAUSTED, True, _QUOTA, _REFUSALS | {"billing_error", "rate_limit_error"}),
    Row(frozenset({429}), SkipReason.QUOTA_EXHAUSTED, True, _QUOTA),
    Row(frozenset({402}), SkipReason.QUOTA_EXHAUSTED, True),
    Row(frozenset({403}), SkipReason.UNSUPPORTED, False, types=_REFUSALS),
    Row(frozenset({429}), SkipReason.RATE_LIMITED, True),
    Row(frozenset({*range(500, 600)}), SkipReason.UNAVAILABLE, False),
)
"""The first row that fits decides. Without one the answer passes through, byte for byte."""


class _Error(msgspec.Struct):
    type: str = ""
    message: str = ""


class _Envelope(msgspec.Struct):
    error: _Error


_decode = msgspec.json.Decoder(_Envelope).decode


def classify(status: int, head: bytes, headers: Mapping[str, str], now: datetime) -> Failure | None:
    """Return why this answer is a failure of the mode that got it, or None when it is the client's own.

    ``head`` is the beginning of the body (at most HEAD_BYTES), ``headers`` are looked up without regard to case. A limit
    counts for later requests only where the vendor says when it resets: a plain 429 is of that request alone.
    """
    try:
        error = _decode(head).error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        error = _Error("", head.decode("utf-8", "replace"))
    for row in TABLE:
        if status not in row.statuses or (row.types is not None and error.type not in row.types):
            continue
        if row.pattern is not None and row.pattern.search(error.message) is None:
            continue
        until = reset_of(headers, now) if row.reason in (SkipReason.RATE_LIMITED, SkipReason.QUOTA_EXHAUSTED) else None
        marks = row.marks and (row.reason is not SkipReason.RATE_LIMITED or until is not None)
        return Failure(row.reason, status, until, marks)
    return None
