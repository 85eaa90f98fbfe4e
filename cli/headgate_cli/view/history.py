"""``history``: the rollouts that ended, newest first."""

from datetime import datetime
from typing import Any

from headgate_cli.rollout.subject import Subject
from headgate_cli.view.style import Style, ago, plain, span, table

_GOOD = ("Promoted", "Adopted", "Returned")


def text(subject: Subject, now: datetime, style: Style) -> str:
    """Return a line per rollout with its end, approvals and message."""
    entries = subject.policy.status.history
    if not entries:
        return f"{subject.label} remembers no rollout that ended"
    rows = [["REVISION", "OUTCOME", "ENDED", "TOOK", "APPROVED BY", "FAILED", "MESSAGE"]]
    for entry in entries:
        paint = style.good if entry.outcome in _GOOD else style.bad
        failed = [verdict.metric for verdict in entry.verdicts if verdict.outcome == "Fail" and not verdict.dry_run]
        rows.append(
            [
                entry.revision,
                paint(entry.outcome),
                ago(entry.ended, now),
                span((entry.ended - entry.started).total_seconds()),
                plain(", ".join(f"{record.by} (step {record.step})" for record in entry.approvals)) or "-",
                plain(", ".join(failed)) or "-",
                plain(entry.message),
            ]
        )
    return "\n".join(table(rows))


def to_json(subject: Subject) -> dict[str, Any]:
    """Return the shape of ``history -o json``."""
    metadata = subject.policy.metadata
    entries = [entry.to_wire() for entry in subject.policy.status.history]
    return {"namespace": metadata.namespace, "name": metadata.name, "history": entries}
