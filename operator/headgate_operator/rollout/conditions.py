"""What people and ``kubectl wait`` read of a policy: summary conditions that are always there, and always say why."""

from headgate_api import names
from headgate_api.reasons import ConditionReason, ConditionType
from headgate_api.resources.base import Observation
from headgate_operator.rollout.analysing import findings, harmful, missing
from headgate_operator.rollout.exposure import exposed
from headgate_operator.rollout.look import Look, annotation, existing, live_content


def conditions(look: Look) -> list[Observation]:
    """Return all conditions of the policy, Ready first: it sums the others up."""
    parts = [accepted(look), progressing(look), awaiting_approval(look), paused(look), promoted(look), healthy(look)]
    return [ready(look, parts), *parts]


def ready(look: Look, parts: list[Observation]) -> Observation:
    """Return whether the policy does its work, and nothing but a foreseen gate keeps changes from traffic."""
    kind = ConditionType.READY
    bad = next(
        (p for p in parts if p.status is False and p.type in (ConditionType.ACCEPTED, ConditionType.HEALTHY)), None
    )
    if bad is not None:
        return Observation(kind, False, bad.reason, bad.message)
    absent = [t.target.label for t in look.seen.targets if not t.exists]
    if absent:
        text = f"{', '.join(absent)} does not exist in this namespace; create it, or take it out of spec.targets"
        return Observation(kind, False, ConditionReason.TARGET_NOT_FOUND, text)
    if look.status.rollout is not None:
        step = look.step
        stuck = step.reason in (ConditionReason.CANDIDATE_NOT_READY, ConditionReason.PAUSED_ON_FAILURE)
        return Observation(kind, not stuck, step.reason, f"{look.rollout.revision}, step {step.index}: {step.message}")
    if look.status.rejected is not None:
        return _rejected(look, kind)
    if live_content(look.seen.targets) is None:
        return Observation(kind, False, ConditionReason.TARGET_NOT_SETTLED, "a target's status is older than its spec")
    return Observation(kind, True, ConditionReason.READY, "changes of the targets reach traffic by this policy's steps")


def accepted(look: Look) -> Observation:
    """Return whether the policy can be followed as it is written now."""
    kind, seen = ConditionType.ACCEPTED, look.seen
    goes_on = "" if look.status.rollout is None else "; the rollout under way goes on under the policy it began with"
    if seen.taken:
        return Observation(kind, False, ConditionReason.TARGET_TAKEN, "; ".join(seen.taken) + goes_on)
    if seen.unsupported:
        return Observation(kind, False, ConditionReason.POLICY_UNSUPPORTED, "; ".join(seen.unsupported) + goes_on)
    return Observation(kind, True, ConditionReason.ACCEPTED, "every target is guarded by this policy")


def progressing(look: Look) -> Observation:
    """Return whether a rollout is under way and not held back."""
    kind = ConditionType.PROGRESSING
    if look.status.rollout is None:
        return Observation(kind, False, ConditionReason.IDLE, _no_rollout(look))
    held = paused(look)
    if held.status:
        return Observation(kind, False, held.reason, held.message)
    step = look.step
    stray = annotation(look.seen, names.ANNOTATION_ABORT)
    known = stray is None or any(entry.revision == stray for entry in look.status.history)
    hint = "" if known else f"; {names.ANNOTATION_ABORT} names {stray}, which is no rollout of this policy"
    return Observation(kind, True, step.reason, f"{look.rollout.revision}, step {step.index}: {step.message}{hint}")


def awaiting_approval(look: Look) -> Observation:
    """Return whether a person is to approve now."""
    kind = ConditionType.AWAITING_APPROVAL
    if look.status.rollout is None:
        return Observation(kind, False, ConditionReason.IDLE, "no rollout is under way")
    step = look.step
    if step.reason == ConditionReason.AWAITING_APPROVAL:
        return Observation(kind, True, ConditionReason.AWAITING_APPROVAL, f"{step.message}; {step.next_action}")
    return Observation(kind, False, step.reason, f"step {step.index} ({step.kind}) awaits no approval now")


