"""Whether a federated token is exchanged now: one pure decision, for the executor, the broker and the condition alike."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final, TypeAlias

from headgate_api.clock import rfc3339
from headgate_api.reasons import ConditionReason
from headgate_api.vault import FederatedRecord
from headgate_operator.federation.schedule import back_off, due_at, forced_gap
from headgate_operator.refresh.verdict import Rest


class Cause(Enum):
    """Who can mend a failure; how long to wait after the first, and at most."""

    OURS = (timedelta(seconds=10), timedelta(minutes=1))
    """Something in this cluster is missing: looking again costs nobody anything."""
    VENDOR_REFUSES = (timedelta(seconds=30), timedelta(minutes=10))
    """The vendor's rule and the spec disagree: a change of the spec is tried at once, one over there is looked for."""
    PASSING = (timedelta(seconds=15), timedelta(minutes=5))


@dataclass(frozen=True, slots=True)
class Trouble:
    """Exchanges that failed in a row; ``message`` is for people. ``not_before``: the next one waits until then."""

    cause: Cause
    reason: ConditionReason
    message: str
    failures: int
    not_before: datetime

    @property
    def lasting(self) -> bool:
        """Tell whether only a person can mend this."""
        return self.cause is not Cause.PASSING


@dataclass(frozen=True, slots=True)
class Exchange:
    """Exchange now. ``forced``: since a proxy says that an upstream refuses a token which is not due."""

    forced: bool = False


_WITHOUT: Final = timedelta(seconds=30)
"""How long to wait at most, once no token will serve any more by then."""

Verdict: TypeAlias = Exchange | Rest
NOW: Final = Exchange()


def judge(
    record: FederatedRecord | None, trouble: Trouble | None, now: datetime, *, refused: int | None = None
) -> Verdict:
    """Return whether to exchange now. ``refused``: the generation whose token an upstream refuses (a proxy says so)."""
    if trouble is not None and now < trouble.not_before:
        again = f"{trouble.message}; tried again at {rfc3339(trouble.not_before)}"
        return Rest(trouble.not_before, False if trouble.lasting else None, trouble.reason, again)
    if record is None or trouble is not None:
        return NOW
    due = due_at(record)
    if now >= due:
        return NOW
    if refused is not None and refused >= record.generation:
        again_at = record.obtained_at + forced_gap(record.forced)
        if now >= again_at:
            return Exchange(forced=True)
        text = f"the vendor refuses a token it has just issued; the next one is asked for at {rfc3339(again_at)}"
        return Rest(again_at, None, ConditionReason.REVOKED, text)
    return Rest(due, True, ConditionReason.SCHEDULED, f"next exchange at {rfc3339(due)}")


def failed(
    before: Trouble | None,
    cause: Cause,
    reason: ConditionReason,
    message: str,
    *,
    grant: str,
    now: datetime,
    at_least: timedelta | None = None,
    serves: timedelta | None = None,
) -> Trouble:
    """Return the trouble that one more failure makes.

    ``at_least``: how long the vendor asks to wait; ``serves``: for how long the present token will (None: there is no end to it).
    """
    failures = (before.failures if before is not None and before.cause is cause else 0) + 1
    wait = back_off(grant, failures, *cause.value)
    if cause is Cause.PASSING and serves is not None and serves < wait:
        wait = back_off(grant, failures, min(cause.value[0], _WITHOUT), _WITHOUT)
    return Trouble(cause, reason, message, failures, now + (max(wait, at_least) if at_least is not None else wait))
