"""Which approvals count. An annotation is judged once, as it is first seen: what was ignored stays so until it is set anew.

So nobody can approve ahead of what there is to see: not a step to come, nor the foreseeable name of the next rollout.
Admission enforces the same rules with the API server's own knowledge (the verb, groups, who asks); here they hold again.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from headgate_api import names
from headgate_api.reasons import ConditionReason
from headgate_api.resources.rolloutspec import RolloutPolicySpec
from headgate_api.resources.rolloutstatus import ApprovalRecord, IgnoredApproval, RolloutPolicyStatus, RolloutStatus
from headgate_operator.credentials.plan import Note
from headgate_operator.rollout.exposure import BEFORE
from headgate_operator.rollout.look import Look, annotation
from headgate_operator.rollout.observed import Observed

_SERVICE_ACCOUNT: Final = "system:serviceaccount:"


class Ignored(StrEnum):
    """Why an approval does not count."""

    MALFORMED = "Malformed"
    APPROVER_MISSING = "ApproverMissing"
    NOT_AWAITED = "NotAwaited"
    WRONG_REVISION = "WrongRevision"
    WRONG_STEP = "WrongStep"
    ALREADY_USED = "AlreadyUsed"
    EXPIRED = "Expired"
    AUTHOR = "AuthorMayNotApprove"
    NOT_LISTED = "ApproverNotListed"
    SERVICE_ACCOUNT = "ServiceAccountNotListed"


@dataclass(frozen=True, slots=True)
class Asked:
    """The annotations ``approve`` and ``approved-by``, taken apart; ``step`` is None where ``approve`` is malformed."""

    approve: str
    by: str | None
    revision: str
    step: int | None


def asked(seen: Observed) -> Asked | None:
    """Return the approval that the policy's annotations carry, or None."""
    approve = annotation(seen, names.ANNOTATION_APPROVE)
    if approve is None:
        return None
    revision, _, step = approve.rpartition("/")
    sound = bool(revision) and step.isascii() and step.isdecimal() and len(step) < 4
    return Asked(
        approve, annotation(seen, names.ANNOTATION_APPROVED_BY) or None, revision, int(step) if sound else None
    )


def needed(rollout: RolloutStatus, running: RolloutPolicySpec) -> int:
    """Return how many people must approve: two where a change is to have another approver than its unknown author."""
    return 2 if running.approval.distinct_from_author and rollout.author_unknown else 1


def given(rollout: RolloutStatus, step: int) -> tuple[ApprovalRecord, ...]:
    """Return the approvals on record for a step of this rollout."""
    return tuple(r for r in rollout.approvals if r.revision == rollout.revision and r.step == step)


def enough(look: Look) -> bool:
    """Tell whether the present approval step has all it needs."""
    people = {record.by for record in given(look.rollout, look.step.index)}
    return len(people) >= needed(look.rollout, look.running)


def awaited(look: Look) -> bool:
    """Tell whether an approval would count now."""
    return (
        look.status.rollout is not None
        and look.seen.running is not None
        and look.step.kind == "Approval"
        and look.step.reason not in BEFORE
        and look.now < look.step.deadline
        and not enough(look)
    )


def recorded(look: Look) -> Look:
    """Return the look with the approval on record that the annotations carry, if it counts."""
    ask = asked(look.seen)
    if ask is None or ask.by is None or ask.step is None or not awaited(look):
        return look
    if used(look.status, ask) or ignored(look) is not None:
        return look
    record = ApprovalRecord(revision=ask.revision, step=ask.step, by=ask.by, at=look.now)
    rollout = look.rollout.model_copy(update={"approvals": (*look.rollout.approvals, record)})
    note = Note("Normal", ConditionReason.APPROVED, "Approve", f"{ask.approve} by {ask.by}")
    return look.set(rollout=rollout).told(note)


def ignored(look: Look) -> IgnoredApproval | None:
    """Return why the present approval does not count; None: there is none, it counts, or it has counted."""
    ask = asked(look.seen)
    if ask is None:
        return None
    before = look.status.ignored_approval
    if before is not None and (before.approve, before.by) == (ask.approve, ask.by):
        return before
    if used(look.status, ask) and not _again(look, ask):
        return None
    verdict = _verdict(look, ask)
    if verdict is None:
        return None
    reason, message = verdict
    return IgnoredApproval(approve=ask.approve, by=ask.by, reason=reason, message=message)


