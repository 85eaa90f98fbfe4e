"""Verdicts as they come, and what harm means for the rollout: counted while anybody is exposed, whatever the step waits for."""

from headgate_api.reasons import ConditionReason, ConditionType
from headgate_api.resources.rolloutspec import Analysis
from headgate_operator.analysis.judge import due, harmed, judge, passed
from headgate_operator.credentials.plan import Note
from headgate_operator.rollout.exposure import exposed
from headgate_operator.rollout.look import Look

_WHOLE = 100


def analysed(look: Look) -> Look:
    """Return the look with new verdicts, if they are due; too little data is neither a pass nor a failure."""
    analysis = look.running.analysis if look.seen.running is not None else None
    if analysis is None or look.seen.windows is None or not exposed(look.status, look.running):
        return look
    rollout = look.rollout
    if not due(analysis, rollout.judged, look.now, look.status.verdicts):
        return look
    comparable = look.status.weight < _WHOLE
    verdicts = judge(analysis, look.seen.windows, look.seen.answers, look.now, comparable=comparable)
    bad = harmed(verdicts, analysis)
    failures = rollout.failures + 1 if bad else 0 if passed(verdicts, analysis) else rollout.failures
    return look.set(verdicts=verdicts, rollout=rollout.model_copy(update={"failures": failures, "judged": look.now}))


def harmful(look: Look) -> bool:
    """Tell whether as many verdicts failed in a row as count as harm."""
    analysis = look.running.analysis if look.seen.running is not None else None
    return analysis is not None and look.rollout.failures >= analysis.consecutive_failures


def held(look: Look) -> Look:
    """Return the look held where ``onFailure: Pause`` meets harm, or let go again by a person who looked at it.

    Setting the annotation ``pause`` while held takes the hold over; removing it then goes on. A pause that was there before
    the harm says nothing about it: it must be set anew.
    """
    rollout = look.rollout
    if rollout.held_by_failure:
        if not (look.pause_asked and _shown(look)):
            return look
        note = Note("Normal", ConditionReason.PAUSED, "Hold", f"{rollout.revision}: goes on once the pause is removed")
        return look.set(rollout=rollout.model_copy(update={"held_by_failure": False, "failures": 0})).told(note)
    if not harmful(look) or look.running.on_failure != "Pause":
        return look
    note = Note("Warning", ConditionReason.PAUSED_ON_FAILURE, "Hold", f"{rollout.revision}: {findings(look)}")
    return look.set(rollout=rollout.model_copy(update={"held_by_failure": True})).told(note)


def findings(look: Look) -> str:
    """Return what the failing verdicts say."""
    counting = _counting(look.running.analysis)
    told = "; ".join(v.message for v in look.status.verdicts if v.outcome == "Fail" and v.metric in counting)
    return told or "the last verdicts failed"


def missing(look: Look) -> str | None:
    """Return what data is missing for a verdict, or None."""
    counting = _counting(look.running.analysis)
    told = "; ".join(v.message for v in look.status.verdicts if v.outcome == "Insufficient" and v.metric in counting)
    return told or None


def passed_here(look: Look) -> bool:
    """Tell whether the newest verdicts, given since every proxy took this step up, pass."""
    analysis, judged, delivered = look.running.analysis, look.rollout.judged, look.step.delivered
    if analysis is None:
        return True
    return (
        judged is not None and delivered is not None and judged >= delivered and passed(look.status.verdicts, analysis)
    )


def _shown(look: Look) -> bool:
    """Tell whether status showed the hold, and no pause, when it was last written."""
    paused = next((c for c in look.status.conditions if c.type == ConditionType.PAUSED), None)
    return paused is not None and paused.reason == ConditionReason.PAUSED_ON_FAILURE


def _counting(analysis: Analysis | None) -> frozenset[str]:
    return (
        frozenset()
        if analysis is None or analysis.dry_run
        else frozenset(m.name for m in analysis.metrics if not m.dry_run)
    )
