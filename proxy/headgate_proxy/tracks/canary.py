"""The way from a stable pod to the canary pods: TLS connections that are kept alive, and one relayed request at a time on each.

Whatever keeps a canary pod from answering ends in ``NotRelayed``, before the client has seen anything: stable then serves.
"""

import io
import logging
import socket
import ssl
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from yarl import URL

from headgate_api import names
from headgate_api.clock import Clock
from headgate_api.snapshot import Endpoint, Head
from headgate_proxy.tracks.decide import SERVED_ELSEWHERE, TrackReason
from headgate_proxy.tracks.endpoints import Endpoints, Lease
from headgate_proxy.tracks.relay_token import RelayToken
from headgate_proxy.tracks.wire import HEADER_REFUSED, MORE_HEADERS, relay_headers
from headgate_proxy.upstream.call import WHOLE
from headgate_proxy.upstream.connector import LINE, Connector, past_stale

_CONNECT_SECONDS: Final = 2.0
_KEEPALIVE_SECONDS: Final = 60.0
"""Shorter than a proxy keeps an idle connection."""
_POOL: Final = 4096
"""Requests that are relayed at one time: one more would wait for a connection, while stable could serve it."""
_ASK_FIRST: Final = 32 * 1024
"""Larger bodies wait for a word that they are wanted (``Expect: 100-continue``): a refusal then costs no transfer."""
_MAX_HEADER_BYTES: Final = 32 * 1024
_MAX_HEADERS: Final = 128 + MORE_HEADERS
"""128 is what the canary pod takes from a vendor."""
_UNANSWERED_MILLIS: Final = 10_000
"""How long sent bytes may stay unacknowledged: a node that is gone sends no reset."""
_OPTIONS: Final = (
    ("TCP_KEEPIDLE", 10),
    ("TCP_KEEPINTVL", 5),
    ("TCP_KEEPCNT", 3),
    ("TCP_USER_TIMEOUT", _UNANSWERED_MILLIS),
)
"""Where the platform has them: developers run proxies on other systems than the fleet's."""

_log = logging.getLogger(__name__)


