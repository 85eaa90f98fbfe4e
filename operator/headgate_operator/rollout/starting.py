"""How a rollout begins: what it is called, whose change it is, and under which policy it runs to its end."""

from dataclasses import replace

from headgate_api.reasons import ConditionReason
from headgate_api.resources.rolloutstatus import RolloutStatus, TargetStatus
from headgate_api.revisions import rollout_revision
from headgate_operator.credentials.plan import Note
from headgate_operator.rollout.look import Look, Move, after, existing, live_content, target_of
from headgate_operator.rollout.observed import TargetSeen
from headgate_operator.rollout.returning import returned
from headgate_operator.rollout.stages import begun


def started(look: Look, superseded: RolloutStatus | None = None) -> Move:
    """Begin a rollout of what the targets' specs ask for; authors of the rollout it supersedes remain authors.

    It exposes nobody: the first step begins in its waiting state, and what it waits for is looked at next. ``look`` has the
    superseded rollout ended; the form that was stable before that one is stable now, whatever it promoted meanwhile.
    """
    before = {target_of(t).label: t.stable for t in superseded.targets} if superseded is not None else {}
    spec = look.seen.policy.spec
    targets = tuple(
        replace(t, stable=before.get(t.target.label, t.stable))
        for t in existing(look.seen.targets)
        if spec.guards(t.target.kind, t.target.name)
    )
    content = live_content(targets)
    if content is None or all(t.live == t.stable for t in targets):
        return Move(look)
    sequence = look.status.sequence + 1
    revision = rollout_revision(content, sequence)
    authors, unknown = _authors(targets, superseded)
    rollout = RolloutStatus(
        revision=revision,
        content=content,
        policy_revision=look.seen.policy_revision,
        started=look.now,
        deadline=after(look.now, spec.deadline),
        authors=tuple(sorted(authors)),
        author_unknown=unknown,
        targets=tuple(
            TargetStatus(kind=t.target.kind, name=t.target.name, stable=t.stable, candidate=t.live)
            for t in targets
            if t.live is not None
        ),
    )
    back = returned(look.status.history, content, spec.rollback_window, look.now)
    story = "returns to content that was promoted lately, without new steps" if back else f"{len(spec.steps)} steps"
    changed = ", ".join(t.target.label for t in targets if t.live != t.stable)
    note = Note("Normal", ConditionReason.ROLLOUT_STARTED, "StartRollout", f"{revision} begins ({changed}): {story}")
    ready = look.told(note).set(
        sequence=sequence, rollout=rollout, canary_revision=revision, weight=0, verdicts=(), rejected=None
    )
    return Move(begun(ready, spec, len(spec.steps) if back else 0))


def _authors(targets: tuple[TargetSeen, ...], superseded: RolloutStatus | None) -> tuple[frozenset[str], bool]:
    """Return (authors, whether part of the change is nobody's)."""
    changed = [t for t in targets if t.live != t.stable]
    authors = frozenset[str]().union(*(t.authors for t in changed))
    unknown = any(t.author_unknown or not t.authors for t in changed)
    if superseded is None:
        return authors, unknown
    return authors | frozenset(superseded.authors), unknown or superseded.author_unknown
