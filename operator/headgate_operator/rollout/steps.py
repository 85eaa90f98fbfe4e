"""What the present step waits for: a chain of gates, asked in order, of which the first that is closed names the wait."""

from datetime import datetime
from typing import Final

from headgate_api import names
from headgate_api.reasons import ConditionReason
from headgate_operator.credentials.plan import Note
from headgate_operator.rollout.analysing import missing, passed_here
from headgate_operator.rollout.approvals import enough, given, needed, recorded
from headgate_operator.rollout.exposure import BEFORE, canaries_for, exposed
from headgate_operator.rollout.look import Guard, Look, Move, after, existing
from headgate_operator.rollout.stages import advanced
from headgate_operator.rollout.waiting import Wait, listed, pause_of, waiting


def approving(look: Look) -> Move | None:
    """Approval: waits until enough people agreed. While the candidate could not serve, there is nothing to agree to."""
    if look.step.kind != "Approval":
        return None
    unfit = _unfit(look) if look.step.index == 0 and not enough(look) else None
    if unfit is not None:
        return Move(_until(waiting(look, unfit), look.rollout.deadline))
    ready = recorded(_asking(look))
    if not enough(ready):
        return Move(waiting(ready, _approval(ready)))
    if look.paused:
        return Move(_until(waiting(ready, pause_of(ready)), ready.rollout.deadline))
    return Move(advanced(ready))


def reaching(look: Look) -> Move | None:
    """Audience and weight, before: the candidate must be fit, the canary free and large enough, and nobody holds it back."""
    spec = look.step_spec
    if spec is None or not _before(look):
        return None
    weight = spec.weight or 0
    wait = _unfit(look) or _lane(look) or _capacity(look, weight)
    if wait is not None:
        return Move(waiting(look, wait))
    if look.paused:
        # The reason stays one of those before exposure: what is paused here is not seen by anybody yet.
        pause = pause_of(look)
        return Move(waiting(look, Wait(ConditionReason.WAITING_FOR_CAPACITY, pause.message, pause.next_action)))
    return Move(waiting(_taken_up(look, weight), _PUBLISHING))


def delivering(look: Look) -> Move | None:
    """Audience and weight, reached: every proxy must have taken it up."""
    if look.step_spec is None or look.step.delivered is not None:
        return None
    if not look.seen.delivery.published:
        return Move(waiting(look, _PUBLISHING))
    if look.seen.delivery.waiting:
        names_ = listed(look.seen.delivery.waiting)
        return Move(
            waiting(
                look,
                Wait(
                    ConditionReason.WAITING_FOR_PROXIES,
                    f"proxies that have not confirmed the step yet: {names_}",
                    "each confirms within seconds; one that stays silent no longer counts once its weight has lapsed",
                ),
            )
        )
    return None


def holding(look: Look) -> Move | None:
    """Audience and weight, delivered: it lasts as long as the policy wants."""
    spec = look.step_spec
    if spec is None:
        return None
    begun = look.step.delivered or look.now
    kept = look.set(step=look.step.model_copy(update={"delivered": begun}))
    end = after(begun, spec.hold)
    if look.now < end:
        after_that = "the verdicts decide" if _judged(look) else "the next step begins"
        wait = Wait(
            ConditionReason.HOLDING, f"holds for {spec.hold}, until {end:%Y-%m-%d %H:%M:%S} UTC", f"then {after_that}"
        )
        return Move(waiting(kept, pause_of(look) if look.paused else wait))
    if look.paused:
        return Move(waiting(kept, pause_of(look)))
    return _decided(kept)


def _decided(look: Look) -> Move:
    if not _judged(look) or passed_here(look):
        return Move(advanced(look))
    lack = missing(look)
    if lack is None and look.seen.windows is None:
        lack = "the proxies have reported no counts of this step yet"
    if lack is not None:
        action = "the step goes on once enough requests were seen; send some, or abort"
        return Move(
            waiting(look, Wait(ConditionReason.INSUFFICIENT_DATA, f"too little data for a verdict: {lack}", action))
        )
    analysis = look.running.analysis
    limit = analysis.consecutive_failures if analysis is not None else 0
    so_far = (
        f"{look.rollout.failures} of {limit} failing verdicts in a row" if look.rollout.failures else "a verdict is due"
    )
    return Move(waiting(look, Wait(ConditionReason.ANALYSING, so_far, "the next step begins once all verdicts pass")))


