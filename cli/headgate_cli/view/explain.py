"""``explain``: why a rollout is where it is, everything that holds it, and who can do what about each."""

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final

from headgate_api import names
from headgate_api.clock import rfc3339
from headgate_api.resources.rolloutstatus import RolloutStatus, StepStatus
from headgate_cli.rollout.subject import Subject
from headgate_cli.view.style import Style, plain, table, when

_APPROVER: Final = "whoever has the verb approve"
_EDITOR: Final = "whoever may patch the policy"
_MENDS: Final = {
    "WaitingForProxies": (
        "whoever runs the fleet",
        "look at the pods the message names: `kubectl describe proxyfleet`; a silent one is no longer waited for after 5 minutes",
    ),
    "WaitingForCapacity": (
        "whoever runs the fleet",
        "see why canary pods are not ready: `kubectl get pods -A -l headgate.dev/track=canary`",
    ),
    "CanaryLaneBusy": (
        "whoever has the verb approve",
        "end or abort the rollout that the message names, or wait for it",
    ),
    "InsufficientData": (
        "whoever sends requests",
        "send more through the gate (testers for an audience step), or lower analysis.minSamples for the next rollout",
    ),
    "TargetNotSettled": ("whoever made the change", "see why the target is not Ready: `kubectl describe` it"),
    "CandidateNotReady": ("whoever made the change", "mend the target as the message says; the step goes on by itself"),
    "TargetTaken": ("whoever wrote the policies", "take the target out of one of the two policies"),
    "PolicyUnsupported": ("whoever wrote the policy", "take out what this installation cannot do, or install it"),
}
"""What mends a wait, and who can: in addition to what status itself says comes next."""


@dataclass(frozen=True, slots=True)
class Action:
    """Something that a person can do."""

    who: str
    what: str


@dataclass(frozen=True, slots=True)
class Hold:
    """One thing that keeps a change from everyone."""

    reason: str
    message: str
    since: datetime | None = None
    until: datetime | None = None
    actions: list[Action] = field(default_factory=list)


def holds(subject: Subject) -> list[Hold]:
    """Return everything that holds the policy's change, the most immediate first; empty when nothing does."""
    status = subject.policy.status
    found = [*_refused(subject), *_paused(subject)]
    if status.rollout is not None and status.step is not None:
        found += [_at_step(subject, status.rollout, status.step), *_ignored(subject)]
    elif status.rejected is not None:
        found.append(_rejected(subject, status.rejected))
    return found


def _refused(subject: Subject) -> list[Hold]:
    accepted = subject.condition("Accepted")
    if accepted is None or accepted.status == "True":
        return []
    mend = _MENDS.get(accepted.reason)
    actions = [Action(*mend)] if mend else [Action("whoever wrote the policy", "mend it as the message says")]
    return [Hold(accepted.reason, accepted.message, accepted.last_transition_time, None, actions)]


def _paused(subject: Subject) -> list[Hold]:
    why = subject.policy.metadata.annotations.get(names.ANNOTATION_PAUSE)
    rollout = subject.policy.status.rollout
    if why is None or rollout is None:
        return []
    condition = subject.condition("Paused")
    since = condition.last_transition_time if condition is not None and condition.status == "True" else None
    resume = Action(_EDITOR, f"kubectl headgate resume {_name(subject)}")
    message = f"the annotation {names.ANNOTATION_PAUSE} says: {why or '(nothing)'}"
    return [Hold("Paused", message, since, rollout.deadline, [resume])]


def _at_step(subject: Subject, rollout: RolloutStatus, step: StepStatus) -> Hold:
    actions = _approving(subject, rollout) if step.kind == "Approval" else []
    if mend := _MENDS.get(step.reason):
        actions.append(Action(*mend))
    if rollout.held_by_failure:
        resume = f"kubectl headgate resume {_name(subject)} --anyway   goes on in spite of the verdicts"
        actions.append(Action(_EDITOR, resume))
    if not actions:
        actions.append(Action("what comes next", step.next_action))
    actions.append(Action(_EDITOR, f"kubectl headgate abort {_name(subject)}   withdraws the change at once"))
    return Hold(step.reason, step.message, step.since, step.deadline, actions)


