"""``RolloutPolicy``: how a change of guarded objects reaches traffic, step by step, and who must agree to it."""

from typing import ClassVar

from pydantic import Field

from headgate_api.resources.base import Column, Resource, Rule
from headgate_api.resources.rolloutspec import RolloutPolicySpec
from headgate_api.resources.rolloutstatus import RolloutPolicyStatus


class RolloutPolicy(Resource):
    """How changes of the objects it names reach traffic."""

    KIND: ClassVar[str] = "RolloutPolicy"
    PLURAL: ClassVar[str] = "rolloutpolicies"
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("rollout",)
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("Stable", ".status.stableRevision"),
        Column("Canary", ".status.canaryRevision"),
        Column("Weight", ".status.weight", type="integer"),
        Column("Step", ".status.step.index", type="integer"),
        Column("Waiting", ".status.step.reason"),
        Column("Ready", '.status.conditions[?(@.type=="Ready")].status'),
        Column("Reason", '.status.conditions[?(@.type=="Ready")].reason'),
        Column("Age", ".metadata.creationTimestamp", type="date"),
    )
    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.metadata.name.size() <= 63",
            "metadata.name must be at most 63 characters: it becomes a metric label",
        ),
    )

    spec: RolloutPolicySpec
    status: RolloutPolicyStatus = Field(default_factory=lambda: RolloutPolicyStatus(conditions=[]))
