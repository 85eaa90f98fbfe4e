"""The canary pod's door: only its own fleet's stable pods come in, and only for a rollout that its own head carries now.

Judged by headers alone, before a body is read, and once more after that, since a body can take longer than a rollback.
"""

from dataclasses import dataclass

from headgate_api import names
from headgate_api.snapshot import FleetSettings, Head, Split
from headgate_proxy.refusal import ErrorType, Refusal
from headgate_proxy.tracks.decide import TrackReason
from headgate_proxy.tracks.peers import Peers
from headgate_proxy.tracks.wire import Headers


@dataclass(frozen=True, slots=True)
class Admitted:
    """The rollout that a relayed request is for."""

    policy: str
    split: Split
    rollout: str


@dataclass(frozen=True, slots=True)
class Turned:
    """A request that is not served here; ``reason`` is for the stable pod, None where there is none behind it."""

    refusal: Refusal
    reason: TrackReason | None


class Admission:
    """Judges the requests of one canary pod."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    def admit(
        self, headers: Headers, fleet: FleetSettings | None, head: Head | None, *, confirmed: bool
    ) -> Admitted | Turned:
        """Return the rollout that a request is for; ``confirmed``: whether the head may be believed now."""
        rollouts, tokens = headers.getall(names.HEADER_RELAY, ()), headers.getall(names.HEADER_RELAY_TOKEN, ())
        if not rollouts and not tokens:
            return Turned(
                Refusal(
                    403,
                    ErrorType.PERMISSION,
                    "this pod serves only what the fleet's other pods relay to it; send requests to the fleet's Service",
                    retry=False,
                ),
                None,
            )
        if fleet is None or head is None:
            return Turned(_not_here("this proxy has no configuration yet"), TrackReason.CANARY_UNAVAILABLE)
        if len(rollouts) != 1 or not self._peers.sent(headers, fleet):
            return Turned(
                Refusal(
                    401,
                    ErrorType.AUTHENTICATION,
                    "the relay is not one of this fleet: its token must be of the fleet's own ServiceAccount and of audience "
                    f"{names.AUDIENCE_RELAY}",
                    retry=False,
                ),
                TrackReason.RELAY_NOT_TRUSTED,
            )
        return self.carried(rollouts[0], head, confirmed=confirmed)

    def carried(self, rollout: str, head: Head | None, *, confirmed: bool) -> Admitted | Turned:
        """Return the rollout if the head carries exactly this one and may be believed."""
        policy, _, revision = rollout.rpartition("@")
        split = head.rollouts.get(policy) if head is not None else None
        if split is None or split.revision != revision:
            return Turned(_not_here("this rollout is not under way here"), TrackReason.REVISION_WITHDRAWN)
        if not confirmed:
            return Turned(
                _not_here("nobody has confirmed for too long that this rollout is under way"),
                TrackReason.WEIGHT_UNCONFIRMED,
            )
        return Admitted(policy, split, rollout)


def _not_here(why: str) -> Refusal:
    return Refusal(503, ErrorType.OVERLOADED, f"{why}; send the request again")
