"""Which answers of an OpenAI upstream are failures of the auth mode, as one table; everything else is the client's to see.

Sources: OpenAI API docs, "Error codes"; what the Codex backend answers for plans, as its client knows it (``token_expired``,
``token_invalidated``, ``usage_limit_reached``, ``{"detail": ...}``); vendors of compatible APIs say the same in messages.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

from headgate_api.reasons import SkipReason
from headgate_proxy.openai.limits import reset_of
from headgate_proxy.protocols.decoding import decoded
from headgate_proxy.protocols.failures import SERVER_FAILURES, Row, judge, says
from headgate_proxy.selection.states import Failure

_USED_UP: Final = frozenset(
    {
        "insufficient_quota",
        "usage_limit_reached",
        "usage_not_included",
        "billing_hard_limit_reached",
        "billing_not_active",
        "exceeded_current_quota_error",
    }
)
_QUOTA: Final = says(r"quota|insufficient[ _]balance|usage limit|billing|out of credits|recharge")
_MISCONFIGURED: Final = frozenset({"mismatched_organization", "mismatched_project", "invalid_organization"})
_DETAIL: Final = "detail"
"""Our word for errors in the form that the plan's backend alone gives."""
_UNFIT: Final = says(
    r"\A(?:instructions are (?:required|not valid)|store must be|stream must be|input must be|unsupported parameter)"
)
"""What it does not take, where the API would: the next mode may."""

TABLE: Final = (
    Row(frozenset({401, 403}), SkipReason.PLAN_SUSPENDED, types=frozenset({"account_deactivated"})),
    Row(frozenset({401}), SkipReason.UNSUPPORTED, types=_MISCONFIGURED),
    Row(frozenset({401}), SkipReason.UNSUPPORTED, says(r"insufficient permissions|missing scopes")),
    Row(frozenset({401}), SkipReason.EXPIRED, types=frozenset({"token_expired"})),
    Row(frozenset({401}), SkipReason.EXPIRED, says(r"\bexpired\b")),
    Row(frozenset({401}), SkipReason.REVOKED),
    Row(frozenset({403}), SkipReason.REVOKED, types=frozenset({"token_invalidated", "token_revoked"})),
    Row(frozenset({400, 403, 404, 429}), SkipReason.QUOTA_EXHAUSTED, types=_USED_UP),
    Row(frozenset({400}), SkipReason.REQUEST_UNSUPPORTED, _UNFIT, frozenset({_DETAIL})),
    Row(frozenset({429}), SkipReason.QUOTA_EXHAUSTED, _QUOTA),
    Row(frozenset({402}), SkipReason.QUOTA_EXHAUSTED),
    Row(frozenset({403}), SkipReason.UNSUPPORTED),
    Row(frozenset({429}), SkipReason.RATE_LIMITED),
    *SERVER_FAILURES,
)
"""The first row that fits decides. Without one the answer passes through, byte for byte.

A quota is told by the vendor's own codes where a client could word the message (400, 403, 404): nobody may talk the gate into
thinking that a credential which others use is spent.
"""


class _Error(msgspec.Struct):
    message: str | None = None
    type: str | None = None
    code: str | int | None = None
    resets_at: float | None = None
    resets_in_seconds: float | None = None


class _Detail(msgspec.Struct):
    code: str | None = None
    message: str | None = None


class _Envelope(msgspec.Struct):
    error: _Error | None = None
    detail: str | _Detail | None = None


_decode = msgspec.json.Decoder(_Envelope).decode


def classify(status: int, head: bytes, headers: Mapping[str, str], now: datetime) -> Failure | None:
    """Return why this answer is a failure of the mode that got it, or None when it is the client's own."""
    error = _read(head)
    types = frozenset(str(word) for word in (error.type, error.code) if word is not None)
    reset = reset_of(headers, now, at=error.resets_at, in_seconds=error.resets_in_seconds)
    return judge(TABLE, status, types, error.message or "", reset)


def _read(head: bytes) -> _Error:
    read = decoded(_decode, head)
    if read is None:
        return _Error(head.decode("utf-8", "replace"))
    if read.error is not None:
        return read.error
    if isinstance(read.detail, _Detail):
        return _Error(read.detail.message, _DETAIL, read.detail.code)
    return _Error(read.detail, _DETAIL)
