"""One proxy, put together: every part is made here, handed what it needs, and ended in the right order."""

import asyncio
import logging
import signal
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from typing import Final

import aiohttp
from prometheus_client import CollectorRegistry

from headgate_api import names
from headgate_api.clock import Clock
from headgate_api.redaction import Redactor
from headgate_api.report import ProxyReport
from headgate_api.snapshot import Head
from headgate_proxy.config.follower import ConfigFollower
from headgate_proxy.config.kept import KeptSnapshot
from headgate_proxy.config.live import LiveConfig, Loaded
from headgate_proxy.credentials.kept import KeptCredentials
from headgate_proxy.credentials.refreshing import Refreshing
from headgate_proxy.credentials.store import CredentialStore
from headgate_proxy.edge.handler import Ports, Tracks
from headgate_proxy.edge.server import Edge, EdgeSettings
from headgate_proxy.readiness import readiness
from headgate_proxy.report.broker import Broker
from headgate_proxy.report.exchange import LimitsExchange
from headgate_proxy.report.reporter import Reporter
from headgate_proxy.selection.limits import Limits
from headgate_proxy.selection.verdicts import Verdicts
from headgate_proxy.settings import ProxySettings
from headgate_proxy.state import StateDir
from headgate_proxy.telemetry.exporting import client_trace_config, otlp_processor, tracer_provider
from headgate_proxy.telemetry.metrics import ProxyMetrics
from headgate_proxy.telemetry.requestlog import RequestLog
from headgate_proxy.telemetry.state_collector import StateCollector
from headgate_proxy.telemetry.telemetry import Telemetry
from headgate_proxy.tls.serving import MountedTLS
from headgate_proxy.tls.trust import client_context
from headgate_proxy.tracks.admission import Admission
from headgate_proxy.tracks.canary import CanaryClient
from headgate_proxy.tracks.counts import RolloutCounts
from headgate_proxy.tracks.peers import Peers
from headgate_proxy.tracks.relay_token import RelayToken
from headgate_runtime.admin import Admin, Health
from headgate_runtime.kube import Kube
from headgate_runtime.vault import Vault

CREDENTIALS_SECONDS: Final = 2.0
"""How long a new snapshot waits for its credentials: a new provider then works with its first request."""
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)

_log = logging.getLogger(__name__)