class NotRelayed(Exception):  # noqa: N818 - reads as what happened
    """No canary pod answers this request. ``failed``: the canary's own fault, which counts against it."""

    def __init__(self, reason: TrackReason, *, failed: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.failed = failed


@dataclass(frozen=True, slots=True)
class Relayed:
    """One request as it is sent to a canary pod; ``target`` is its path and query, as they came."""

    method: str
    target: str
    headers: Iterable[tuple[str, str]]
    body: bytes
    rollout: str
    request_id: str


class CanaryClient:
    """The canary pods of the present head. ``close`` ends its connections."""

    def __init__(
        self,
        token: RelayToken,
        clock: Clock,
        *,
        server_name: str,
        context: Callable[[str], ssl.SSLContext],
        ejected: Callable[[], None],
        trace_configs: Sequence[aiohttp.TraceConfig] = (),
    ) -> None:
        """``server_name``: what the pods' certificates must carry; ``context`` makes TLS settings from a trust bundle."""
        self._token = token
        self._server_name = server_name
        self._context_of = context
        self._trace_configs = list(trace_configs)
        self._told_ejection = ejected
        self.endpoints = Endpoints(clock, self._ejected)
        self._bundle: str | None = None
        self._context: ssl.SSLContext | None = None
        self._sessions: dict[bool, aiohttp.ClientSession] = {}
        self._tokenless = False

    def follow(self, head: Head) -> None:
        """Use this head's endpoints, and trust its bundle."""
        self.endpoints.follow(head.canary_endpoints)
        if head.trust_bundle != self._bundle or (self._context is None and self._bundle is not None):
            self._bundle, self._context = head.trust_bundle, self._trusting(head.trust_bundle)

    def take(self) -> Lease:
        """Return a hold on a canary pod. Raises NotRelayed when none can be turned to."""
        if self.endpoints.open >= _POOL:
            raise NotRelayed(TrackReason.CANARY_OVERLOADED)
        lease = self.endpoints.take() if self._context is not None else None
        if lease is None:
            raise NotRelayed(TrackReason.CANARY_UNAVAILABLE)
        return lease

    async def send(
        self,
        lease: Lease,
        relayed: Relayed,
        *,
        sampled: bool,
        traceparent: str | None,
        limit: AbstractAsyncContextManager[object],
    ) -> aiohttp.ClientResponse:
        """Return the canary pod's response once its head is there; the caller closes it and ends the lease.

        Raises NotRelayed; the lease has ended then. ``limit`` bounds the wait with a TimeoutError of its own.
        """
        try:
            async with limit:
                response = await self._request(lease.endpoint, relayed, sampled, traceparent)
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            lease.failed()
            _log.warning(
                "a canary pod did not answer", extra={"pod": lease.endpoint.pod, "problem": type(error).__name__}
            )
            raise NotRelayed(TrackReason.CANARY_FAILED, failed=True) from error
        except BaseException:
            lease.left()
            raise
        why = _judged(response, relayed.rollout)
        if why is None:
            if (line := LINE.get()) is not None:
                line.content = response.content
            return response
        response.close()
        match why.reason:
            case TrackReason.CANARY_DRAINING:
                lease.resting()
            case TrackReason.CANARY_FAILED:
                lease.failed()
            case _:
                lease.left()
        raise why

    async def close(self) -> None:
        """Close every connection."""
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()

    async def _request(
        self, endpoint: Endpoint, relayed: Relayed, sampled: bool, traceparent: str | None
    ) -> aiohttp.ClientResponse:
        try:
            token = self._token.get()
        except (OSError, ValueError) as error:
            if not self._tokenless:
                _log.warning("this pod has no relay token, so the canary serves nobody", extra={"problem": str(error)})
            self._tokenless = True
            raise NotRelayed(TrackReason.RELAY_NOT_TRUSTED) from None
        self._tokenless = False
        headers = relay_headers(
            relayed.headers,
            rollout=relayed.rollout,
            token=token.reveal(),
            request_id=relayed.request_id,
            traceparent=traceparent,
        )
        host = f"[{endpoint.address}]" if ":" in endpoint.address else endpoint.address
        url = URL(f"https://{host}:{endpoint.port}{relayed.target}", encoded=True)
        session = self._session(sampled)
        return await past_stale(
            lambda: session.request(
                relayed.method,
                url,
                data=relayed.body if len(relayed.body) <= WHOLE else io.BytesIO(relayed.body),
                headers=headers,
                allow_redirects=False,
                ssl=self._context or True,
                server_hostname=self._server_name,
                expect100=len(relayed.body) > _ASK_FIRST,
                timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_connect=_CONNECT_SECONDS),
            )
        )

    def _session(self, sampled: bool) -> aiohttp.ClientSession:
        session = self._sessions.get(sampled)
        if session is None:
            session = self._sessions[sampled] = aiohttp.ClientSession(
                connector=Connector(limit=_POOL, keepalive_timeout=_KEEPALIVE_SECONDS, socket_factory=_socket),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                timeout=aiohttp.ClientTimeout(total=None),
                trace_configs=self._trace_configs if sampled else None,
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
                trust_env=False,
                max_line_size=_MAX_HEADER_BYTES,
                max_field_size=_MAX_HEADER_BYTES,
                max_headers=_MAX_HEADERS,
            )
        return session

    def _trusting(self, bundle: str | None) -> ssl.SSLContext | None:
        if bundle is None:
            return None
        try:
            return self._context_of(bundle)
        except (ssl.SSLError, ValueError) as error:
            _log.warning(
                "the head's trust bundle cannot be used, so no canary pod can be reached", extra={"problem": str(error)}
            )
            return None

    def _ejected(self, endpoint: Endpoint, seconds: float) -> None:
        self._told_ejection()
        _log.warning("a canary pod keeps failing and is left alone", extra={"pod": endpoint.pod, "seconds": seconds})


def _socket(address: Any) -> socket.socket:
    """Return a socket that notices a peer which is gone without a word."""
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _OPTIONS:
        if hasattr(socket, option):
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return made


def _judged(response: aiohttp.ClientResponse, rollout: str) -> NotRelayed | None:
    """Return why an answer is not one for the client, or None when it is.

    Stable has let the caller in, and a vendor's refusal of the gate's own credential is a 502: a 401 or 403 is the canary's
    own doing. A redirect never is an answer; and what does not name the rollout does not come from a pod that took part in it.
    """
    status, headers = response.status, response.headers
    if (told := headers.get(HEADER_REFUSED)) is not None:
        return NotRelayed(_reason(told))
    if headers.get(names.HEADER_ROLLOUT) != rollout or not (200 <= status < 300 or 400 <= status < 600):
        return NotRelayed(TrackReason.CANARY_FAILED, failed=True)
    if status in (401, 403):
        return NotRelayed(TrackReason.CANARY_REFUSED_CALLER, failed=True)
    return None


def _reason(told: str) -> TrackReason:
    """Return a canary pod's word; one that this build does not know, or that is no refusal, counts as unavailable."""
    known = next((reason for reason in SERVED_ELSEWHERE if reason == told), None)
    return TrackReason.CANARY_UNAVAILABLE if known is None else known
