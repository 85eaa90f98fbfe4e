"""Answers one request: path, caller, body, route and track, then the upstream's response or a refusal that helps."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aiohttp import web
from multidict import CIMultiDictProxy

from headgate_api import names
from headgate_api.clock import Clock
from headgate_api.snapshot import Split
from headgate_proxy.callers.authenticator import Authenticator
from headgate_proxy.callers.caller import Caller
from headgate_proxy.credentials.refreshing import NoRefreshes
from headgate_proxy.edge.attempts import Attempts, Surroundings
from headgate_proxy.edge.body import BodyLimits, Share, read_body
from headgate_proxy.edge.deciding import Asked, Deciding
from headgate_proxy.edge.exchange import LEFT_EARLY, Exchange, new_request_id
from headgate_proxy.edge.passing import Passing, from_upstream
from headgate_proxy.edge.paths import LISTED, SERVED, UNKNOWN, Served, anthropic, dialect_at, served_at, spoken
from headgate_proxy.edge.ports import Credentials, Live, Refreshes, Telemetry
from headgate_proxy.edge.relay import Relay
from headgate_proxy.protocols.dialect import Dialect
from headgate_proxy.protocols.operation import Operation
from headgate_proxy.refusal import ErrorType, Refusal, shown
from headgate_proxy.routing.routing import HEADER_HINT, Routing
from headgate_proxy.selection.verdicts import Verdicts
from headgate_proxy.tracks.admission import Admission, Admitted, Turned
from headgate_proxy.tracks.canary import CanaryClient
from headgate_proxy.tracks.counts import RolloutCounts
from headgate_proxy.tracks.decide import Track, TrackReason
from headgate_proxy.tracks.governing import seen, under, visible
from headgate_proxy.tracks.peers import Peers
from headgate_proxy.tracks.wire import HEADER_NOTES, HEADER_REFUSED, relayed_id
from headgate_proxy.upstream.call import Call
from headgate_proxy.upstream.fitting import unfit
from headgate_proxy.upstream.target import Place, values_of

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tracks:
    """This pod's part in rollouts: a stable pod decides (``canary``, ``counts`` and ``peers``), a canary pod admits."""

    canary: CanaryClient | None = None
    counts: RolloutCounts | None = None
    admission: Admission | None = None
    peers: Peers | None = None


NO_TRACKS: Final = Tracks()
NO_REFRESHES: Final = NoRefreshes()


@dataclass(frozen=True, slots=True)
class Ports:
    """The surroundings of the request path."""

    live: Live
    credentials: Credentials
    verdicts: Verdicts
    telemetry: Telemetry
    clock: Clock
    tracks: Tracks = NO_TRACKS
    refreshes: Refreshes = NO_REFRESHES


