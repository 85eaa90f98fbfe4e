"""Who leads: a coordination.k8s.io Lease, decided by a pure function over what was observed and when.

Like client-go: 15 s lease, 10 s to renew, 2 s between tries. Clocks of two machines are never compared: a candidate
waits until a record has stood unchanged for a whole lease on its own monotonic clock. (kubernetes.aio's own election
keeps its record in an annotation, compares wall clocks and neither awaits what it cancels nor releases the lock.)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

LEASE_NAME: Final = "headgate-operator"
LEASE_SECONDS: Final = 15.0
RENEW_SECONDS: Final = 10.0
RETRY_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Term:
    """The content of the Lease: who holds it since when (RFC 3339 text), and how often it changed hands."""

    holder: str = ""
    acquired: str = ""
    renewed: str = ""
    transitions: int = 0
    seconds: float = LEASE_SECONDS

    @classmethod
    def of(cls, lease: Mapping[str, Any]) -> "Term":
        """Read a Lease object."""
        spec = lease.get("spec") or {}
        return cls(
            holder=spec.get("holderIdentity") or "",
            acquired=spec.get("acquireTime") or "",
            renewed=spec.get("renewTime") or "",
            transitions=spec.get("leaseTransitions") or 0,
            seconds=float(spec.get("leaseDurationSeconds") or LEASE_SECONDS),
        )

    def to_spec(self) -> dict[str, Any]:
        """Return the Lease's ``spec``."""
        spec: dict[str, Any] = {
            "holderIdentity": self.holder,
            "leaseDurationSeconds": int(self.seconds),
            "leaseTransitions": self.transitions,
        }
        if self.acquired:
            spec |= {"acquireTime": self.acquired, "renewTime": self.renewed}
        return spec


@dataclass(frozen=True, slots=True)
class Sighting:
    """A term as this process saw it, and when (monotonic seconds) it first saw exactly that."""

    term: Term
    since: float


class Move(StrEnum):
    """What to do about the Lease now."""

    TAKE = "Take"
    RENEW = "Renew"
    WAIT = "Wait"


def sight(before: Sighting | None, term: Term, now: float) -> Sighting:
    """Return the sighting of ``term``: its time starts anew whenever the record changed at all."""
    return before if before is not None and before.term == term else Sighting(term, now)


def decide(seen: Sighting | None, me: str, now: float) -> Move:
    """Return the move of candidate ``me``; ``seen`` None means that there is no Lease yet."""
    if seen is None or not seen.term.holder:
        return Move.TAKE
    if seen.term.holder == me:
        return Move.RENEW
    return Move.TAKE if now - seen.since >= seen.term.seconds else Move.WAIT


def next_term(before: Term | None, me: str, now: datetime) -> Term:
    """Return the term to write when ``me`` takes or renews the Lease."""
    stamp = micro_time(now)
    if before is not None and before.holder == me:
        return Term(me, before.acquired or stamp, stamp, before.transitions)
    return Term(me, stamp, stamp, 0 if before is None else before.transitions + 1)


def released(term: Term) -> Term:
    """Return the term to write on a clean stop, which lets a candidate take over at once."""
    return Term("", "", "", term.transitions, 1)


def micro_time(moment: datetime) -> str:
    """Return RFC 3339 with microseconds, as Kubernetes' MicroTime is written."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