def _approving(subject: Subject, rollout: RolloutStatus) -> list[Action]:
    rules, who = subject.spec.approval, _APPROVER
    listed = rules.approvers
    named = [*(listed.users if listed else ()), *(f"members of {group}" for group in (listed.groups if listed else ()))]
    if named:
        who += f" and is one of: {', '.join(named)}"
    if rules.distinct_from_author and rollout.authors:
        who += f"; not {', '.join(rollout.authors)}, who made the change"
    given = [record.by for record in subject.approved]
    if given:
        who += f"; not {', '.join(given)} again"
    missing = max(subject.approvals_needed - len(set(given)), 1)
    count = "" if subject.approvals_needed == 1 else f"   ({missing} more of {subject.approvals_needed} people)"
    return [Action(who, f"kubectl headgate approve {_name(subject)} --revision {subject.awaited}{count}")]


def _ignored(subject: Subject) -> list[Hold]:
    ignored = subject.policy.status.ignored_approval
    if ignored is None:
        return []
    message = (
        f"the approval {ignored.approve}{' by ' + ignored.by if ignored.by else ''} does not count: {ignored.message}"
    )
    return [Hold(ignored.reason, message)]


def _rejected(subject: Subject, rejected: str) -> Hold:
    history = subject.policy.status.history
    last = next((entry for entry in history if entry.content == rejected), None)
    message = f"{rejected} was withdrawn, and is not tried again by itself"
    message += f": {last.outcome}, {last.message}" if last is not None else ""
    return Hold(
        "Rejected" if last is None else last.outcome,
        message,
        last.ended if last is not None else None,
        None,
        [
            Action(
                "whoever may change the targets", "change them again, which begins a new rollout, or revert the change"
            ),
            Action(
                _APPROVER,
                f"kubectl headgate release {_name(subject)}   tries the same content again, from its first step",
            ),
        ],
    )


def _name(subject: Subject) -> str:
    metadata = subject.policy.metadata
    return f"{metadata.name} -n {metadata.namespace}"


def text(subject: Subject, now: datetime, style: Style) -> str:
    """Return the explanation for a terminal."""
    status = subject.policy.status
    out = [f"{style.bold(subject.policy.metadata.name)} in {subject.policy.metadata.namespace}: {_summary(subject)}"]
    for hold in holds(subject):
        rows = [] if hold.since is None else [["since", when(hold.since, now)]]
        rows += [] if hold.until is None else [["until", when(hold.until, now)]]
        rows += [[plain(action.who), plain(action.what)] for action in hold.actions]
        out += ["", f"{style.waits(hold.reason)}: {plain(hold.message)}", *table(rows, indent="  ")]
    if status.rollout is not None:
        out += ["", f"In any case the rollout is withdrawn at {when(status.rollout.deadline, now)}."]
    return "\n".join(out)


def _summary(subject: Subject) -> str:
    status = subject.policy.status
    if status.rollout is not None and status.step is not None:
        where = (
            "promoting" if status.step.kind == "Promoting" else f"step {status.step.index} of {len(subject.spec.steps)}"
        )
        return f"{status.rollout.revision} is at {where}, with {status.weight} % of the requests"
    if status.rejected is not None:
        return f"stable traffic runs on {status.stable_revision or 'nothing yet'}; a change was withdrawn"
    ready = subject.condition("Ready")
    if ready is None:
        return "the operator has not looked at it yet"
    return f"no rollout; stable traffic runs on {status.stable_revision or 'nothing yet'}. {plain(ready.message)}"


def to_json(subject: Subject) -> dict[str, Any]:
    """Return the shape of ``explain -o json``."""
    metadata = subject.policy.metadata
    return {
        "namespace": metadata.namespace,
        "name": metadata.name,
        "summary": _summary(subject),
        "holds": [
            asdict(hold)
            | {
                "since": None if hold.since is None else rfc3339(hold.since),
                "until": None if hold.until is None else rfc3339(hold.until),
            }
            for hold in holds(subject)
        ],
    }
