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
from headgate_proxy.edge.connection import MAX_HEADER_BYTES, Listener
from headgate_proxy.edge.drain import Drain
from headgate_proxy.edge.handler import Handler, Ports
from headgate_proxy.upstream.sessions import Sessions
from headgate_runtime.listening import listening_socket, port_of

_CUT_SECONDS = 5.0
"""How long cut requests have to say their last words."""


@dataclass(frozen=True, slots=True)
class EdgeSettings:
    """How the edge listens; times in seconds.

    ``host`` None means every address, ``port`` 0 a free one. ``settle_seconds``: how long a stopping proxy goes on accepting,
    until the cluster has taken it out of its Service. ``body_seconds`` bounds the arrival of a request body,
    ``keepalive_seconds`` an idle connection and the arrival of request headers. ``buffered_bytes`` bounds the request bodies
    that are held at one time, until their upstreams have begun to answer.
    """

    port: int = 8080
    host: str | None = None
    settle_seconds: float = 5.0
    body_seconds: float = 120.0
    buffered_bytes: int = 192 * 1024 * 1024
    keepalive_seconds: float = 75.0


class Edge:
    """The request path as a server. ``trace_configs`` instrument the session of sampled requests."""

    def __init__(
        self,
        ports: Ports,
        settings: EdgeSettings,
        *,
        trace_configs: Sequence[aiohttp.TraceConfig] = (),
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._settings = settings
        self._drain = Drain()
        self._sessions = Sessions(trace_configs, resolver)
        around = Surroundings(ports.credentials, ports.verdicts, self._sessions, self._drain, ports.clock)
        self._handler = Handler(ports, around, BodyLimits(settings.body_seconds, settings.buffered_bytes))
        self._runner: web.ServerRunner | None = None
        self._site: web.SockSite | None = None
        self._port = settings.port

    @property
    def port(self) -> int:
        """Return the port it listens on, once started."""
        return self._port

    @property
    def open_requests(self) -> int:
        """Return how many requests are being answered."""
        return self._drain.open_requests

    @property
    def draining(self) -> bool:
        """Tell whether ``drain`` has begun."""
        return self._drain.draining

    async def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        server = Listener(
            self._handler,
            handler_cancellation=True,  # a client that leaves cancels its upstream call at once
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=self._settings.keepalive_seconds,
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
        )
        self._runner = web.ServerRunner(server, shutdown_timeout=_CUT_SECONDS)
        await self._runner.setup()
        listening = listening_socket(self._settings.port, self._settings.host)
        self._port = port_of(listening)
        self._site = web.SockSite(self._runner, listening)
        await self._site.start()

    async def drain(self, seconds: float) -> None:
        """Stop accepting and let open requests finish; cut those that are still open after ``seconds``.

        For the first moments (``settle_seconds``) connections are still accepted, since the cluster learns only by and by that
        this proxy is leaving; every answer then closes its connection.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        self._drain.draining = True
        await asyncio.sleep(min(seconds, self._settings.settle_seconds))
        if self._site is not None:
            await self._site.stop()
            self._site = None
        if not await self._drain.wait_idle(max(0.0, until - loop.time())):
            self._drain.cut()
            await self._drain.wait_idle(_CUT_SECONDS)

    async def close(self) -> None:
        """Close the listener, every connection and the upstream sessions; what is still open is cancelled."""
        if self._runner is not None:
            self._drain.draining = True
            self._drain.cut()
            await self._runner.cleanup()
            self._runner = None
        await self._sessions.close()
