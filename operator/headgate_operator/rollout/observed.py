"""What the engine is shown of a RolloutPolicy's world: everything it may decide by, and nothing it could forget to ask."""

from collections.abc import Mapping
from dataclasses import dataclass

from headgate_api.resources.rolloutpolicy import RolloutPolicy
from headgate_api.resources.rolloutspec import RolloutPolicySpec, Target
from headgate_operator.analysis.windows import Answer, Windows


@dataclass(frozen=True, slots=True)
class TargetSeen:
    """A guarded object.

    ``live``: the content revision its spec asks for; None while it is deleted or not settled (its status is behind its spec).
    ``stable``: the promoted content revision; None where no stable form exists. ``adopted``: its stable form is secured.
    ``promoted``: the content revisions of this very object that were stable once and are kept, so that it can go back to them.
    ``problem``: why the live form could not serve (a sentence). ``authors``: user names of the people who made the live
    form; ``author_unknown``: part of it is nobody's, or a ServiceAccount's.
    """

    target: Target
    exists: bool
    live: str | None
    stable: str | None
    promoted: frozenset[str]
    adopted: bool
    problem: str | None
    authors: frozenset[str]
    author_unknown: bool


@dataclass(frozen=True, slots=True)
class Delivery:
    """How far the proxies are: ``waiting`` names the pods that must acknowledge the published heads, but have not.

    A silent pod is among them until its weight TTL has passed. ``published``: the heads carry this policy's exposure exactly
    as its status says; without that, ``waiting`` says nothing.
    """

    waiting: tuple[str, ...]
    published: bool


@dataclass(frozen=True, slots=True)
class Capacity:
    """Proxies that are ready, by track; ``lane``: namespace/name of another policy that keeps this one from the canary."""

    stable_ready: int
    canary_ready: int
    lane: str | None


@dataclass(frozen=True, slots=True)
class Observed:
    """One look at a policy.

    ``running``: the spec that the rollout runs under, pinned as ``policy_revision`` at its start; None without a rollout, or
    when the pinned spec is lost. ``policy_revision`` names the spec as it stands now. ``targets``: those of the running
    policy while a rollout runs, else those of spec. ``taken`` and ``unsupported`` are sentences. ``surge``: how far the
    stable Deployment of a promoted ProxyFleet is; None when it is complete.
    """

    policy: RolloutPolicy
    running: RolloutPolicySpec | None
    policy_revision: str
    targets: tuple[TargetSeen, ...]
    taken: tuple[str, ...]
    unsupported: tuple[str, ...]
    delivery: Delivery
    capacity: Capacity
    windows: Windows | None
    answers: Mapping[str, Answer]
    surge: str | None
    deleting: bool
