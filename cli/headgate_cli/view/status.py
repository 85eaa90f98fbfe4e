"""``status``: one policy in full, several as a table; and the same as JSON."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from headgate_api.clock import rfc3339
from headgate_cli.rollout.subject import Subject
from headgate_cli.view import steps, verdicts
from headgate_cli.view.style import Style, ago, bar, plain, table, when


def one(subject: Subject, now: datetime, style: Style) -> str:
    """Return everything about one policy that fits a screen."""
    out = [_headline(subject, style), *table(_facts(subject, style), indent="  "), "", "steps"]
    out += steps.lines(subject, style)
    out += waiting(subject, now, style)
    if found := verdicts.lines(subject, style):
        out += ["", "analysis", *found]
    ignored = subject.policy.status.ignored_approval
    if ignored is not None:
        who = f" by {plain(ignored.by)}" if ignored.by else ""
        out += ["", f"{style.bad('ignored')} approval {plain(ignored.approve)}{who}: {ignored.reason}"]
        out += [f"  {plain(ignored.message)}"]
    return "\n".join(out)


def several(subjects: Sequence[Subject], now: datetime, style: Style, *, namespaces: bool) -> str:
    """Return a line per policy."""
    if not subjects:
        return "no RolloutPolicy here; -A looks in all namespaces"
    head = ["NAME", "READY", "STABLE", "CANARY", "SPLIT", "STEP", "WAITING", "SINCE", "UNTIL"]
    rows = [["NAMESPACE", *head] if namespaces else head]
    for subject in subjects:
        metadata, status = subject.policy.metadata, subject.policy.status
        step = status.step
        row = [
            metadata.name,
            _ready(subject, style),
            status.stable_revision or "-",
            status.canary_revision or "-",
            f"{status.weight:3} % {bar(status.weight, 10)}",
            "-" if step is None else f"{step.index} of {len(subject.spec.steps)} {step.kind}",
            "" if step is None else step.reason,
            "" if step is None else ago(step.since, now),
            "" if step is None else ago(step.deadline, now),
        ]
        rows.append([metadata.namespace, *row] if namespaces else row)
    return "\n".join(table(rows))


def waiting(subject: Subject, now: datetime, style: Style) -> list[str]:
    """Return what the rollout waits for: reason, since, until, and what happens next; empty without a rollout."""
    step = subject.policy.status.step
    if step is None:
        return []
    rows = [
        ["reason", style.waits(step.reason)],
        ["", plain(step.message)],
        ["since", when(step.since, now)],
        ["until", when(step.deadline, now)],
        ["next", plain(step.next_action)],
    ]
    return ["", "waiting", *table(rows, indent="  ")]


def _headline(subject: Subject, style: Style) -> str:
    metadata = subject.policy.metadata
    return f"{style.bold(metadata.name)} in {metadata.namespace}   {_ready(subject, style)}"


def _ready(subject: Subject, style: Style) -> str:
    ready = subject.condition("Ready")
    if ready is None:
        return style.waits("not looked at yet")
    paint = style.good if ready.status == "True" else style.waits
    return paint("Ready" if ready.status == "True" else ready.reason)


def _facts(subject: Subject, style: Style) -> list[list[str]]:
    status = subject.policy.status
    rollout = status.rollout
    rows = [["targets", ", ".join(target.label for target in subject.spec.targets)]]
    rows += [["stable", status.stable_revision or "none yet: nobody outside the canary is served by a new target"]]
    if rollout is not None:
        authors = ", ".join(map(plain, rollout.authors)) or "nobody known"
        unknown = "; part of it is nobody's, so two people must approve" if subject.approvals_needed == 2 else ""
        rows += [["canary", f"{rollout.revision}, a change by {authors}{unknown}"]]
    elif status.rejected is not None:
        rows += [["rejected", f"{status.rejected}: not tried again until it changes or is released"]]
    split = f"{bar(status.weight)} {status.weight} % canary, {100 - status.weight} % stable"
    ready = subject.condition("Ready")
    rows += [["split", split]]
    if ready is not None and ready.status != "True":
        rows += [["ready", plain(ready.message)]]
    for kind, wanted in (("Accepted", "True"), ("Healthy", "True"), ("Paused", "False")):
        found = subject.condition(kind)
        if found is not None and found.status not in (wanted, "Unknown") and found != ready:
            rows += [[kind.lower(), f"{style.bad(found.reason)}: {plain(found.message)}"]]
    return rows


def to_json(subject: Subject) -> dict[str, Any]:
    """Return the shape of ``status -o json`` that docs/cli.md promises."""
    policy, status, rollout = subject.policy, subject.policy.status, subject.policy.status.rollout
    ready = subject.condition("Ready")
    ignored = status.ignored_approval
    return {
        "namespace": policy.metadata.namespace,
        "name": policy.metadata.name,
        "ready": None if ready is None else {"status": ready.status, "reason": ready.reason, "message": ready.message},
        "targets": [target.label for target in subject.spec.targets],
        "stable": status.stable_revision,
        "canary": status.canary_revision,
        "weight": status.weight,
        "rejected": status.rejected,
        "authors": list(rollout.authors) if rollout else [],
        "steps": [
            {"index": index, "kind": step.kind, "state": state, "weight": step.weight}
            for index, (step, state) in enumerate(zip(subject.spec.steps, steps.states(subject), strict=True))
        ],
        "waiting": None if status.step is None else status.step.to_wire(),
        "awaited": _awaited(subject),
        "approvals": [record.to_wire() for record in rollout.approvals] if rollout else [],
        "ignoredApproval": None if ignored is None else ignored.to_wire(),
        "verdicts": [verdict.to_wire() for verdict in status.verdicts],
        "deadline": rfc3339(rollout.deadline) if rollout else None,
    }


def _awaited(subject: Subject) -> dict[str, Any] | None:
    if subject.awaited is None:
        return None
    return {"approve": subject.awaited, "needed": subject.approvals_needed, "given": [a.by for a in subject.approved]}
