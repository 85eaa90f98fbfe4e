"""Which answers of the upstream are failures of the auth mode, as one table; everything else is the client's to see.

Sources: Anthropic API docs, "Errors"; answers to OAuth bearers as observed (401, or 403 that names OAuth and revoked).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

from headgate_api.reasons import SkipReason
from headgate_proxy.anthropic.limits import reset_of
from headgate_proxy.protocols.decoding import decoded
from headgate_proxy.protocols.failures import SERVER_FAILURES, Row, judge, says
from headgate_proxy.selection.states import Failure

_REFUSALS: Final = frozenset({"permission_error", "authentication_error"})
_NO_CREDIT: Final = says(r"\AYour credit balance is too low to access the [^:]*\Z")
"""The whole message, since a 400 repeats names that the caller chose ("<field>: Extra inputs are not permitted"): nobody may
talk the gate into thinking that a credential which others use is spent."""
_DISABLED: Final = says(r"\A(?:this|your) (?:organization|account) has been (?:disabled|suspended)\.?\Z")
"""The whole message, for the same reason."""
_QUOTA: Final = says(r"credit balance is too low|usage limit|quota|out of (?:extra )?usage|spend(?:ing)? limit")

TABLE: Final = (
    Row(frozenset({401, 403}), SkipReason.UNSUPPORTED, says(r"oauth\b.*\bnot (?:currently )?supported")),
    Row(frozenset({403}), SkipReason.REVOKED, says(r"oauth.*revoked|revoked.*oauth"), _REFUSALS),
    Row(frozenset({401}), SkipReason.EXPIRED, says(r"\bexpired\b")),
    Row(frozenset({401}), SkipReason.REVOKED),
    Row(frozenset({400, 403}), SkipReason.PLAN_SUSPENDED, _DISABLED),
    Row(frozenset({400}), SkipReason.QUOTA_EXHAUSTED, _NO_CREDIT),
    Row(frozenset({403}), SkipReason.QUOTA_EXHAUSTED, _QUOTA, _REFUSALS | {"billing_error", "rate_limit_error"}),
    Row(frozenset({429}), SkipReason.QUOTA_EXHAUSTED, _QUOTA),
    Row(frozenset({402}), SkipReason.QUOTA_EXHAUSTED),
    Row(frozenset({403}), SkipReason.UNSUPPORTED, types=_REFUSALS),
    Row(frozenset({429}), SkipReason.RATE_LIMITED),
    *SERVER_FAILURES,
)
"""The first row that fits decides. Without one the answer passes through, byte for byte."""


class _Error(msgspec.Struct):
    type: str = ""
    message: str = ""


class _Envelope(msgspec.Struct):
    error: _Error


_decode = msgspec.json.Decoder(_Envelope).decode


def classify(status: int, head: bytes, headers: Mapping[str, str], now: datetime) -> Failure | None:
    """Return why this answer is a failure of the mode that got it, or None when it is the client's own."""
    read = decoded(_decode, head)
    error = read.error if read is not None else _Error("", head.decode("utf-8", "replace"))
    return judge(TABLE, status, frozenset({error.type}), error.message, reset_of(headers, now))
