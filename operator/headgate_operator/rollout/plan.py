"""What the engine asks for after one look; each part is safe to repeat, and writing status is what commits it."""

from dataclasses import dataclass

from headgate_api.resources.rolloutspec import Target
from headgate_api.resources.rolloutstatus import RolloutPolicyStatus
from headgate_operator.credentials.plan import Note


@dataclass(frozen=True, slots=True)
class Promotion:
    """Make this content revision of a target what stable traffic runs on, if it is not already."""

    target: Target
    revision: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Carry out ``adopt``, then ``promote``, write ``status``, then tell ``notes``.

    ``adopt``: targets whose stable form is to be secured as a ControllerRevision. ``requeue``: seconds until the next look;
    None: on the next event. ``release``: the policy may go, remove its finalizer.
    """

    status: RolloutPolicyStatus
    adopt: tuple[Target, ...] = ()
    promote: tuple[Promotion, ...] = ()
    notes: tuple[Note, ...] = ()
    requeue: float | None = None
    release: bool = False
