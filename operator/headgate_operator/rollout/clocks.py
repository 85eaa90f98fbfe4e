"""What to do about a clock that was set back: no time in status may be later than the wait that began at it allows.

Otherwise an hour in which the clock was a year ahead would leave holds and deadlines that nobody lives to see.
"""

from headgate_operator.rollout.look import Look, after


def corrected(look: Look) -> Look:
    """Return the look with times that lie ahead of the clock brought back to what is possible now."""
    if look.status.rollout is None or look.status.step is None or look.seen.running is None:
        return look
    rollout, step, now = look.rollout, look.step, look.now
    deadline = min(rollout.deadline, after(now, look.running.deadline))
    return look.set(
        rollout=rollout.model_copy(update={"started": min(rollout.started, now), "deadline": deadline}),
        step=step.model_copy(
            update={
                "since": min(step.since, now),
                "delivered": None if step.delivered is None else min(step.delivered, now),
                "deadline": min(step.deadline, deadline),
            }
        ),
    )
