"""What a policy does while no rollout is under way: secure what serves, let go, or begin."""

from typing import Final

from headgate_api import names
from headgate_api.reasons import ConditionReason
from headgate_api.resources.rolloutstatus import HistoryEntry
from headgate_operator.credentials.plan import Note
from headgate_operator.rollout.ending import STABLE_CHANGED, remembered
from headgate_operator.rollout.look import Guard, Look, Move, annotation, existing, live_content, stable_content
from headgate_operator.rollout.plan import Promotion
from headgate_operator.rollout.starting import started


def leaving(look: Look) -> Move | None:
    """A policy that is being deleted goes: what it guarded stays on its stable form, held."""
    return Move(look, release=True) if look.seen.deleting else None


def refused(look: Look) -> Move | None:
    """A policy that cannot be followed in full is not followed in part."""
    return Move(look) if look.seen.taken or look.seen.unsupported else None


def adopting(look: Look) -> Move | None:
    """Secure the form that already serves, before anything else is done to a target."""
    new = tuple(t.target for t in existing(look.seen.targets) if not t.adopted)
    if not new:
        return None
    secured = tuple(t.target for t in existing(look.seen.targets))
    return Move(look.set(targets=secured), adopt=new)


def forgetting(look: Look) -> Look:
    """Return the look without targets that are gone, with the stable content that is secured now."""
    stable = stable_content(look.seen.targets)
    if restorable(look):
        return look
    present = look.set(targets=tuple(t.target for t in existing(look.seen.targets) if t.adopted))
    if not all(t.adopted for t in existing(look.seen.targets)):
        return present if _same_targets(look) else present.set(stable_revision=None)
    if stable == look.status.stable_revision:
        return present
    newest = next((e for e in look.status.history if e.outcome in STABLE_CHANGED), None)
    if stable is None or (newest is not None and newest.content == stable):
        return present.set(stable_revision=stable)
    names_ = ", ".join(t.target.label for t in existing(look.seen.targets) if t.stable is not None)
    entry = HistoryEntry(
        revision=stable,
        content=stable,
        outcome="Adopted",
        message=f"the form that already served is stable from here on: {names_}",
        started=look.now,
        ended=look.now,
    )
    return present.set(stable_revision=stable, history=remembered(look.status.history, entry))


def beginning(look: Look) -> Move | None:
    """Begin a rollout where the specs ask for something else than what is stable, unless it was rejected."""
    content = live_content(look.seen.targets)
    if content is None:
        return None
    if all(t.live == t.stable for t in existing(look.seen.targets)):
        return Move(look.set(rejected=None))
    if content != look.status.rejected:
        return started(look)
    if not released(look):
        return None
    note = Note("Normal", ConditionReason.APPROVED, "Release", f"{content} was rejected, and is tried again")
    return started(look.told(note).set(released=content))


def restorable(look: Look) -> bool:
    """Tell whether the specs ask for what was promoted, but some target's stable form is another."""
    return asks_for_promoted(look) and any(t.live != t.stable for t in existing(look.seen.targets))


def asks_for_promoted(look: Look) -> bool:
    """Tell whether the specs ask for what status says was promoted, of the very targets that it says it of.

    The content of a single target does not tell whose it is: what one object was promoted to opens no gate for another.
    """
    content = live_content(look.seen.targets)
    return content is not None and content == look.status.stable_revision and _same_targets(look)


def _same_targets(look: Look) -> bool:
    """Tell whether the targets that exist are those whose stable forms status speaks of."""
    return set(look.status.targets) == {t.target for t in existing(look.seen.targets)}


def restoring(look: Look) -> Move | None:
    """Promote again what was promoted: a promotion that got lost, or was not seen yet, is no change to be rolled out."""
    if not restorable(look):
        return None
    behind = (t for t in existing(look.seen.targets) if t.live != t.stable)
    return Move(look, promote=tuple(Promotion(t.target, t.live) for t in behind if t.live is not None))


def released(look: Look) -> bool:
    """Tell whether a person asks to try the rejected content again, and that was not done before."""
    asked = annotation(look.seen, names.ANNOTATION_RELEASE)
    return asked is not None and asked == look.status.rejected and asked != look.status.released


def remembering_release(look: Look) -> Look:
    """Return the look with the use of the annotation release forgotten once the annotation says something else."""
    used = look.status.released
    return (
        look.set(released=None)
        if used is not None and annotation(look.seen, names.ANNOTATION_RELEASE) != used
        else look
    )


IDLE: Final[tuple[Guard, ...]] = (leaving, refused, adopting, restoring, beginning)
