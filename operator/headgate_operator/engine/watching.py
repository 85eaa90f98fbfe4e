"""kopf watches the custom resources; its handlers only say which object changed.

kopf runs in a thread and event loop of its own: when it ends, it cancels every task of its loop that it did not know
before, which in ours would be workers, the broker and the release of the Lease. Handlers are ``on.event`` alone, so kopf
writes nothing: no finalizers, no annotations, no Events. Its death is survived, counted and mended by starting it again.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import kopf

from headgate_api import names
from headgate_api.clock import Clock
from headgate_operator.engine.touch import WATCHED
from headgate_operator.metrics import Metrics
from headgate_runtime.kube_settings import KubeSettings

_RESTART_SECONDS: Final = 5.0
_JOIN_SECONDS: Final = 15.0
_WATCH_SECONDS: Final = 60
_CREDENTIAL_SECONDS: Final = 60.0

Sink = Callable[[str | None, dict[str, Any]], None]
"""Called on the operator's own loop with the event type (None for objects that existed before) and the object."""

_log = logging.getLogger(__name__)


def quieten_kopf() -> None:
    """Let kopf log what goes wrong, not each event, nor that the main thread is not its own."""
    logging.getLogger("kopf").setLevel(logging.WARNING)
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)


def kopf_settings() -> kopf.OperatorSettings:
    """Return settings under which kopf only watches, and renews watches that hang."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.process.ultimate_exiting_timeout = None
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 10
    settings.watching.connect_timeout = 10
    settings.watching.server_timeout = _WATCH_SECONDS
    settings.watching.client_timeout = _WATCH_SECONDS + 10
    settings.queueing.exit_timeout = 1
    return settings


class Watching:
    """Runs kopf in a thread for as long as ``run`` is not cancelled."""

    def __init__(self, kube: KubeSettings, sink: Sink, *, clock: Clock, metrics: Metrics) -> None:
        self._kube = kube
        self._sink = sink
        self._clock = clock
        self._metrics = metrics

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            stop = threading.Event()
            ended = asyncio.Event()
            loop = asyncio.get_running_loop()
            thread = threading.Thread(
                target=self._thread, args=(loop, stop, ended), name="headgate-watching", daemon=True
            )
            thread.start()
            try:
                await ended.wait()
            finally:
                stop.set()
                await asyncio.shield(asyncio.to_thread(thread.join, _JOIN_SECONDS))
            self._metrics.watch_restarts.inc()
            await asyncio.sleep(_RESTART_SECONDS)

    def _thread(self, loop: asyncio.AbstractEventLoop, stop: threading.Event, ended: asyncio.Event) -> None:
        try:
            asyncio.run(
                kopf.operator(
                    registry=self._registry(loop),
                    settings=kopf_settings(),
                    standalone=True,
                    # Kopf would otherwise ask for the name of its user, which a container's numeric user has not.
                    identity="headgate-operator",  # type: ignore[arg-type]  # a NewType of str that kopf does not export
                    clusterwide=True,
                    stop_flag=stop,
                )
            )
        except Exception:
            _log.exception("Watching ended; it is started again")
        finally:
            loop.call_soon_threadsafe(ended.set)

    def _registry(self, loop: asyncio.AbstractEventLoop) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()

        async def login(**_: Any) -> kopf.ConnectionInfo:
            return await connection(self._kube, self._clock.now())

        async def enqueue(type: str | None, body: kopf.Body, **_: Any) -> None:
            loop.call_soon_threadsafe(self._sink, type, dict(body))

        kopf.on.login(registry=registry)(login)
        for resource in WATCHED:
            kopf.on.event(names.GROUP, names.VERSION, resource.PLURAL, registry=registry)(enqueue)
        return registry


async def connection(settings: KubeSettings, now: datetime) -> kopf.ConnectionInfo:
    """Return kopf's form of how to reach the API server; it expires soon, so that a rotated token is read again."""
    configuration = await settings.configuration()
    scheme, _, token = (await configuration.get_api_key_with_prefix("BearerToken") or "").partition(" ")
    return kopf.ConnectionInfo(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert,
        insecure=not configuration.verify_ssl,
        scheme=scheme or None,
        token=token or None,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
        expiration=(now + timedelta(seconds=_CREDENTIAL_SECONDS)).astimezone(UTC) if token else None,
    )