class Handler:
    """The handler of aiohttp's low-level server."""

    def __init__(self, ports: Ports, around: Surroundings, bodies: BodyLimits) -> None:
        self._ports = ports
        self._around = around
        self._bodies = bodies
        self._authenticator = Authenticator(ports.clock)
        canary, counts, peers = ports.tracks.canary, ports.tracks.counts, ports.tracks.peers
        self._deciding = None if canary is None or counts is None else Deciding(canary, counts, peers, around.drain)
        self._admission = ports.tracks.admission

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request; its trace is finished however this ends."""
        path, _, query = request.raw_path.partition("?")
        served = SERVED.get(path) or served_at(path)
        if served is not None:
            served = spoken(served, request.headers)
        request_id = new_request_id()
        trace = self._ports.telemetry.begin(
            request.headers,
            request_id=request_id,
            method=request.method,
            path=UNKNOWN if served is None else served.label,
        )
        exchange = Exchange(
            request, request_id, trace, dialect_at(path, request.headers) if served is None else served.dialect
        )
        with self._around.drain.request():
            try:
                response = await self._answer(exchange, served, query)
            except (asyncio.CancelledError, ConnectionError):
                raise  # the client left: the exchange's outcome says so already
            except Exception:
                _log.exception("request failed by a defect of the proxy", extra={"request_id": exchange.request_id})
                if exchange.outcome is not LEFT_EARLY:  # the response had begun
                    raise
                response = exchange.refuse(
                    Refusal(500, ErrorType.API, "the proxy failed to handle this request; its log has the request id")
                )
            finally:
                trace.finished(exchange.outcome)
                if exchange.tally is not None:
                    exchange.tally.ended(exchange.outcome)
        if self._around.drain.draining and not response.prepared:
            response.force_close()
        return response

    async def _answer(self, exchange: Exchange, served: Served | None, query: str) -> web.StreamResponse:
        request, routing = exchange.request, self._ports.live.routing
        if served is None:
            asked = f"{request.method} {shown(request.raw_path.partition('?')[0])}"
            return exchange.refuse(
                Refusal(404, ErrorType.NOT_FOUND, f"{asked} is not served here; Headgate serves {LISTED}")
            )
        if request.method != served.method:
            refusal = Refusal(405, ErrorType.INVALID_REQUEST, f"{served.label} takes {served.method} only")
            return exchange.refuse(refusal, headers={"Allow": served.method})
        if self._admission is not None and (turned := self._turned(exchange, self._admission)) is not None:
            return turned
        if routing is None:
            return exchange.refuse(
                Refusal(503, ErrorType.OVERLOADED, "this proxy has no configuration yet; send the request again")
            )
        caller = self._authenticator.authenticate(
            request.headers, routing.fleet, _own_credentials(served.dialect, request.headers, query)
        )
        if isinstance(caller, Refusal):
            return exchange.refuse(caller)
        exchange.trace.authenticated(caller)
        if served.operation is None:
            return self._models(exchange, routing, caller, served)
        with self._bodies.share() as share:  # until an answer begins: only then is the body not needed any more
            asked_for = await self._ask(exchange, routing, caller, served, served.operation, query, share)
        if isinstance(asked_for, web.StreamResponse):
            return asked_for
        return await Relay(exchange, asked_for, self._around.drain, share.held).run()

    def _turned(self, exchange: Exchange, admission: Admission) -> web.Response | None:
        """Return the answer to a request that this canary pod does not take, or None when it does."""
        live, routing = self._ports.live, self._ports.live.routing
        fleet = None if routing is None else routing.fleet
        found = admission.admit(exchange.request.headers, fleet, live.head, confirmed=live.confirmed)
        if isinstance(found, Admitted) and self._around.drain.draining:
            found = Turned(
                Refusal(503, ErrorType.OVERLOADED, "this proxy is stopping; send the request again"),
                TrackReason.CANARY_DRAINING,
            )
        if isinstance(found, Turned):
            return _turn(exchange, found)
        exchange.admitted = found
        exchange.request_id = relayed_id(exchange.request.headers) or exchange.request_id
        exchange.marks = {names.HEADER_TRACK: Track.CANARY, names.HEADER_ROLLOUT: found.rollout}
        exchange.trace.admitted(found.policy, found.split.revision, exchange.request_id)
        return None

    def _shown(self, exchange: Exchange) -> Mapping[str, Split]:
        """Return the rollouts that may show in what a caller is told of models: none to who asks for stable."""
        live = self._ports.live
        head = live.head
        if self._deciding is None or head is None or not head.rollouts or not live.confirmed:
            return {}
        if exchange.request.headers.get(names.HEADER_TRACK, "").strip().lower() == Track.STABLE:
            return {}
        return head.rollouts

    def _models(self, exchange: Exchange, routing: Routing, caller: Caller, served: Served) -> web.Response:
        """Answer about models; a tester also sees those that only candidates serve.

        To a client that does not tell whose client it is, OpenAI's models are shown, or Anthropic's where there are none of those.
        """
        rollouts = self._shown(exchange)
        if served.shared and not visible(routing, rollouts, caller.namespace, caller.actor, served.wants):
            served = anthropic(served)
        exchange.dialect = dialect = served.dialect
        if served.model is None:
            found = visible(routing, rollouts, caller.namespace, caller.actor, served.wants)
            return exchange.answer(dialect.model_list(found))
        route = seen(routing, rollouts, caller.namespace, caller.actor, served.model, served.wants)
        if isinstance(route, Refusal):
            return exchange.refuse(route)
        return exchange.answer(dialect.model_info(route.model.name))

    async def _ask(
        self,
        exchange: Exchange,
        routing: Routing,
        caller: Caller,
        served: Served,
        operation: Operation,
        query: str,
        share: Share,
    ) -> Passing | web.Response:
        """Read the request and find who answers it. The body is this method's own: it must not outlive it."""
        headers, limit = exchange.request.headers, routing.fleet.limits.max_request_bytes
        drain, dialect = self._around.drain, served.dialect
        body = await read_body(exchange.request, share, drain, limit=limit, seconds=self._bodies.seconds)
        size = share.held
        if isinstance(body, Refusal):
            if exchange.admitted is not None and body.type is ErrorType.OVERLOADED:
                exchange.marks[HEADER_REFUSED] = TrackReason.CANARY_OVERLOADED
            refused = exchange.refuse(body, request_bytes=size)
            refused.force_close()  # what is left of the body is no next request
            return refused
        head = dialect.read_head(body, operation, served.model)
        if isinstance(head, Refusal):
            return exchange.refuse(head, request_bytes=size)
        live = self._ports.live
        routing = live.routing or routing  # a body can take longer than a change
        if exchange.admitted is not None and self._admission is not None:
            still = self._admission.carried(exchange.admitted.rollout, live.head, confirmed=live.confirmed)
            if isinstance(still, Turned):
                return _turn(exchange, still, size)
            routing = under(routing, still.policy, still.split)
        hint = headers.get(HEADER_HINT)
        route = routing.resolve(caller.namespace, head.model, operation, hint)
        if self._deciding is not None and (now := live.head) is not None and now.rollouts:
            asked = Asked(caller, head.model, operation, hint, body, head.stream, route)
            canary = await self._deciding.canary(exchange, asked, routing, now, confirmed=live.confirmed)
            if isinstance(canary, Refusal):
                return exchange.refuse(canary, request_bytes=size)
            if canary is not None:
                return canary
            live = self._ports.live
            if live.routing is not None and live.routing is not routing:  # a canary can take longer than a change
                routing = live.routing
                route = routing.resolve(caller.namespace, head.model, operation, hint)
        if isinstance(route, Refusal):
            return exchange.refuse(route, request_bytes=size)
        provider, model = route.provider, route.model
        exchange.trace.routed(route, live.revision, streaming=head.stream)
        if provider.forbidden is not None:
            message = f"LLMProvider {provider.label} cannot be used: {provider.forbidden}"
            return exchange.refuse(Refusal(502, ErrorType.API, message, retry=False), request_bytes=size)
        wanted = model.upstream_name or model.name
        if head.model != wanted:
            body = dialect.replace_model(body, wanted)
        private = routing.fleet.allowances.private_addresses
        unfitting = unfit(provider, dialect, operation, body)
        call = Call(
            dialect,
            provider,
            Place(operation, wanted, served.version),
            query,
            tuple(headers.items()),
            body,
            private,
            unfitting,
        )
        attempts = Attempts(self._around, call, caller, exchange.trace)
        answered = await attempts.answer()
        if exchange.tally is not None:
            exchange.tally.notes = attempts.notes
        if exchange.admitted is not None and (notes := attempts.notes.header()) is not None:
            exchange.marks[HEADER_NOTES] = notes
        if isinstance(answered, Refusal):
            if exchange.admitted is not None and self._around.drain.cutting:
                exchange.marks[HEADER_REFUSED] = TrackReason.CANARY_DRAINING
            return exchange.refuse(answered, request_bytes=size)
        return from_upstream(exchange, answered, provider)


def _own_credentials(dialect: Dialect, headers: CIMultiDictProxy[str], query: str) -> list[str]:
    """Return what a client sent as its credential in the places that only its protocol has."""
    found: list[str] = []
    if dialect.credential_header is not None:
        found += headers.getall(dialect.credential_header, ())
    if dialect.credential_parameter is not None:
        found += values_of(query, dialect.credential_parameter)
    return found


def _turn(exchange: Exchange, turned: Turned, size: int = 0) -> web.Response:
    """Answer what this canary pod does not take, in a way that the stable pod understands."""
    exchange.marks = {} if turned.reason is None else {HEADER_REFUSED: turned.reason}
    response = exchange.refuse(turned.refusal, request_bytes=size)
    response.force_close()  # the body, as far as it was not read, is no next request
    return response
