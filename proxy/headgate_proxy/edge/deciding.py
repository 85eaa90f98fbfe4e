"""The stable pod's part of a rollout: which requests go to the canary, and who serves those that it does not take."""

from dataclasses import dataclass
from typing import Final

from headgate_api import names
from headgate_api.snapshot import Head
from headgate_proxy.callers.caller import Caller
from headgate_proxy.edge.drain import Drain
from headgate_proxy.edge.exchange import Exchange
from headgate_proxy.edge.passing import Passing, from_canary
from headgate_proxy.edge.paths import path_of
from headgate_proxy.refusal import ErrorType, Refusal
from headgate_proxy.routing.provider import Route
from headgate_proxy.routing.routing import Routing
from headgate_proxy.tracks.canary import CanaryClient, NotRelayed, Relayed
from headgate_proxy.tracks.counts import RolloutCounts
from headgate_proxy.tracks.decide import SERVED_ELSEWHERE, Decision, Track, TrackReason, decide
from headgate_proxy.tracks.governing import Governed, governing
from headgate_proxy.tracks.peers import Peers
from headgate_proxy.tracks.stickiness import sticky_key
from headgate_proxy.tracks.wire import HEADER_NOTES, HEADER_REFUSED, HEADER_TRACK_REASON, Notes

_GRACE_SECONDS: Final = 10.0
"""How much longer than the canary pod waits, so that it is the one to say what went wrong."""
_FIRST_BYTE_SECONDS: Final = 600.0
_IDLE_SECONDS: Final = 300.0
"""For requests that the candidate refuses itself: no provider's timeouts apply."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was read: what it asks for, and how stable would answer."""

    caller: Caller
    model: str
    wants: str
    hint: str | None
    body: bytes
    streaming: bool
    stable: Route | Refusal


class Deciding:
    """Decides about requests under the rollouts of a head, and relays the canary's share."""

    def __init__(self, canary: CanaryClient, counts: RolloutCounts, peers: Peers | None, drain: Drain) -> None:
        self._canary = canary
        self._counts = counts
        self._peers = peers
        self._drain = drain

    async def canary(
        self, exchange: Exchange, asked: Asked, routing: Routing, head: Head, *, confirmed: bool
    ) -> Passing | Refusal | None:
        """Return the canary's answer to a request that is the canary's, or None when stable is to answer it.

        A Refusal is for what stable cannot answer either: nobody outside the canary serves the model yet.
        """
        caller = asked.caller
        governed = governing(
            routing, head.rollouts, caller.namespace, asked.model, asked.wants, asked.hint, asked.stable
        )
        if governed is None:
            return None
        headers = exchange.request.headers
        if self._peers is not None and self._peers.sent(headers, routing.fleet):
            return _misdirected(exchange)
        decision = decide(
            governed.policy,
            governed.split,
            actor=caller.actor,
            asked=headers.get(names.HEADER_TRACK),
            sticky=lambda: sticky_key(governed.split.stickiness, headers, caller, asked.body),
            confirmed=confirmed,
        )
        exchange.trace.decided(decision)
        if decision.track is Track.STABLE:
            self._stable(exchange, asked, decision)
            return None
        try:
            return await self._relay(exchange, asked, governed, decision)
        except NotRelayed as why:
            return self._instead(exchange, asked, decision, why)

    async def _relay(self, exchange: Exchange, asked: Asked, governed: Governed, decision: Decision) -> Passing:
        request, trace, route = exchange.request, exchange.trace, governed.candidate
        if isinstance(route, Route):
            trace.routed(route, None, streaming=asked.streaming)
            timeouts = route.provider.spec.timeouts
            # Each auth mode has its own wait for a first byte, and one more where its credential was renewed.
            longest = timeouts.first_byte_seconds * 2 * len(route.provider.spec.auth.modes) + _GRACE_SECONDS
            idle = timeouts.idle_seconds + _GRACE_SECONDS
        else:
            longest, idle = _FIRST_BYTE_SECONDS, _IDLE_SECONDS
        exchange.tally = tally = self._counts.tally(decision, route.model if isinstance(route, Route) else None)
        lease = self._canary.take()
        relayed = Relayed(
            request.method,
            path_of(request.raw_path),
            request.headers.items(),
            asked.body,
            decision.rollout,
            exchange.request_id,
        )
        with trace.relaying(decision):
            response = await self._canary.send(
                lease,
                relayed,
                sampled=trace.sampled,
                traceparent=trace.traceparent,
                limit=self._drain.limit(longest),
            )
        tally.notes = Notes.read(response.headers.get(HEADER_NOTES))
        return from_canary(exchange, response, lease, idle)

    def _instead(self, exchange: Exchange, asked: Asked, decision: Decision, why: NotRelayed) -> Refusal | None:
        """Let stable serve what no canary pod took: a failure counts against the canary, a refusal does not."""
        if self._drain.cutting:
            exchange.tally = None
            return Refusal(503, ErrorType.OVERLOADED, "this proxy is stopping; send the request again")
        instead = decision.instead(why.reason)
        exchange.trace.not_relayed(instead)
        if why.failed and exchange.tally is not None:
            exchange.tally.lost(turned_away=why.reason is TrackReason.CANARY_REFUSED_CALLER)
        self._stable(exchange, asked, instead)
        if why.failed:
            exchange.tally = None
        if isinstance(asked.stable, Refusal):
            return Refusal(
                503,
                ErrorType.OVERLOADED,
                f"the canary that serves this does not take the request now ({why.reason}); send it again",
            )
        return None

    def _stable(self, exchange: Exchange, asked: Asked, decision: Decision) -> None:
        model = asked.stable.model if isinstance(asked.stable, Route) else None
        exchange.tally = self._counts.tally(decision, model)
        exchange.marks[names.HEADER_TRACK] = Track.STABLE
        if decision.reason in SERVED_ELSEWHERE:
            exchange.marks[HEADER_TRACK_REASON] = decision.reason


def _misdirected(exchange: Exchange) -> Refusal:
    """Return the answer to a relay: addresses are used again, and this pod must not relay to itself for ever."""
    exchange.marks[HEADER_REFUSED] = TrackReason.CANARY_UNAVAILABLE
    return Refusal(421, ErrorType.INVALID_REQUEST, "this pod takes no relays: it is not of the canary track")
