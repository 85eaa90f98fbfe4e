"""How a rollout ends: traffic is back on a promoted form, and history says what happened, by whose approval and why."""

from typing import Final

from headgate_api.reasons import ConditionReason
from headgate_api.resources.rolloutstatus import HISTORY, Ending, HistoryEntry
from headgate_operator.credentials.plan import Note
from headgate_operator.rollout.look import Look, Move, target_of
from headgate_operator.rollout.plan import Promotion

REJECTING: Final[frozenset[Ending]] = frozenset({"Aborted", "AnalysisFailed", "ApprovalExpired", "DeadlineExceeded"})
"""Endings after which the same content is not tried again by itself."""
STABLE_CHANGED: Final[frozenset[Ending]] = frozenset({"Promoted", "Returned", "Adopted"})
"""Endings that made their content stable."""


def withdrawn(look: Look, outcome: Ending, message: str) -> Move:
    """End the rollout with its candidate withdrawn, from wherever it is.

    While promoting, some targets may run the candidate already, or another leader may be about to see to it: the previous
    form is asked for in any case, which is nothing to do where it is stable.
    """
    rollout = look.rollout
    gone = {t.target.label for t in look.seen.targets if not t.exists}
    back = tuple(
        Promotion(target, t.stable)
        for t in rollout.targets
        if t.stable is not None and t.stable != t.candidate and (target := target_of(t)).label not in gone
    )
    rejected = rollout.content if outcome in REJECTING else look.status.rejected
    return Move(_closed(look.set(rejected=rejected), outcome, message), promote=back if promoting(look) else ())


def completed(look: Look, outcome: Ending, message: str) -> Move:
    """End the rollout with its content as what stable traffic runs on."""
    return Move(_closed(look.set(stable_revision=look.rollout.content, rejected=None), outcome, message))


def promoting(look: Look) -> bool:
    """Tell whether the rollout has passed its last step."""
    return look.step.kind == "Promoting"


def irrevocable(look: Look) -> bool:
    """Tell whether it is too late to withdraw: a target that has no previous form is promoted already."""
    stable = {t.target.label: t.stable for t in look.seen.targets if t.exists}
    return promoting(look) and any(
        t.stable is None and stable.get(target_of(t).label) == t.candidate for t in look.rollout.targets
    )


def remembered(history: tuple[HistoryEntry, ...], entry: HistoryEntry) -> tuple[HistoryEntry, ...]:
    """Return the history with a new entry, newest first, at most as long as is kept."""
    return (entry, *history)[:HISTORY]


def _closed(look: Look, outcome: Ending, message: str) -> Look:
    rollout = look.rollout
    entry = HistoryEntry(
        revision=rollout.revision,
        content=rollout.content,
        outcome=outcome,
        message=message,
        started=rollout.started,
        ended=look.now,
        approvals=rollout.approvals,
        verdicts=look.status.verdicts,
    )
    fine = outcome in STABLE_CHANGED or outcome in ("Reverted", "Superseded")
    note = Note(
        "Normal" if fine else "Warning", ConditionReason(outcome), "EndRollout", f"{rollout.revision}: {message}"
    )
    return look.told(note).set(
        history=remembered(look.status.history, entry),
        rollout=None,
        step=None,
        canary_revision=None,
        weight=0,
        verdicts=(),
    )