STEPS: Final[tuple[Guard, ...]] = (approving, reaching, delivering, holding)

_PUBLISHING: Final = Wait(
    ConditionReason.WAITING_FOR_PROXIES,
    "the new split is being handed to the proxies",
    "each proxy confirms within seconds",
)


def _until(look: Look, deadline: datetime) -> Look:
    return look.set(step=look.step.model_copy(update={"deadline": deadline}))


def _before(look: Look) -> bool:
    spec = look.step_spec
    behind = spec is not None and spec.weight is not None and look.status.weight < spec.weight
    return behind or look.step.reason in BEFORE


def _taken_up(look: Look, weight: int) -> Look:
    """Put the step in effect: the only place where status.weight rises."""
    if not weight:
        return look
    told = f"{look.rollout.revision}: weight {look.status.weight} % → {weight} %"
    rollout = look.rollout.model_copy(update={"judged": None})
    return look.set(weight=weight, verdicts=(), rollout=rollout).told(
        Note("Normal", ConditionReason.WEIGHT_CHANGED, "ChangeWeight", told)
    )


def _unfit(look: Look) -> Wait | None:
    """Return why the candidate could not serve."""
    for seen in existing(look.seen.targets):
        if seen.problem is not None:
            message = f"{seen.target.label} could not serve as its spec asks: {seen.problem}"
            return Wait(
                ConditionReason.CANDIDATE_NOT_READY, message, f"mend {seen.target.label}, revert its spec, or abort"
            )
        if seen.live is None:
            message = f"{seen.target.label} is being looked at: its status is older than its spec"
            return Wait(ConditionReason.TARGET_NOT_SETTLED, message, "the operator catches up by itself")
    return None


def _lane(look: Look) -> Wait | None:
    lane = look.seen.capacity.lane
    if lane is None or exposed(look.status, look.running):
        return None
    return Wait(
        ConditionReason.CANARY_LANE_BUSY,
        f"RolloutPolicy {lane} has the canary: an image has it to itself",
        f"waits for the rollout of {lane} to end; approve or abort it",
    )


def _capacity(look: Look, weight: int) -> Wait | None:
    ready, wanted = look.seen.capacity.canary_ready, canaries_for(weight, look.seen.capacity.stable_ready)
    if ready >= wanted:
        return None
    purpose = f"carry {weight} %" if weight else "serve the audience"
    return Wait(
        ConditionReason.WAITING_FOR_CAPACITY,
        f"{ready} of {wanted} canary pods that are to {purpose} are ready",
        f"canary pods start; see kubectl get pods -l {names.LABEL_TRACK}=canary in the operator's namespace",
    )


def _asking(look: Look) -> Look:
    """Return the look with the time for an approval counted from when there is something to approve."""
    if look.step.reason == ConditionReason.AWAITING_APPROVAL:
        return look
    if look.step.reason not in BEFORE:
        return look
    deadline = min(look.rollout.deadline, after(look.now, look.running.approval.expires_after))
    return look.set(
        step=look.step.model_copy(
            update={"reason": ConditionReason.AWAITING_APPROVAL.value, "since": look.now, "deadline": deadline}
        )
    )


def _approval(look: Look) -> Wait:
    spec, rollout, step = look.step_spec, look.rollout, look.step
    name, namespace = look.seen.policy.metadata.name, look.seen.policy.metadata.namespace
    have, need = given(rollout, step.index), needed(rollout, look.running)
    count = f"{len(have)} of {need} approvals" if need > 1 else "a person's approval"
    by = f" (so far: {', '.join(record.by for record in have)})" if have else ""
    why = "; the author is unknown or a ServiceAccount, so two people must approve" if need > 1 else ""
    what = f": {spec.approval.description}" if spec is not None and spec.approval and spec.approval.description else ""
    return Wait(
        ConditionReason.AWAITING_APPROVAL,
        f"awaits {count} of {rollout.revision}/{step.index}{by}{what}{why}",
        f"kubectl headgate approve {name} -n {namespace} (sets {names.ANNOTATION_APPROVE}: {rollout.revision}/{step.index}), "
        "or abort",
    )


def _judged(look: Look) -> bool:
    """Tell whether verdicts must pass before this step ends."""
    spec = look.step_spec
    return spec is not None and spec.weight is not None and spec.analysis and look.running.analysis is not None
