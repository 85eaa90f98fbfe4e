"""What ends a rollout before its end, in this order, whatever it waits for: each is a small decision of its own."""

from dataclasses import replace
from typing import Final

from headgate_api import names
from headgate_operator.rollout.analysing import findings, harmful
from headgate_operator.rollout.approvals import enough, given, needed
from headgate_operator.rollout.ending import irrevocable, promoting, withdrawn
from headgate_operator.rollout.idle import adopting, asks_for_promoted
from headgate_operator.rollout.look import Guard, Look, Move, annotation, existing, live_content, target_of
from headgate_operator.rollout.promoting import promoted
from headgate_operator.rollout.starting import started


def leaving(look: Look) -> Move | None:
    """The policy is being deleted."""
    if not look.seen.deleting:
        return None
    return withdrawn(look, "Aborted", "the policy was deleted; stable traffic stays on the stable form")


def lost(look: Look) -> Move | None:
    """Nobody knows any more which steps this rollout was to take."""
    if look.seen.running is not None:
        return None
    name = look.rollout.policy_revision
    message = f"the ControllerRevision {name}, which keeps the policy the rollout ran under, is gone; {_retry(look)}"
    return withdrawn(look, "Aborted", message)


def aborted(look: Look) -> Move | None:
    """A person asked for it."""
    if annotation(look.seen, names.ANNOTATION_ABORT) != look.rollout.revision:
        return None
    return withdrawn(
        look, "Aborted", f"a person aborted it at step {look.step.index} ({look.step.kind}); {_retry(look)}"
    )


def failed(look: Look) -> Move | None:
    """Analysis found harm."""
    if not harmful(look) or look.running.on_failure != "Rollback":
        return None
    return withdrawn(
        look, "AnalysisFailed", f"analysis found harm at step {look.step.index}: {findings(look)}; {_retry(look)}"
    )


def target_deleted(look: Look) -> Move | None:
    """A target is gone: what was approved is not what there is. While promoting, the others are promoted all the same."""
    there = {t.target.label for t in existing(look.seen.targets)}
    gone = [label for t in look.rollout.targets if (label := target_of(t).label) not in there]
    if not gone or (promoting(look) and len(gone) < len(look.rollout.targets)):
        return None
    message = f"{', '.join(gone)} was deleted; changes of the other targets begin anew"
    return withdrawn(look, "TargetDeleted", message)


def overdue(look: Look) -> Move | None:
    """The rollout took longer than spec.deadline allows."""
    if look.now < look.rollout.deadline:
        return None
    message = (
        f"spec.deadline ({look.running.deadline}) passed at step {look.step.index} ({look.step.reason}: {look.step.message}); "
        f"{_retry(look)}"
    )
    return withdrawn(look, "DeadlineExceeded", message)


def approval_expired(look: Look) -> Move | None:
    """Nobody approved in time."""
    if look.step.kind != "Approval" or look.now < look.step.deadline or enough(look):
        return None
    have, need = len(given(look.rollout, look.step.index)), needed(look.rollout, look.running)
    message = f"step {look.step.index} had {have} of {need} approvals when its time was over; {_retry(look)}"
    return withdrawn(look, "ApprovalExpired", message)


def changed(look: Look) -> Move | None:
    """The specs ask for something else by now: the rollout makes way for it, or for the stable form.

    Content that was promoted is stable content even where it is not kept any more: it is promoted again, not rolled out.
    """
    content = live_content(look.seen.targets)
    if content is None or content == look.rollout.content:
        return None
    previous = {target_of(t).label: t.stable for t in look.rollout.targets}
    unchanged = all(t.live == previous.get(t.target.label) for t in existing(look.seen.targets))
    if unchanged or asks_for_promoted(look):
        return withdrawn(look, "Reverted", "the specs ask for the stable form again")
    move = withdrawn(look, "Superseded", f"the specs ask for content {content} by now")
    if look.seen.taken or look.seen.unsupported or content == look.status.rejected:
        return move
    return replace(started(move.look, look.rollout), promote=move.promote)


def revocable(guard: Guard) -> Guard:
    """Return the guard, silent where it is too late to withdraw: then the rollout ends by completing."""
    return lambda look: None if irrevocable(look) else guard(look)


ENDINGS: Final[tuple[Guard, ...]] = (
    revocable(aborted),
    revocable(failed),
    promoted,
    *(revocable(guard) for guard in (leaving, lost, target_deleted, overdue, approval_expired)),
    adopting,
    revocable(changed),
)
"""What may end a rollout, the gravest first."""


def _retry(look: Look) -> str:
    return (
        "the content is not tried again until the specs change, or the policy has the annotation "
        f"{names.ANNOTATION_RELEASE}: {look.rollout.content}"
    )
