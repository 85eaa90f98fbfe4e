"""A rollout's steps as a list: what was passed, where it is, what comes."""

from typing import Final, Literal

from headgate_api.resources.base import seconds_of
from headgate_api.resources.rolloutspec import Step
from headgate_cli.rollout.subject import Subject
from headgate_cli.view.style import Style, plain, table

State = Literal["Done", "Current", "Coming"]
MARKS: Final[dict[State, str]] = {"Done": "✓", "Current": "●", "Coming": "○"}


def states(subject: Subject) -> list[State]:
    """Return the state of each step; without a rollout all are still to come."""
    at = subject.policy.status.step
    if subject.policy.status.rollout is None or at is None:
        return ["Coming"] * len(subject.spec.steps)
    return [
        "Done" if i < at.index else "Current" if i == at.index else "Coming" for i in range(len(subject.spec.steps))
    ]


def lines(subject: Subject, style: Style) -> list[str]:
    """Return one line per step, and one for the promotion while that goes on."""
    status = subject.policy.status
    rows = []
    for index, (step, state) in enumerate(zip(subject.spec.steps, states(subject), strict=True)):
        paint = {"Done": style.good, "Current": style.waits, "Coming": style.dim}[state]
        said = _said(subject, index, state)
        rows.append([f"{paint(MARKS[state])} {index}", title(step), detail(step), said])
    if status.step is not None and status.step.kind == "Promoting":
        rows.append([f"{style.waits(MARKS['Current'])} {status.step.index}", "promotion", "", status.step.reason])
    return table(rows, indent="  ")


def title(step: Step) -> str:
    """Return the step's kind with what makes it this one: ``weight 25 %``."""
    return f"weight {step.weight} %" if step.kind == "Weight" else step.kind.lower()


def detail(step: Step) -> str:
    """Return what the step asks for besides."""
    if step.approval is not None:
        return plain(step.approval.description or "")
    parts = [f"hold {step.hold}"] if seconds_of(step.hold) else []
    if step.audience is not None:
        testers = ", ".join(
            f"{account.namespace}/{account.name}" if account.namespace else account.name
            for account in step.audience.service_accounts
        )
        return "; ".join([testers, *parts])
    if not step.analysis:
        parts.append("no analysis needed")
    return "; ".join(parts)


def _said(subject: Subject, index: int, state: State) -> str:
    status = subject.policy.status
    by = [record.by for record in (status.rollout.approvals if status.rollout else ()) if record.step == index]
    approved = f"approved by {plain(', '.join(by))}" if by else ""
    if state == "Current" and status.step is not None:
        return "; ".join(filter(None, [status.step.reason, approved]))
    return approved
