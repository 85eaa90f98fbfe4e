"""Which answers of a Gemini upstream are failures of the auth mode, as one table; everything else is the client's to see.

Sources: Gemini API docs, "Troubleshooting"; https://cloud.google.com/apis/design/errors and the reasons of
google.api.ErrorReason (an unknown API key is a 400, and only its reason tells it from a bad request).
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

import msgspec

from headgate_api.reasons import SkipReason
from headgate_proxy.gemini.limits import reset_of
from headgate_proxy.protocols.decoding import decoded
from headgate_proxy.protocols.failures import SERVER_FAILURES, Row, judge, says
from headgate_proxy.selection.states import Failure

_DAILY: Final = "quota-of-a-day"
"""Our word for a violated quota whose id says that it is of a day: waiting a minute does not help."""
_BAD_KEY: Final = frozenset({"API_KEY_INVALID"})
_SUSPENDED: Final = frozenset({"CONSUMER_SUSPENDED"})
_UNPAID: Final = frozenset({"BILLING_DISABLED"})
_NOT_ENTITLED: Final = says(
    r"api key|credential|consumer|scope|billing|service|has not been used|disabled|blocked|caller|permission denied on resource"
    r"|unregistered callers|location is not supported"
)

TABLE: Final = (
    Row(frozenset({400}), SkipReason.EXPIRED, says(r"\AAPI key expired"), _BAD_KEY),
    Row(frozenset({400}), SkipReason.REVOKED, types=_BAD_KEY),
    Row(frozenset({401}), SkipReason.EXPIRED, types=frozenset({"ACCESS_TOKEN_EXPIRED"})),
    Row(frozenset({401}), SkipReason.EXPIRED, says(r"\bexpired\b")),
    Row(frozenset({401}), SkipReason.REVOKED),
    Row(frozenset({403}), SkipReason.PLAN_SUSPENDED, types=_SUSPENDED),
    Row(frozenset({403}), SkipReason.REVOKED, says(r"\AYour API key was reported as leaked")),
    Row(frozenset({403}), SkipReason.QUOTA_EXHAUSTED, types=_UNPAID),
    Row(frozenset({403}), SkipReason.UNSUPPORTED, types=frozenset({"reason"})),
    Row(frozenset({403}), SkipReason.UNSUPPORTED, _NOT_ENTITLED),
    Row(frozenset({429}), SkipReason.QUOTA_EXHAUSTED, types=frozenset({_DAILY})),
    Row(frozenset({429}), SkipReason.QUOTA_EXHAUSTED, says(r"credits are depleted|spending cap")),
    Row(frozenset({429}), SkipReason.RATE_LIMITED),
    *SERVER_FAILURES,
)
"""The first row that fits decides. Without one the answer passes through, byte for byte: a 403 about a file, or a cached
content, that belongs to another key is the client's own affair."""


class _Violation(msgspec.Struct):
    quotaId: str | None = None  # noqa: N815 - the vendor's name


class _Detail(msgspec.Struct):
    reason: str | None = None
    retryDelay: str | None = None  # noqa: N815 - the vendor's name
    violations: list[_Violation] | None = None


class _Error(msgspec.Struct):
    message: str = ""
    details: list[_Detail] | None = None


class _Envelope(msgspec.Struct):
    error: _Error


_decode = msgspec.json.Decoder(_Envelope | list[_Envelope]).decode


def classify(status: int, head: bytes, headers: Mapping[str, str], now: datetime) -> Failure | None:
    """Return why this answer is a failure of the mode that got it, or None when it is the client's own."""
    error = _read(head)
    details = error.details or []
    delay = next((detail.retryDelay for detail in details if detail.retryDelay is not None), None)
    return judge(TABLE, status, frozenset(_words(details)), error.message, reset_of(headers, now, delay))


def _read(head: bytes) -> _Error:
    read: _Envelope | list[_Envelope] | None = decoded(_decode, head)
    if read is None:
        return _Error(head.decode("utf-8", "replace"))
    if isinstance(read, list):  # how an array that was to be a stream begins
        return read[0].error if read else _Error()
    return read.error


def _words(details: list[_Detail]) -> Iterator[str]:
    for detail in details:
        if detail.reason is not None:
            yield from (detail.reason, "reason")
        if any("PerDay" in (violation.quotaId or "") for violation in detail.violations or ()):
            yield _DAILY
