"""What a pure plan may ask for: one step at a time, each safe to repeat, so that a crash between two costs nothing.

After every step the world is observed again and planned anew. Nothing is remembered between steps, which is why two
operators at once, a lost answer and a SIGKILL all come to the same end.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

from headgate_api.reasons import ConditionReason, ConditionType
from headgate_api.resources.base import Condition, Observation, SecretKeyRef
from headgate_api.vault import AccessRecord, APIKeyRecord, ForgottenGrant

FIRST_RETRY_SECONDS: Final = 2.0
LONGEST_RETRY_SECONDS: Final = 30.0
RECHECK_SECONDS: Final = 60.0
"""How often an imported Secret is looked at again: the operator may get Secrets, not watch them."""


@dataclass(frozen=True, slots=True)
class AddFinalizer:
    """Hold the object until its records have been dealt with."""


@dataclass(frozen=True, slots=True)
class RemoveFinalizer:
    """Let the object go."""


@dataclass(frozen=True, slots=True)
class WriteRecord:
    """Write a record by check-and-set."""

    path: str
    record: APIKeyRecord | AccessRecord | ForgottenGrant
    cas: int


@dataclass(frozen=True, slots=True)
class DeleteRecords:
    """Delete records with all their versions, in this order."""

    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DestroyGrant:
    """Destroy the versions of an access record that are of this grant: proxies cannot read it any more."""

    path: str
    grant_id: str


@dataclass(frozen=True, slots=True)
class Purge:
    """Destroy all older versions of a record, then write it by check-and-set."""

    path: str
    record: ForgottenGrant
    cas: int


@dataclass(frozen=True, slots=True)
class EmptySecret:
    """Remove one key of a Secret, if the Secret is still the one that was read."""

    ref: SecretKeyRef
    resource_version: str


Action: TypeAlias = AddFinalizer | RemoveFinalizer | WriteRecord | DeleteRecords | DestroyGrant | Purge | EmptySecret


@dataclass(frozen=True, slots=True)
class Note:
    """An Event about the object."""

    type: Literal["Normal", "Warning"]
    reason: str
    action: str
    """What was done or observed, in one CamelCase word: of the same one, only a change of reason is told."""
    message: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Write ``status`` (None: it stands already), then do ``action`` and look again; with no action left, wait.

    ``notes`` are told after that was done. ``requeue`` is the seconds until the next look; None: on the next event.
    """

    action: Action | None = None
    notes: tuple[Note, ...] = ()
    status: Mapping[str, Any] | None = None
    requeue: float | None = None


def retry_in(conditions: Iterable[Condition], type_: ConditionType, now: datetime) -> float:
    """Return when to look again for something missing: after as long as it has been missing, from 2 s up to 30 s.

    Where the condition is True all the same (another mode serves), nobody waits: the longest wait will do.
    """
    found = next((c for c in conditions if c.type == type_), None)
    if found is None:
        return FIRST_RETRY_SECONDS
    if found.status == "True":
        return LONGEST_RETRY_SECONDS
    return min(LONGEST_RETRY_SECONDS, max(FIRST_RETRY_SECONDS, (now - found.last_transition_time).total_seconds()))


def soonest(*seconds: float | None) -> float | None:
    """Return the smallest of the given waits; None counts as never."""
    return min((s for s in seconds if s is not None), default=None)


_REFUSED: Final = (ConditionReason.SECRET_INVALID, ConditionReason.SECRET_FORBIDDEN)


def notes_on_change(
    before: Iterable[Condition], observed: Iterable[Observation], good: Mapping[ConditionType, bool]
) -> tuple[Note, ...]:
    """Return one Event for each condition in ``good`` whose status or reason changed; Normal when its status is the good one.

    What is good from the start is no news. New content that was refused is a warning even while the old one serves.
    """
    known = {c.type: (c.status, c.reason) for c in before}
    told = []
    for item in observed:
        if item.type not in good:
            continue
        status = "Unknown" if item.status is None else str(item.status)
        fine = item.status is good[item.type] and item.reason not in _REFUSED
        if item.type not in known and fine:
            continue
        if known.get(item.type) != (status, str(item.reason)):
            kind: Literal["Normal", "Warning"] = "Normal" if fine else "Warning"
            told.append(Note(kind, str(item.reason), item.type.value, item.message))
    return tuple(told)
