"""What the operator tells of a ``RolloutPolicy``: where its rollout is, what it waits for, what came of earlier ones."""

from typing import Final, Literal

from pydantic import Field

from headgate_api.resources.base import Conditions, KubeModel, Moment
from headgate_api.resources.rolloutspec import Target, TargetKind


class StepStatus(KubeModel):
    """Where a rollout is, and what it waits for."""

    index: int = Field(ge=0, description="Position in spec.steps; equal to their number while promoting.")
    kind: Literal["Audience", "Approval", "Weight", "Promoting"]
    reason: str = Field(description="What the step waits for, a stable CamelCase word.")
    message: str
    since: Moment = Field(description="When the step began.")
    delivered: Moment | None = Field(
        default=None, description="When every proxy had taken the step up; hold counts from it."
    )
    deadline: Moment
    next_action: str = Field(description="What happens next, or what a person can do.")


class ApprovalRecord(KubeModel):
    """An approval that counted."""

    revision: str
    step: int
    by: str
    at: Moment


class Verdict(KubeModel):
    """The newest judgement of one metric."""

    metric: str
    outcome: Literal["Pass", "Fail", "Insufficient"]
    dry_run: bool = False
    canary: float | None = None
    stable: float | None = None
    samples: int = 0
    message: str
    at: Moment


class TargetStatus(KubeModel):
    """The content revisions of one target in a rollout."""

    kind: TargetKind
    name: str
    stable: str | None = None
    candidate: str


class RolloutStatus(KubeModel):
    """The rollout under way. It runs under the policy as it stood at its start, kept as ControllerRevision ``policyRevision``."""

    revision: str = Field(description="Content and number of this rollout; approvals name it.")
    content: str = Field(description="Content revision over all targets; the same content gives the same.")
    policy_revision: str
    started: Moment
    deadline: Moment
    authors: tuple[str, ...] = Field(
        default=(), description="Who made the change, as far as the API server stamped it."
    )
    author_unknown: bool = Field(default=False, description="Part of the change is nobody's: two approvers are needed.")
    targets: tuple[TargetStatus, ...]
    approvals: tuple[ApprovalRecord, ...] = ()
    failures: int = Field(default=0, ge=0, description="Failing verdicts in a row.")
    judged: Moment | None = Field(default=None, description="When analysis last ran.")
    held_by_failure: bool = Field(default=False, description="onFailure Pause took effect; it waits for a person.")


Ending = Literal[
    "Promoted",
    "Adopted",
    "Returned",
    "Aborted",
    "Reverted",
    "Superseded",
    "AnalysisFailed",
    "ApprovalExpired",
    "DeadlineExceeded",
    "TargetDeleted",
]


class HistoryEntry(KubeModel):
    """A rollout that ended."""

    revision: str
    content: str
    outcome: Ending
    message: str
    started: Moment
    ended: Moment
    approvals: tuple[ApprovalRecord, ...] = ()
    verdicts: tuple[Verdict, ...] = ()


class IgnoredApproval(KubeModel):
    """An approve annotation that does not count, and why."""

    approve: str
    by: str | None = None
    reason: str
    message: str


class RolloutPolicyStatus(KubeModel):
    """The observed state of a RolloutPolicy; only the operator may write it."""

    observed_generation: int = 0
    sequence: int = Field(default=0, ge=0, description="How many rollouts have begun: part of each revision's name.")
    stable_revision: str | None = Field(default=None, description="Content that stable traffic runs on.")
    canary_revision: str | None = Field(default=None, description="The rollout under way.")
    weight: int = Field(
        default=0, ge=0, le=100, description="Percent of the requests that the candidate is to serve now."
    )
    targets: tuple[Target, ...] = Field(default=(), description="Objects whose stable form this policy has secured.")
    step: StepStatus | None = None
    rollout: RolloutStatus | None = None
    rejected: str | None = Field(
        default=None, description="Content that was withdrawn, and is not tried again by itself."
    )
    released: str | None = Field(
        default=None, description="The value of the annotation release that was used already; each counts once."
    )
    ignored_approval: IgnoredApproval | None = None
    verdicts: tuple[Verdict, ...] = ()
    history: tuple[HistoryEntry, ...] = Field(default=(), max_length=20, description="Newest first.")
    conditions: Conditions


HISTORY: Final = 10
"""Rollouts that status remembers."""
