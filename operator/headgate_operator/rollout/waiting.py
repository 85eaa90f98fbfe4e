"""How a wait is told: why, what exactly is missing, until when, and what happens or can be done next."""

from dataclasses import dataclass

from headgate_api import names
from headgate_api.reasons import ConditionReason
from headgate_operator.rollout.look import Look


@dataclass(frozen=True, slots=True)
class Wait:
    """Why a step goes no further now. ``next_action``: what ends the wait."""

    reason: ConditionReason
    message: str
    next_action: str


def waiting(look: Look, wait: Wait) -> Look:
    """Return the look with the step waiting for this."""
    told = {"reason": wait.reason.value, "message": wait.message, "next_action": wait.next_action}
    return look.set(step=look.step.model_copy(update=told))


def pause_of(look: Look) -> Wait:
    """Return why a paused rollout waits."""
    name, namespace = look.seen.policy.metadata.name, look.seen.policy.metadata.namespace
    if look.rollout.held_by_failure:
        return Wait(
            ConditionReason.PAUSED_ON_FAILURE,
            "analysis found harm, and spec.onFailure is Pause; the weight stays as it is",
            f"look at status.verdicts; to withdraw the candidate: kubectl headgate abort {name} -n {namespace}; to go on in "
            f"spite of them: set the annotation {names.ANNOTATION_PAUSE}, wait until condition Paused has reason Paused, and "
            "remove it",
        )
    return Wait(
        ConditionReason.PAUSED,
        f"the annotation {names.ANNOTATION_PAUSE} keeps the rollout where it is",
        f"kubectl headgate resume {name} -n {namespace} (removes the annotation), or abort",
    )


def listed(pods: tuple[str, ...]) -> str:
    """Return the first few names."""
    more = f" and {len(pods) - 5} more" if len(pods) > 5 else ""
    return ", ".join(pods[:5]) + more
