"""What a rollout can go back to: a form that its target was stable on, never one of a former object of the same name.

An object that was deleted and made anew in the middle of its rollout has nothing of the old one. Whoever believed status there
would promise a way back that is not there, and call a candidate withdrawn that goes on serving.
"""

from headgate_api.resources.rolloutstatus import TargetStatus
from headgate_operator.rollout.look import Look, existing, target_of
from headgate_operator.rollout.observed import TargetSeen


def restated(look: Look) -> Look:
    """Return the look whose rollout names, for each target, the earlier form that there is of it now, or none."""
    rollout = look.status.rollout
    if rollout is None:
        return look
    # A target that is not adopted may be about to get its stable form back; until then nothing can be told.
    there = {t.target.label: t for t in existing(look.seen.targets) if t.adopted}
    targets = tuple(_restated(t, there.get(target_of(t).label)) for t in rollout.targets)
    return look if targets == rollout.targets else look.set(rollout=rollout.model_copy(update={"targets": targets}))


def _restated(named: TargetStatus, seen: TargetSeen | None) -> TargetStatus:
    if seen is None or named.stable is None or named.stable in seen.promoted:
        return named
    return named.model_copy(update={"stable": seen.stable if seen.stable != named.candidate else None})
