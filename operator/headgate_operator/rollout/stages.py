"""Going from one step to the next: the one place where a step's number rises, always by one and never past its gate."""

from typing import Final, Literal

from headgate_api.reasons import ConditionReason
from headgate_api.resources.rolloutspec import RolloutPolicySpec
from headgate_api.resources.rolloutstatus import StepStatus
from headgate_operator.credentials.plan import Note
from headgate_operator.rollout.look import Look, after

_FIRST_REASON: Final = {
    "Audience": ConditionReason.WAITING_FOR_CAPACITY,
    "Weight": ConditionReason.WAITING_FOR_CAPACITY,
    "Approval": ConditionReason.AWAITING_APPROVAL,
    "Promoting": ConditionReason.PROMOTING,
}


def begun(look: Look, running: RolloutPolicySpec, index: int) -> Look:
    """Return the look with step ``index`` begun, not yet reached; an index equal to the number of steps is promoting."""
    spec = running.steps[index] if index < len(running.steps) else None
    kind: Literal["Audience", "Approval", "Weight", "Promoting"] = "Promoting" if spec is None else spec.kind
    deadline = look.rollout.deadline
    if kind == "Approval":
        deadline = min(deadline, after(look.now, running.approval.expires_after))
    step = StepStatus(
        index=index,
        kind=kind,
        reason=_FIRST_REASON[kind],
        message=f"step {index} ({kind}) begins",
        since=look.now,
        deadline=deadline,
        next_action="the operator looks at what the step needs",
    )
    told = f"{look.rollout.revision}: step {index} of {len(running.steps)} begins: {kind}"
    if spec is not None and spec.weight is not None:
        told += f" {spec.weight} %"
    return look.set(step=step).told(Note("Normal", ConditionReason.STEP_BEGUN, "BeginStep", told))


def advanced(look: Look) -> Look:
    """Return the look with the next step begun: what the present one waited for has come to pass."""
    return begun(look, look.running, look.step.index + 1)