def paused(look: Look) -> Observation:
    """Return whether the rollout goes no further until a person says so."""
    kind = ConditionType.PAUSED
    if look.pause_asked:
        text = f"the annotation {names.ANNOTATION_PAUSE} is set; deadlines go on, harm and abort still withdraw the candidate"
        return Observation(kind, True, ConditionReason.PAUSED, text)
    if look.status.rollout is not None and look.rollout.held_by_failure:
        text = f"{_findings(look)}; spec.onFailure is Pause; {look.step.next_action}"
        return Observation(kind, True, ConditionReason.PAUSED_ON_FAILURE, text)
    return Observation(kind, False, ConditionReason.NOT_PAUSED, "nobody asked for a pause")


def promoted(look: Look) -> Observation:
    """Return whether what the targets' specs ask for is what stable traffic runs on."""
    kind = ConditionType.PROMOTED
    if look.status.rollout is not None:
        text = f"rollout {look.rollout.revision} is under way, at {look.status.weight} %"
        return Observation(kind, False, ConditionReason.IN_ROLLOUT, text)
    if look.status.rejected is not None:
        return _rejected(look, kind)
    there = existing(look.seen.targets)
    unsecured = [t.target.label for t in there if not t.adopted]
    if live_content(there) is None or unsecured:
        absent = "no target exists" if not there else "the targets' stable and live forms are being looked at"
        return Observation(
            kind, False, ConditionReason.TARGET_NOT_FOUND if not there else ConditionReason.PENDING, absent
        )
    behind = [t.target.label for t in there if t.live != t.stable]
    if behind:
        return Observation(kind, False, ConditionReason.PENDING, f"not stable yet: {', '.join(behind)}")
    text = f"stable traffic runs on {look.status.stable_revision}"
    return Observation(kind, True, ConditionReason.PROMOTED, text)


def healthy(look: Look) -> Observation:
    """Return whether analysis finds harm in the candidate; Unknown while it cannot tell."""
    kind = ConditionType.HEALTHY
    if look.status.rollout is None:
        last = look.status.history[0] if look.status.history else None
        if look.status.rejected is not None and last is not None and last.outcome == "AnalysisFailed":
            return Observation(kind, False, ConditionReason.ANALYSIS_FAILED, f"{last.revision}: {last.message}")
        return Observation(kind, True, ConditionReason.IDLE, "no candidate is exposed")
    if look.seen.running is None or look.running.analysis is None:
        return Observation(
            kind, None, ConditionReason.NO_ANALYSIS, "the policy has no spec.analysis: nobody looks for harm"
        )
    if look.rollout.held_by_failure or harmful(look):
        return Observation(kind, False, ConditionReason.ANALYSIS_FAILED, _findings(look))
    if not exposed(look.status, look.running):
        return Observation(kind, True, ConditionReason.IDLE, "no candidate is exposed yet")
    lack = missing(look)
    if lack is not None or not look.status.verdicts:
        text = lack or "no verdict of this step yet"
        return Observation(kind, None, ConditionReason.INSUFFICIENT_DATA, text)
    if look.rollout.failures:
        limit = look.running.analysis.consecutive_failures
        text = f"{look.rollout.failures} of {limit} failing verdicts in a row: {_findings(look)}"
        return Observation(kind, True, ConditionReason.ANALYSING, text)
    return Observation(kind, True, ConditionReason.HEALTHY, "; ".join(v.message for v in look.status.verdicts))


def _findings(look: Look) -> str:
    return findings(look) if look.seen.running is not None else "analysis found harm"


def _rejected(look: Look, kind: ConditionType) -> Observation:
    last = look.status.history[0] if look.status.history else None
    reason = (
        ConditionReason(last.outcome) if last is not None and last.outcome != "Adopted" else ConditionReason.ABORTED
    )
    message = last.message if last is not None else f"content {look.status.rejected} was withdrawn"
    return Observation(kind, False, reason, message)


def _no_rollout(look: Look) -> str:
    last = look.status.history[0] if look.status.history else None
    return "no rollout is under way" + (
        f"; the last one, {last.revision}, ended: {last.outcome}" if last is not None else ""
    )
