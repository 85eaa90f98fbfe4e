"""The listening side of the edge: starts, drains and closes the server in front of the request path.

aiohttp's low-level server, since its application layer costs a fifth of a small request and nothing of it is needed.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp
from aiohttp import web
from aiohttp.abc import AbstractResolver

from headgate_proxy.edge.attempts import Surroundings
from headgate_proxy.edge.body import BodyLimits
from headgate_proxy.edge.connection import MAX_HEADER_BYTES, MAX_HEADERS, Listener
from headgate_proxy.edge.drain import Drain
from headgate_proxy.edge.handler import Handler, Ports
from headgate_proxy.tracks.wire import MORE_HEADERS
from headgate_proxy.upstream.sessions import Sessions
from headgate_runtime.listening import BACKLOG, listening_socket, port_of
from headgate_runtime.serving_tls import HANDSHAKE_SECONDS, ServingTLS

_CUT_SECONDS = 5.0
"""How long cut requests have to say their last words."""


@dataclass(frozen=True, slots=True)
class EdgeSettings:
    """How the edge listens; times in seconds.

    ``host`` None means every address, a port 0 a free one, ``port`` None no plain HTTP; by TLS (``port_https``) it listens when
    the edge is given a certificate. ``settle_seconds``: how long a stopping proxy goes on accepting,
    until the cluster has taken it out of its Service. ``body_seconds`` bounds the arrival of a request body,
    ``keepalive_seconds`` an idle connection and the arrival of request headers. ``buffered_bytes`` bounds the request bodies
    that are held at one time, until their upstreams have begun to answer.
    """

    port: int | None = 8080
    port_https: int = 8443
    host: str | None = None
    settle_seconds: float = 5.0
    body_seconds: float = 120.0
    buffered_bytes: int = 192 * 1024 * 1024
    keepalive_seconds: float = 75.0


class Edge:
    """The request path as a server, by TLS where it is given ``tls``. ``trace_configs`` instrument sampled requests' session."""

    def __init__(
        self,
        ports: Ports,
        settings: EdgeSettings,
        *,
        tls: ServingTLS | None = None,
        trace_configs: Sequence[aiohttp.TraceConfig] = (),
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._settings = settings
        self._tls = tls
        self._max_headers = MAX_HEADERS if ports.tracks.admission is None else MAX_HEADERS + MORE_HEADERS
        self._drain = Drain()
        self._sessions = Sessions(trace_configs, resolver)
        around = Surroundings(
            ports.credentials, ports.verdicts, self._sessions, self._drain, ports.clock, ports.refreshes
        )
        self._handler = Handler(ports, around, BodyLimits(settings.body_seconds, settings.buffered_bytes))
        self._runner: web.ServerRunner | None = None
        self._servers: list[asyncio.Server] = []
        self._port = self._port_https = 0

    @property
    def port(self) -> int:
        """Return the port of plain HTTP, once started; 0 where it does not listen by it."""
        return self._port

    @property
    def port_https(self) -> int:
        """Return the port of TLS, once started; 0 where it does not listen by it."""
        return self._port_https

    @property
    def open_requests(self) -> int:
        """Return how many requests are being answered."""
        return self._drain.open_requests

    @property
    def draining(self) -> bool:
        """Tell whether ``drain`` has begun."""
        return self._drain.draining

    async def start(self) -> None:
        """Listen. Raises OSError when a port is taken."""
        server = Listener(
            self._handler,
            handler_cancellation=True,  # a client that leaves cancels its upstream call at once
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=self._settings.keepalive_seconds,
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
            max_headers=self._max_headers,
        )
        self._runner = web.ServerRunner(server, shutdown_timeout=_CUT_SECONDS)
        await self._runner.setup()
        if self._tls is not None:
            self._port_https = await self._listen(server, self._settings.port_https, self._tls)
        if self._settings.port is not None:
            self._port = await self._listen(server, self._settings.port, None)

    async def _listen(self, server: Listener, port: int, tls: ServingTLS | None) -> int:
        listening = listening_socket(port, self._settings.host)
        loop = asyncio.get_running_loop()
        made = await loop.create_server(
            server,
            sock=listening,
            backlog=BACKLOG,
            ssl=None if tls is None else tls.context,
            ssl_handshake_timeout=None if tls is None else HANDSHAKE_SECONDS,
        )
        self._servers.append(made)
        return port_of(listening)

    def _stop_accepting(self) -> None:
        for server in self._servers:
            server.close()
        self._servers.clear()

    async def drain(self, seconds: float) -> None:
        """Stop accepting and let open requests finish; cut those that are still open after ``seconds``.

        For the first moments (``settle_seconds``) connections are still accepted, since the cluster learns only by and by that
        this proxy is leaving; every answer then closes its connection.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        self._drain.draining = True
        await asyncio.sleep(min(seconds, self._settings.settle_seconds))
        self._stop_accepting()
        if not await self._drain.wait_idle(max(0.0, until - loop.time())):
            self._drain.cut()
            await self._drain.wait_idle(_CUT_SECONDS)

    async def close(self) -> None:
        """Close the listener, every connection and the upstream sessions; what is still open is cancelled."""
        if self._runner is not None:
            self._drain.draining = True
            self._drain.cut()
            self._stop_accepting()
            await self._runner.cleanup()
            self._runner = None
        await self._sessions.close()
