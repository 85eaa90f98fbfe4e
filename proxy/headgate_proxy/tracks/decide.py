"""On which track a governed request goes, and why: pure, so that the promise of the split can be tested as such.

Testers reach the canary at any weight, unless they ask for stable; what anybody else asks for is not looked at. A weight that
the control plane has not confirmed for too long counts as 0, and its audience as empty.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from headgate_api.snapshot import Split
from headgate_proxy.tracks.governing import rollout_name
from headgate_proxy.tracks.split import in_canary
from headgate_proxy.tracks.stickiness import Source, Sticky


class Track(StrEnum):
    """The two tracks."""

    STABLE = "stable"
    CANARY = "canary"


class TrackReason(StrEnum):
    """Why a request goes on its track: the same words in header, span, metric and log."""

    WEIGHT = "Weight"
    AUDIENCE = "Audience"
    ASKED_FOR_STABLE = "AskedForStable"
    WEIGHT_UNCONFIRMED = "WeightUnconfirmed"
    """It belongs to the canary, but the control plane has not confirmed the weight for too long."""
    CANARY_UNAVAILABLE = "CanaryUnavailable"
    """It belongs to the canary, but no canary pod is there that could take it."""
    CANARY_FAILED = "CanaryFailed"
    """The canary pod was not reached, or broke off before its first byte."""
    CANARY_REFUSED_CALLER = "CanaryRefusedCaller"
    """The canary pod turned away a caller that this pod had let in."""
    CANARY_OVERLOADED = "CanaryOverloaded"
    CANARY_DRAINING = "CanaryDraining"
    REVISION_WITHDRAWN = "RevisionWithdrawn"
    """The canary pod knows that this rollout has ended, or not yet that it has begun."""
    RELAY_NOT_TRUSTED = "RelayNotTrusted"
    """The canary pod did not accept this pod's own token."""


SERVED_ELSEWHERE = frozenset(
    {
        TrackReason.WEIGHT_UNCONFIRMED,
        TrackReason.CANARY_UNAVAILABLE,
        TrackReason.CANARY_FAILED,
        TrackReason.CANARY_REFUSED_CALLER,
        TrackReason.CANARY_OVERLOADED,
        TrackReason.CANARY_DRAINING,
        TrackReason.REVISION_WITHDRAWN,
        TrackReason.RELAY_NOT_TRUSTED,
    }
)
"""Reasons for which stable serves what belongs to the canary: the client is told."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The track of one request. ``source``: where its sticky key came from; None where none was looked at."""

    policy: str
    split: Split
    track: Track
    reason: TrackReason
    source: Source | None = None

    @property
    def rollout(self) -> str:
        """Return ``<policy>@<revision>``."""
        return rollout_name(self.policy, self.split)

    def instead(self, reason: TrackReason) -> "Decision":
        """Return the decision for stable that takes this one's place."""
        return replace(self, track=Track.STABLE, reason=reason)


def decide(
    policy: str, split: Split, *, actor: str, asked: str | None, sticky: Callable[[], Sticky], confirmed: bool
) -> Decision:
    """Return the track of a request.

    ``actor`` is the caller's user name, ``asked`` the track they ask for (``x-headgate-track``); ``sticky`` is called only when
    the weight decides. ``confirmed``: whether weights may be believed now.
    """
    source: Source | None = None
    if actor in split.testers:
        if asked is not None and asked.strip().lower() == Track.STABLE:
            return Decision(policy, split, Track.STABLE, TrackReason.ASKED_FOR_STABLE)
        canary, reason = True, TrackReason.AUDIENCE
    elif split.weight == 0:
        return Decision(policy, split, Track.STABLE, TrackReason.WEIGHT)
    else:
        key = sticky()
        source, canary, reason = key.source, in_canary(split.salt, key.value, split.weight), TrackReason.WEIGHT
    decision = Decision(policy, split, Track.CANARY if canary else Track.STABLE, reason, source)
    return decision if confirmed or not canary else decision.instead(TrackReason.WEIGHT_UNCONFIRMED)
