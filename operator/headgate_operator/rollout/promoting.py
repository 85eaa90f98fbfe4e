"""The last stretch: every gate is behind, the candidate becomes what stable traffic runs on, one target after the other.

It is written down before it is done: whoever comes after a crash finishes it, or takes all of it back.
"""

from headgate_api import names
from headgate_api.reasons import ConditionReason
from headgate_api.resources.rolloutstatus import TargetStatus
from headgate_operator.rollout.ending import completed, irrevocable, promoting
from headgate_operator.rollout.look import Look, Move, annotation, target_of
from headgate_operator.rollout.plan import Promotion
from headgate_operator.rollout.waiting import Wait, pause_of, waiting


def promoted(look: Look) -> Move | None:
    """End the rollout once its content is stable everywhere, and a fleet's pods all run it.

    Where nothing earlier exists to go back to, neither an abort nor a deadline waits for the pods.
    """
    if not promoting(look) or _missing(look) or not _there(look):
        return None
    content = look.rollout.content
    if look.seen.surge is None and not look.rollout.held_by_failure:
        if not look.status.weight:
            return completed(look, "Returned", f"content {content} was promoted lately, and is stable again")
        return completed(look, "Promoted", f"content {content} is what stable traffic runs on")
    if irrevocable(look) and _impatient(look):
        return completed(look, "Promoted", f"content {content} is stable; no earlier form exists to go back to")
    return None


def promote(look: Look) -> Move | None:
    """Promote what is not yet stable, then wait for the pods."""
    if not promoting(look):
        return None
    missing = _missing(look)
    begun = any(t for t in _there(look) if t not in missing)
    if missing and not begun and look.paused:
        return Move(waiting(look, pause_of(look)))
    if missing:
        labels = ", ".join(target_of(t).label for t in missing)
        wait = Wait(
            ConditionReason.PROMOTING, f"makes the candidate stable: {labels}", "the rollout ends once that is done"
        )
        return Move(waiting(look, wait), promote=tuple(Promotion(target_of(t), t.candidate) for t in missing))
    if look.rollout.held_by_failure:
        return Move(waiting(look, pause_of(look)))
    surge = look.seen.surge or "complete"
    name, namespace = look.seen.policy.metadata.name, look.seen.policy.metadata.namespace
    abort = "ends the wait: no earlier form exists to go back to" if irrevocable(look) else "goes back"
    action = f"the rollout ends once every proxy runs it; kubectl headgate abort {name} -n {namespace} {abort}"
    return Move(waiting(look, Wait(ConditionReason.PROMOTING, f"proxies take up the new form: {surge}", action)))


def _there(look: Look) -> tuple[TargetStatus, ...]:
    """Return the rollout's targets that exist."""
    exist = {t.target.label for t in look.seen.targets if t.exists}
    return tuple(t for t in look.rollout.targets if target_of(t).label in exist)


def _missing(look: Look) -> tuple[TargetStatus, ...]:
    """Return those whose stable form is not the candidate yet."""
    stable = {t.target.label: t.stable for t in look.seen.targets}
    return tuple(t for t in _there(look) if stable[target_of(t).label] != t.candidate)


def _impatient(look: Look) -> bool:
    asked = annotation(look.seen, names.ANNOTATION_ABORT) == look.rollout.revision
    return asked or look.seen.deleting or look.seen.running is None or look.now >= look.rollout.deadline
