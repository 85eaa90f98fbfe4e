"""When to look again by the clock: every wait ends at a moment that is known, and somebody must be there to see it."""

from typing import Final

from headgate_api.reasons import ConditionReason
from headgate_api.report import REPORT_INTERVAL_SECONDS
from headgate_api.resources.base import seconds_of
from headgate_operator.credentials.plan import soonest
from headgate_operator.rollout.exposure import BEFORE, exposed
from headgate_operator.rollout.look import Look, Move, after

RECHECK_SECONDS: Final = 5.0
"""While waiting for what no event tells of, such as a silent proxy whose weight lapses."""
_RETRY_SECONDS: Final = 1.0
_SILENT: Final = frozenset(
    {ConditionReason.WAITING_FOR_PROXIES, ConditionReason.PROMOTING, ConditionReason.WAITING_FOR_CAPACITY}
)


def requeue(before: Look, move: Move) -> float | None:
    """Return the seconds until the next look; 0: something moved, so what comes next is looked at anew."""
    look = move.look
    if _place(before) != _place(look) or move.adopt:
        return None if move.release else 0.0
    if look.status.rollout is None:
        return _RETRY_SECONDS if move.promote else None
    return soonest(
        _RETRY_SECONDS if move.promote else None,
        RECHECK_SECONDS if look.step.reason in _SILENT else None,
        max(0.0, (look.step.deadline - look.now).total_seconds()),
        _hold_end(look),
        _next_verdict(look),
    )


def _place(look: Look) -> tuple[object, ...]:
    """Return what must stay the same for a look to have been in vain."""
    status = look.status
    rollout = None if status.rollout is None else status.rollout.revision
    step = None if status.step is None else (status.step.index, status.step.kind, status.step.reason in BEFORE)
    return rollout, step, status.weight, status.stable_revision


def _hold_end(look: Look) -> float | None:
    delivered = look.step.delivered
    if look.seen.running is None or look.step_spec is None or delivered is None:
        return None
    left = (after(delivered, look.step_spec.hold) - look.now).total_seconds()
    return left if left > 0 else None


def _next_verdict(look: Look) -> float | None:
    if look.seen.running is None or look.running.analysis is None or not exposed(look.status, look.running):
        return None
    interval = float(seconds_of(look.running.analysis.interval))
    if look.rollout.judged is None or any(v.outcome == "Insufficient" for v in look.status.verdicts):
        interval = min(interval, REPORT_INTERVAL_SECONDS)
    last = look.rollout.judged or look.now
    return max(_RETRY_SECONDS, interval - (look.now - last).total_seconds())
