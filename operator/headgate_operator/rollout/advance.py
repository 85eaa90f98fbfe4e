"""What a RolloutPolicy does next: one look at the world in, one plan out, by chains of small decisions.

The chains are data: ``idle.IDLE`` while no rollout is under way, ``withdrawing.ENDINGS`` and then ``steps.STEPS`` while one
is. The first decision that has something to say is the plan, so reading a chain from the top is reading what goes first.
"""

from datetime import datetime

from headgate_api.resources.base import merge_conditions
from headgate_operator.rollout.analysing import analysed, held
from headgate_operator.rollout.approvals import judged
from headgate_operator.rollout.clocks import corrected
from headgate_operator.rollout.conditions import conditions
from headgate_operator.rollout.idle import IDLE, forgetting, remembering_release
from headgate_operator.rollout.look import Look, Move, first_of
from headgate_operator.rollout.observed import Observed
from headgate_operator.rollout.plan import Plan
from headgate_operator.rollout.promoting import promote
from headgate_operator.rollout.requeue import requeue
from headgate_operator.rollout.steps import STEPS
from headgate_operator.rollout.wayback import restated
from headgate_operator.rollout.withdrawing import ENDINGS


def advance(seen: Observed, now: datetime) -> Plan:
    """Return what to do now, and the status that says so. Pure; each call moves a rollout by at most one step."""
    before = remembering_release(restated(corrected(Look(seen, now, seen.policy.status))))
    move = _idle(before) if before.status.rollout is None or before.status.step is None else _running(before)
    return _concluded(before, move)


def _idle(look: Look) -> Move:
    return first_of(IDLE, forgetting(look))


def _running(look: Look) -> Move:
    return first_of((*ENDINGS, promote, *STEPS), held(analysed(look)))


def _concluded(before: Look, move: Move) -> Plan:
    look = judged(before, move.look)
    generation = before.seen.policy.metadata.generation
    written = merge_conditions(before.status.conditions, conditions(look), generation=generation, now=before.now)
    status = look.status.model_copy(update={"observed_generation": generation, "conditions": written})
    return Plan(
        status=status,
        adopt=move.adopt,
        promote=move.promote,
        notes=look.notes,
        requeue=requeue(before, move),
        release=move.release,
    )
