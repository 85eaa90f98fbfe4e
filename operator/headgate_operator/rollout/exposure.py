"""Who may see a candidate, read from a policy's status alone: what the head carries and how many canaries are wanted.

A step that waits before it is reached says so by its reason (``BEFORE``), a weight step by a status.weight below its own.
"""

import math
from collections.abc import Iterable
from typing import Final

from headgate_api.reasons import ConditionReason
from headgate_api.resources.rolloutpolicy import RolloutPolicy
from headgate_api.resources.rolloutspec import RolloutPolicySpec
from headgate_api.resources.rolloutstatus import RolloutPolicyStatus
from headgate_api.snapshot import Split, content_revision

BEFORE: Final = frozenset(
    {
        ConditionReason.WAITING_FOR_CAPACITY,
        ConditionReason.CANARY_LANE_BUSY,
        ConditionReason.CANDIDATE_NOT_READY,
        ConditionReason.TARGET_NOT_SETTLED,
    }
)
"""Reasons of a step that nobody sees yet."""
_WHOLE: Final = 100


def reached(status: RolloutPolicyStatus, running: RolloutPolicySpec) -> int:
    """Return how many of the policy's steps are in effect, the present one included once it is."""
    step = status.step
    if status.rollout is None or step is None:
        return 0
    if step.index >= len(running.steps):
        return len(running.steps) if status.weight else 0
    weight = running.steps[step.index].weight
    waits = step.reason in BEFORE or (weight is not None and status.weight < weight)
    return step.index if waits else step.index + 1


def exposed(status: RolloutPolicyStatus, running: RolloutPolicySpec | None) -> bool:
    """Tell whether anybody may reach the candidate: an audience or a weight is in effect."""
    if running is None:
        return False
    return any(step.kind != "Approval" for step in running.steps[: reached(status, running)])


def exposure(policy: RolloutPolicy, running: RolloutPolicySpec | None) -> Split | None:
    """Return the split that the head carries for this policy; None: nobody sees the candidate.

    Testers of every audience so far stay testers, and a weight stays until the next one.
    """
    status = policy.status
    if running is None or status.rollout is None or status.step is None or not exposed(status, running):
        return None
    namespace = policy.metadata.namespace
    testers = {
        account.username(namespace)
        for step in running.steps[: reached(status, running)]
        if step.audience is not None
        for account in step.audience.service_accounts
    }
    return Split(
        revision=status.rollout.revision,
        step=status.step.index,
        weight=status.weight * 100,
        salt=content_revision(policy.metadata.uid, status.rollout.revision),
        lane=running.lane,
        testers=tuple(sorted(testers)),
        stickiness=running.stickiness,
    )


def wanted_weight(policy: RolloutPolicy, running: RolloutPolicySpec | None) -> int:
    """Return the weight in percent that canaries are to be there for: the coming one while a weight step waits for them."""
    status = policy.status
    if running is None or status.rollout is None or status.step is None:
        return 0
    coming = running.steps[status.step.index].weight if status.step.index < len(running.steps) else None
    return max(status.weight, coming or 0)


def first_approval_passed(policy: RolloutPolicy, running: RolloutPolicySpec | None) -> bool:
    """Tell whether the rollout is past its first approval: no candidate image may start before."""
    step = policy.status.step
    if running is None or policy.status.rollout is None or step is None:
        return False
    first = next((index for index, s in enumerate(running.steps) if s.approval is not None), None)
    return first is not None and step.index > first


def needs_canary(policy: RolloutPolicy, running: RolloutPolicySpec | None) -> bool:
    """Tell whether the policy's candidate is on the canary, or its present step is about to put it there."""
    status = policy.status
    if running is None or status.rollout is None or status.step is None:
        return False
    if running.lane == "Image" and not first_approval_passed(policy, running):
        return False
    if exposed(status, running):
        return True
    return status.step.kind in ("Audience", "Weight") and status.step.reason not in (
        ConditionReason.CANDIDATE_NOT_READY,
        ConditionReason.TARGET_NOT_SETTLED,
    )


def lane(
    policy: RolloutPolicy,
    running: RolloutPolicySpec | None,
    others: Iterable[tuple[RolloutPolicy, RolloutPolicySpec | None]],
) -> str | None:
    """Return the policy (namespace/name) that keeps this one from the canary, or None.

    An image has the canary to itself. Whoever is there stays; of those who wait, the rollout that began first goes first.
    """
    if running is None or policy.status.rollout is None or exposed(policy.status, running):
        return None
    mine = (policy.status.rollout.started, policy.key)
    for other, theirs in sorted(others, key=lambda pair: pair[0].key):
        if theirs is None or other.status.rollout is None or other.key == policy.key:
            continue
        if "Image" not in (running.lane, theirs.lane):
            continue
        waiting_longer = needs_canary(other, theirs) and (other.status.rollout.started, other.key) < mine
        if exposed(other.status, theirs) or waiting_longer:
            return "/".join(other.key)
    return None


def carries_image(
    policy: RolloutPolicy,
    running: RolloutPolicySpec | None,
    others: Iterable[tuple[RolloutPolicy, RolloutPolicySpec | None]],
) -> bool:
    """Tell whether the canary pods are to run this rollout's image now: it is approved, and nobody else is on the canary."""
    image = running is not None and running.lane == "Image"
    return image and needs_canary(policy, running) and lane(policy, running, others) is None


def wanted_canaries(
    policies: Iterable[tuple[RolloutPolicy, RolloutPolicySpec | None]], replicas: int, canary_replicas: int
) -> int:
    """Return how many canary pods the fleet needs for these policies (each with the spec its rollout runs under)."""
    weights = [wanted_weight(policy, running) for policy, running in policies if needs_canary(policy, running)]
    return max(canary_replicas, canaries_for(max(weights), replicas)) if weights else 0


def canaries_for(weight: int, stable: int) -> int:
    """Return how many canary pods carry ``weight`` percent of what ``stable`` pods carry; at least one."""
    return max(1, math.ceil(weight * stable / _WHOLE))