class Stop:
    """Signals, counted: the first one starts the drain, a second one ends it."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.hurried = asyncio.Event()

    def signal(self) -> None:
        """Note one more request to stop."""
        (self.hurried if self.asked.is_set() else self.asked).set()


class Proxy:
    """The parts of one proxy that concern each other."""

    def __init__(
        self, settings: ProxySettings, kube: Kube, vault: Vault, clock: Clock, redactor: Redactor, metrics: ProxyMetrics
    ) -> None:
        self._settings = settings
        self.tls: MountedTLS | None = None
        if settings.tls_dir is not None:
            self.tls = MountedTLS(
                settings.tls_dir, clock, taken=metrics.serving_until, refused=metrics.certificate_refused
            )
            self.tls.look()
        self._vault = vault
        self._redactor = redactor
        state = StateDir(settings.state_dir)
        self.live = LiveConfig(clock)
        self.credentials = CredentialStore(
            vault, KeptCredentials(state), redactor, clock, failed=metrics.credential_failed
        )
        self.reporter = Reporter(
            self._report,
            self._broker,
            settings.broker_token_file,
            redactor,
            failed=metrics.report_failed,
            answered=lambda report, answer: self.exchange.answered(report, answer),
        )
        self.refreshes = Refreshing(
            self._broker,
            settings.broker_token_file,
            redactor,
            fleet=settings.fleet,
            pod=settings.pod,
            asked=metrics.refresh_asked,
        )
        self.limits = Limits(clock, self.reporter.changed, state)
        self.exchange = LimitsExchange(self.limits)
        self.verdicts = Verdicts(clock, self.reporter.changed, self.limits)
        self.counts = RolloutCounts(clock)
        self.canary: CanaryClient | None = None
        """On a stable pod: the way to the canary pods, once it is open."""
        self._metrics = metrics
        self._follower = ConfigFollower(
            kube,
            self.live,
            KeptSnapshot(state),
            self._take_up,
            namespace=settings.namespace,
            fleet=settings.fleet,
            redactor=redactor,
            failed=metrics.snapshot_failed,
        )

    async def restore(self) -> None:
        """Serve from what was kept before a restart, as far as there is something."""
        self.credentials.restore()
        self.limits.restore()
        loaded = self._follower.restore()
        if loaded is not None:
            await self.credentials.prepare(loaded.pointers, 0)

    def tasks(self) -> tuple[Callable[[], Coroutine[None, None, None]], ...]:
        """Return what runs beside the requests, for as long as the process lives."""
        tasks = (self.credentials.run, self._vault.keep_session, self._follower.run, self.reporter.run)
        return tasks if self.tls is None else (*tasks, self.tls.run)

    def ready(self, *, draining: bool) -> Health:
        """Return the answer to a readiness probe."""
        return readiness(
            self.live,
            self.credentials,
            draining=draining,
            report_problem=self.reporter.problem,
            certificate_problem=None if self.tls is None else self.tls.problem,
            # Callers by plain HTTP need no certificate; relays to a canary always do.
            reachable=self.tls is None
            or self.tls.serving.ready
            or (self._settings.plain_http and self._settings.track == "stable"),
        )

    async def _take_up(self, loaded: Loaded) -> None:
        await self.credentials.prepare(loaded.pointers, CREDENTIALS_SECONDS)
        self.live.swap(loaded)
        self._follow(loaded.head)
        self.verdicts.follow(loaded.routing)
        self.credentials.retire(loaded.pointers)
        self.reporter.changed()

    def open_canary(self, canary: CanaryClient) -> None:
        """Relay by this client from now on."""
        self.canary = canary
        if self.live.head is not None:
            self._follow(self.live.head)

    def _broker(self) -> Broker | None:
        return Broker.of(self.live.broker_url, self.live.trust_bundle, self._settings.namespace)

    def _follow(self, head: Head) -> None:
        self.counts.follow(head)
        self._metrics.follow(head)
        if self.canary is not None:
            self.canary.follow(head)

    def _report(self) -> ProxyReport:
        stable, head = self._settings.track == "stable", self.live.head
        return ProxyReport(
            fleet=self._settings.fleet,
            pod=self._settings.pod,
            track=self._settings.track,
            revision=self.live.revision,
            head=None if head is None else head.digest,
            snapshot_age_seconds=self.live.age_seconds or 0,
            credentials=self.verdicts.observations(),
            limits=self.exchange.news(),
            limits_cursor=self.exchange.cursor,
            # What a candidate falls back from is told by its rollout's counts: the object's own state is stable's.
            fallbacks=self.verdicts.fallbacks() if stable else (),
            rollouts=self.counts.observations() if stable else (),
        )


async def run(settings: ProxySettings, clock: Clock, redactor: Redactor, write_line: Callable[[bytes], object]) -> None:
    """Serve until SIGTERM or SIGINT, then drain and end; ``write_line`` takes the lines of the request log.

    Raises OSError when a port is taken and KubeUnavailable when the API server's CA file cannot be read.
    """
    registry = CollectorRegistry()
    metrics = ProxyMetrics(registry)
    stop = Stop()
    async with AsyncExitStack() as stack:
        _catch_signals(stop, stack)
        vault = await stack.enter_async_context(Vault(settings.vault, clock, redactor))
        kube = await stack.enter_async_context(await Kube.connect(settings.kube))
        proxy = Proxy(settings, kube, vault, clock, redactor, metrics)
        registry.register(StateCollector(proxy.live, proxy.credentials, proxy.limits))
        await proxy.restore()
        edge = _edge(settings, proxy, clock, redactor, metrics, write_line, stack)
        await edge.start()
        stack.push_async_callback(edge.close)
        await stack.enter_async_context(
            Admin(
                settings.port_admin,
                live=lambda: Health(ok=True, reason="Live"),  # the event loop answers: that is what is asked
                ready=lambda: proxy.ready(draining=edge.draining),
                registry=registry,
            )
        )
        _log.info(
            "listening",
            extra={"port": edge.port, "port_https": edge.port_https, "fleet": settings.fleet, "track": settings.track},
        )
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(task()) for task in proxy.tasks()]
            await stop.asked.wait()
            _log.info("draining", extra={"open_requests": edge.open_requests, "seconds": settings.drain_seconds})
            await _drain(edge, settings.drain_seconds, stop)
            for task in tasks:
                task.cancel()
    _log.info("stopped")


def _edge(
    settings: ProxySettings,
    proxy: Proxy,
    clock: Clock,
    redactor: Redactor,
    metrics: ProxyMetrics,
    write_line: Callable[[bytes], object],
    stack: AsyncExitStack,
) -> Edge:
    """Return the request path with its telemetry; spans are flushed when ``stack`` unwinds."""
    tracer, trace_configs = None, []
    if settings.otlp_endpoint is not None:
        processor = otlp_processor(settings.otlp_endpoint, redactor, metrics.export_failed)
        provider = tracer_provider(processor, fleet=settings.fleet, namespace=settings.namespace, pod=settings.pod)
        stack.push_async_callback(asyncio.to_thread, provider.shutdown)
        tracer = provider.get_tracer("headgate.proxy")
        trace_configs = [client_trace_config(provider)]
    telemetry = Telemetry(
        metrics,
        RequestLog(write_line, redactor, clock),
        clock,
        tracer=tracer,
        sampling_percent=settings.sampling_percent,
        track=settings.track,
    )
    tracks = _tracks(settings, proxy, clock, redactor, metrics, trace_configs)
    if tracks.canary is not None:
        stack.push_async_callback(tracks.canary.close)
    ports = Ports(proxy.live, proxy.credentials, proxy.verdicts, telemetry, clock, tracks, proxy.refreshes)
    listening = EdgeSettings(port=settings.port_http if settings.plain_http else None, port_https=settings.port_https)
    return Edge(ports, listening, tls=None if proxy.tls is None else proxy.tls.serving, trace_configs=trace_configs)


def _tracks(
    settings: ProxySettings,
    proxy: Proxy,
    clock: Clock,
    redactor: Redactor,
    metrics: ProxyMetrics,
    trace_configs: Sequence[aiohttp.TraceConfig],
) -> Tracks:
    """Return this pod's part in rollouts: a canary pod serves what is relayed to it, a stable pod decides and relays."""
    peers = Peers(clock, fleet=settings.fleet, namespace=settings.namespace)
    if settings.track == "canary":
        return Tracks(admission=Admission(peers))
    canary = CanaryClient(
        RelayToken(settings.relay_token_file, redactor, clock),
        clock,
        server_name=names.proxy_server_name(settings.fleet, settings.namespace),
        context=client_context,
        ejected=metrics.canary_ejected,
        trace_configs=trace_configs,
    )
    proxy.open_canary(canary)
    return Tracks(canary, proxy.counts, peers=peers)


def _catch_signals(stop: Stop, stack: AsyncExitStack) -> None:
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, stop.signal)
        stack.callback(loop.remove_signal_handler, number)


async def _drain(edge: Edge, seconds: float, stop: Stop) -> None:
    """Drain; a second signal ends it early."""
    async with asyncio.TaskGroup() as group:
        waits = {group.create_task(edge.drain(seconds)), group.create_task(stop.hurried.wait())}
        _, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
