"""What a rollout command is about: the policy as it stands, and the policy as it stood when its rollout began."""

from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from headgate_api.reasons import ConditionReason
from headgate_api.resources.base import Condition
from headgate_api.resources.rolloutpolicy import RolloutPolicy
from headgate_api.resources.rolloutspec import RolloutPolicySpec, Step
from headgate_api.resources.rolloutstatus import ApprovalRecord


@dataclass(frozen=True, slots=True)
class Subject:
    """A policy and what is said about it.

    ``running``: the spec that its rollout runs under; None without a rollout, or when that could not be read.
    """

    policy: RolloutPolicy
    running: RolloutPolicySpec | None = None

    @property
    def spec(self) -> RolloutPolicySpec:
        """Return the spec that counts now."""
        return self.running or self.policy.spec

    @property
    def label(self) -> str:
        """Return ``namespace/name``."""
        return f"{self.policy.metadata.namespace}/{self.policy.metadata.name}"

    @property
    def awaited(self) -> str | None:
        """Return the ``<revision>/<step>`` that an approval must name now; None when none is awaited."""
        status = self.policy.status
        if status.rollout is None or status.step is None or status.step.kind != "Approval":
            return None
        if (
            status.step.reason != ConditionReason.AWAITING_APPROVAL
        ):  # enough agreed already, or there is nothing to agree to yet
            return None
        return f"{status.rollout.revision}/{status.step.index}"

    @property
    def step(self) -> Step | None:
        """Return the step of the spec that the rollout is at; None without one, and while promoting."""
        at = self.policy.status.step
        return self.spec.steps[at.index] if at is not None and at.index < len(self.spec.steps) else None

    @property
    def approved(self) -> tuple[ApprovalRecord, ...]:
        """Return the approvals that count for the step the rollout is at."""
        status = self.policy.status
        if status.rollout is None or status.step is None:
            return ()
        mine = (status.rollout.revision, status.step.index)
        return tuple(record for record in status.rollout.approvals if (record.revision, record.step) == mine)

    @property
    def approvals_needed(self) -> int:
        """Return how many different people must approve a step of this rollout."""
        rollout = self.policy.status.rollout
        two = rollout is not None and self.spec.approval.distinct_from_author and rollout.author_unknown
        return 2 if two else 1

    def condition(self, kind: str) -> Condition | None:
        """Return the condition of that type."""
        return next((each for each in self.policy.status.conditions if each.type == kind), None)

    def until(self) -> datetime | None:
        """Return when the present wait ends by itself."""
        return self.policy.status.step.deadline if self.policy.status.step is not None else None


def pinned_spec(data: object) -> RolloutPolicySpec | None:
    """Return the spec in a ControllerRevision's ``data``; None when it cannot be read."""
    spec = data.get("spec") if isinstance(data, dict) else None
    try:
        return RolloutPolicySpec.model_validate(spec)
    except ValidationError:
        return None
