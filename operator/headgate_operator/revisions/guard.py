"""Which forms of an object traffic may see: a pure function of its policies, its kept revisions and its live content."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from headgate_api import names
from headgate_api.resources.base import Resource
from headgate_api.resources.rolloutpolicy import RolloutPolicy
from headgate_api.revisions import Bundle
from headgate_operator.revisions.bundles import Form, recognised
from headgate_operator.revisions.history import History

_NEVER: Final = datetime.max.replace(tzinfo=UTC)


class State(StrEnum):
    """How an object stands to RolloutPolicies."""

    UNGUARDED = "Unguarded"
    """Its live form serves at once."""
    UNADOPTED = "Unadopted"
    """A policy names it, but has not secured its stable form yet, or has lost it: it is served as last published."""
    GUARDED = "Guarded"
    HELD = "Held"
    """No policy names it any more, and its live form differs from the stable one, which goes on."""


@dataclass(frozen=True, slots=True)
class Guard:
    """What traffic may see of an object; ``stable`` None (unless unguarded): nobody outside a canary sees it.

    ``live`` is the content revision its spec asks for (None: not known), ``policy`` the one that guards it. ``candidate``
    is what that policy exposes now.
    """

    state: State = State.UNGUARDED
    policy: RolloutPolicy | None = None
    stable: Form | None = None
    candidate: Form | None = None
    live: str | None = None

    @property
    def policy_key(self) -> str | None:
        """Return namespace/name of the guarding policy."""
        return "/".join(self.policy.key) if self.policy is not None else None

    @property
    def at_rest(self) -> bool:
        """Tell whether the live content is what stable traffic runs on."""
        if self.state is State.UNGUARDED:
            return True
        return self.stable is not None and self.live == self.stable.revision


UNGUARDED: Final = Guard()


def names_target(policy: RolloutPolicy, kind: str, name: str) -> bool:
    """Tell whether a policy guards an object of its namespace: by its spec, or by the rollout that still runs."""
    rollout = policy.status.rollout
    running = rollout is not None and any(t.kind == kind and t.name == name for t in rollout.targets)
    return running or policy.spec.guards(kind, name)


def governing(policies: Iterable[RolloutPolicy], namespace: str, kind: str, name: str) -> RolloutPolicy | None:
    """Return the policy that has an object: one whose rollout changes it now, else the oldest that names it."""
    found = [p for p in policies if p.metadata.namespace == namespace and names_target(p, kind, name)]
    return min(found, key=lambda p: (not _runs(p, kind, name), *age_of(p)), default=None)


def age_of(policy: RolloutPolicy) -> tuple[datetime, str]:
    """Return what orders policies from the oldest on."""
    return policy.metadata.creation_timestamp or _NEVER, policy.metadata.name


def _runs(policy: RolloutPolicy, kind: str, name: str) -> bool:
    rollout = policy.status.rollout
    return rollout is not None and any(t.kind == kind and t.name == name for t in rollout.targets)


def guard_of(
    item: Resource,
    policies: Iterable[RolloutPolicy],
    history: History,
    live: Bundle,
    *,
    exposed: Callable[[RolloutPolicy], bool],
    published: Callable[[], Form | None],
    known: bool = True,
) -> Guard:
    """Return the guard of an object.

    ``policies``: all of the object's namespace. ``exposed`` tells whether a policy's rollout shows its candidate to anyone
    now. ``published`` gives what is served at present, for an object not adopted yet. ``known`` False: the status of the
    object is behind its spec, so that its live content is not known.
    """
    kind, (namespace, name) = item.KIND, item.key
    policy = governing(policies, namespace, kind, name)
    if policy is None and not history.kept:
        return UNGUARDED
    stable, candidate = _stable_of(history, published), candidate_of(policy, kind, name, history)
    revision = recognised(live, [form for form in (stable, candidate) if form is not None]) if known else None
    if policy is None:
        if revision is not None and (stable is None or revision != stable.revision) and released(item) != revision:
            return Guard(State.HELD, stable=stable, live=revision)
        return UNGUARDED if revision is not None else Guard(State.HELD, stable=stable)
    secured = history.kept or any(t.kind == kind and t.name == name for t in policy.status.targets)
    served = published() if history.stable is None else None
    if not secured or served is not None:  # served, but not kept (any more): whatever serves is never dropped for that
        return Guard(State.UNADOPTED, policy, stable=served, live=revision)
    return Guard(State.GUARDED, policy, stable=stable, candidate=candidate if exposed(policy) else None, live=revision)


def _stable_of(history: History, published: Callable[[], Form | None]) -> Form | None:
    """Return the stable form; where the kept one cannot be read by this build, what is served now stands in for it."""
    kept = history.stable
    if kept is None or kept.form is not None:
        return kept.form if kept is not None else None
    served = published()
    return Form(kept.revision, served.bundle) if served is not None else None


def released(item: Resource) -> str | None:
    """Return the held content that someone with the verb ``approve`` released on the object itself."""
    return item.metadata.annotations.get(names.ANNOTATION_RELEASE)


def candidate_of(policy: RolloutPolicy | None, kind: str, name: str, history: History) -> Form | None:
    """Return the form of an object that a policy's rollout is about."""
    rollout = policy.status.rollout if policy is not None else None
    for target in rollout.targets if rollout is not None else ():
        if target.kind == kind and target.name == name:
            kept = history.find(target.candidate)
            return kept.form if kept is not None else None
    return None
