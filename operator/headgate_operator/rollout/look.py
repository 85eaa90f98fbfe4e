"""One look at a policy on its way through the chains of decisions: what was seen, and the status as decided so far."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from headgate_api import names
from headgate_api.resources.base import seconds_of
from headgate_api.resources.rolloutspec import RolloutPolicySpec, Step, Target
from headgate_api.resources.rolloutstatus import RolloutPolicyStatus, RolloutStatus, StepStatus, TargetStatus
from headgate_api.revisions import overall_revision
from headgate_operator.credentials.plan import Note
from headgate_operator.rollout.observed import Observed, TargetSeen
from headgate_operator.rollout.plan import Promotion


@dataclass(frozen=True, slots=True)
class Look:
    """The working state of one look. Nothing is written to: each decision returns another Look or a Move."""

    seen: Observed
    now: datetime
    status: RolloutPolicyStatus
    notes: tuple[Note, ...] = ()

    @property
    def rollout(self) -> RolloutStatus:
        """Return the rollout under way. Raises LookupError when none is."""
        if self.status.rollout is None:
            raise LookupError("no rollout is under way")
        return self.status.rollout

    @property
    def step(self) -> StepStatus:
        """Return where the rollout is. Raises LookupError when none is under way."""
        if self.status.step is None:
            raise LookupError("no rollout is under way")
        return self.status.step

    @property
    def running(self) -> RolloutPolicySpec:
        """Return the spec the rollout runs under. Raises LookupError when it is lost."""
        if self.seen.running is None:
            raise LookupError("the policy that the rollout runs under is lost")
        return self.seen.running

    @property
    def step_spec(self) -> Step | None:
        """Return the present step as the policy has it; None while promoting."""
        return self.running.steps[self.step.index] if self.step.index < len(self.running.steps) else None

    @property
    def paused(self) -> bool:
        """Tell whether a person, or harm under ``onFailure: Pause``, keeps the rollout where it is."""
        return self.pause_asked or self.rollout.held_by_failure

    @property
    def pause_asked(self) -> bool:
        """Tell whether the annotation ``pause`` is there."""
        return annotation(self.seen, names.ANNOTATION_PAUSE) is not None

    def set(self, **changes: Any) -> "Look":
        """Return a look whose status has these fields changed."""
        return replace(self, status=self.status.model_copy(update=changes))

    def told(self, *notes: Note) -> "Look":
        """Return a look with these Events to tell."""
        return replace(self, notes=(*self.notes, *notes))


@dataclass(frozen=True, slots=True)
class Move:
    """A decision that ends the chain: the new status, and what is to be done before it is written."""

    look: Look
    promote: tuple[Promotion, ...] = ()
    adopt: tuple[Target, ...] = ()
    release: bool = False


Guard: TypeAlias = Callable[[Look], Move | None]
"""A decision that may have nothing to say."""


def first_of(guards: Iterable[Guard], look: Look) -> Move:
    """Return what the first guard decides that has something to say; by default all stays as it is."""
    return next((move for guard in guards if (move := guard(look)) is not None), Move(look))


def annotation(seen: Observed, name: str) -> str | None:
    """Return the policy's annotation of this name (``names.ANNOTATION_…``), or None."""
    return seen.policy.metadata.annotations.get(name)


def target_of(status: TargetStatus) -> Target:
    """Return which object a target's status is about."""
    return Target(kind=status.kind, name=status.name)


def existing(targets: Iterable[TargetSeen]) -> tuple[TargetSeen, ...]:
    """Return the targets that exist."""
    return tuple(t for t in targets if t.exists)


def live_content(targets: Iterable[TargetSeen]) -> str | None:
    """Return the content revision that the targets' specs ask for; None while one is not settled, or none exists."""
    found = {t.target.label: t.live for t in existing(targets)}
    settled = {label: live for label, live in found.items() if live is not None}
    return overall_revision(settled) if settled and len(settled) == len(found) else None


def stable_content(targets: Iterable[TargetSeen]) -> str | None:
    """Return the content revision of the stable forms together; None when there is none at all."""
    found = {t.target.label: t.stable for t in existing(targets) if t.stable is not None}
    return overall_revision(found) if found else None


def after(moment: datetime, duration: str) -> datetime:
    """Return ``moment`` plus a Duration; at most the last moment of the calendar."""
    try:
        return moment + timedelta(seconds=seconds_of(duration))
    except OverflowError:
        return datetime.max.replace(tzinfo=moment.tzinfo)