def judged(before: Look, decided: Look) -> Look:
    """Return the decided look with what became of the annotations: they are judged by the world as it was found."""
    ask = asked(before.seen)
    counted = ask is not None and used(decided.status, ask) and not used(before.status, ask)
    ignored_now = None if counted else ignored(before)
    changed = decided.set(ignored_approval=ignored_now)
    if ignored_now is None or ignored_now == before.status.ignored_approval:
        return changed
    message = f"{ignored_now.approve} by {ignored_now.by or 'nobody'}: {ignored_now.message}"
    return changed.told(Note("Warning", ConditionReason.APPROVAL_IGNORED, "IgnoreApproval", message))


def used(status: RolloutPolicyStatus, ask: Asked) -> bool:
    """Tell whether this very approval is on record, in the rollout under way or in history."""
    present = status.rollout.approvals if status.rollout is not None else ()
    past = (record for entry in status.history for record in entry.approvals)
    return any((r.revision, r.step, r.by) == (ask.revision, ask.step, ask.by) for r in (*present, *past))


def _again(look: Look, ask: Asked) -> bool:
    """Tell whether an approval that counted once stands where another one is awaited."""
    return awaited(look) and (ask.revision, ask.step) != (look.rollout.revision, look.step.index)


def _verdict(look: Look, ask: Asked) -> tuple[Ignored, str] | None:
    if ask.step is None:
        return (
            Ignored.MALFORMED,
            f"write {names.ANNOTATION_APPROVE}: <rollout revision>/<step>, for example {_example(look)}",
        )
    if ask.by is None:
        return Ignored.APPROVER_MISSING, f"set {names.ANNOTATION_APPROVED_BY} to your own user name in the same request"
    return _place(look, ask) or _person(look, ask.by)


def _place(look: Look, ask: Asked) -> tuple[Ignored, str] | None:
    """Judge what is approved."""
    if used(look.status, ask):
        return Ignored.ALREADY_USED, f"this approval counted already, once; now {_example(look)} is awaited"
    past = next((entry for entry in look.status.history if entry.revision == ask.revision), None)
    if past is not None and past.outcome == "ApprovalExpired":
        return (
            Ignored.EXPIRED,
            f"rollout {ask.revision} waited for it until {past.ended:%Y-%m-%d %H:%M:%S} UTC, and was withdrawn",
        )
    if look.status.rollout is None or look.seen.running is None:
        ended = "" if past is None else f" ({ask.revision} ended: {past.outcome})"
        return Ignored.NOT_AWAITED, f"no rollout is under way{ended}"
    if ask.revision != look.rollout.revision:
        ended = "" if past is None else f", which ended: {past.outcome}"
        return (
            Ignored.WRONG_REVISION,
            f"it names {ask.revision}{ended}; the rollout under way is {look.rollout.revision}",
        )
    if ask.step != look.step.index:
        return (
            Ignored.WRONG_STEP,
            f"it names step {ask.step}, but the rollout is at step {look.step.index}; {_set_anew(ask)}",
        )
    if look.step.kind == "Approval" and look.now >= look.step.deadline:
        return Ignored.EXPIRED, f"the step waited for it until {look.step.deadline:%Y-%m-%d %H:%M:%S} UTC"
    if not awaited(look):
        return (
            Ignored.NOT_AWAITED,
            f"step {look.step.index} awaits no approval now: {look.step.message}; {_set_anew(ask)}",
        )
    return None


def _person(look: Look, by: str) -> tuple[Ignored, str] | None:
    """Judge who approves. Groups are the API server's to know: where the policy lists groups, admission has checked them."""
    approval = look.running.approval
    listed = approval.approvers
    if by.startswith(_SERVICE_ACCOUNT):
        namespace = look.seen.policy.metadata.namespace
        allowed = {a.username(namespace) for a in listed.service_accounts} if listed is not None else set()
        if by not in allowed:
            return (
                Ignored.SERVICE_ACCOUNT,
                f"list {by} in spec.approval.approvers.serviceAccounts, or let a person approve",
            )
    elif listed is not None and listed.users and not listed.groups and by not in listed.users:
        return Ignored.NOT_LISTED, f"{by} is not among spec.approval.approvers.users: {', '.join(listed.users)}"
    if approval.distinct_from_author and by in look.rollout.authors:
        return Ignored.AUTHOR, f"{by} made the change; spec.approval.distinctFromAuthor wants somebody else"
    return None


def _example(look: Look) -> str:
    if look.status.rollout is None:
        return f"{'1a2b3c4d' * 4}-1/0"
    return f"{look.rollout.revision}/{look.step.index}"


def _set_anew(ask: Asked) -> str:
    return f"once it is awaited, remove {names.ANNOTATION_APPROVE} and set it to {ask.approve} again"
