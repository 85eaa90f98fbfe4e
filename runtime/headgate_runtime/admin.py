"""The admin port of both planes: /livez, /readyz (JSON that says why) and /metrics.

It is a server of its own, so that probes and scrapes are answered while the public listener drains or is overloaded.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from headgate_runtime.listening import listening_socket, port_of

_SHUTDOWN_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Health:
    """The answer to a probe: 200 when ``ok``, else 503; ``reason`` is a CamelCase word, ``details`` plain JSON data."""

    ok: bool
    reason: str = "Ready"
    details: Mapping[str, Any] = field(default_factory=dict)


Probe = Callable[[], Health]
"""Called on the event loop for every probe: it looks at state in memory and never waits."""


class Admin:
    """The server; an asynchronous context manager. ``port`` 0 listens on a free one, which ``port`` then tells."""

    def __init__(
        self, port: int, *, live: Probe, ready: Probe, registry: CollectorRegistry, host: str | None = None
    ) -> None:
        self._host = host
        self._port = port
        self._live = live
        self._ready = ready
        self._registry = registry
        self._runner: web.AppRunner | None = None

    @property
    def port(self) -> int:
        """Return the port in use (the one asked for, before ``start``)."""
        return self._port

    async def start(self) -> None:
        """Begin to listen. Raises OSError naming the port when it cannot."""
        app = web.Application()
        app.router.add_get("/livez", self._answer(self._live, "live"))
        app.router.add_get("/readyz", self._answer(self._ready, "ready"))
        app.router.add_get("/metrics", self._metrics)
        listening = listening_socket(self._port, self._host)
        self._port = port_of(listening)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=_SHUTDOWN_SECONDS)
        await runner.setup()
        self._runner = runner
        await web.SockSite(runner, listening).start()

    async def close(self) -> None:
        """Stop listening and close every connection."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @staticmethod
    def _answer(probe: Probe, word: str) -> Callable[[web.Request], Any]:
        async def handle(_: web.Request) -> web.Response:
            health = probe()
            body = {word: health.ok, "reason": health.reason, **health.details}
            return web.Response(
                status=200 if health.ok else 503,
                text=json.dumps(body, default=str) + "\n",
                content_type="application/json",
                headers={"cache-control": "no-store"},
            )

        return handle

    async def _metrics(self, request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return web.Response(body=encode(self._registry), headers={"content-type": content_type})
