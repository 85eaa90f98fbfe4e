"""The operator put together: what runs always (watching, broker, admin port) and what runs while it leads (the engine)."""

import asyncio
import logging
import uuid
from collections.abc import Iterable
from typing import Any, Final

from headgate_api.clock import Clock
from headgate_api.redaction import Redactor
from headgate_api.resources import LLMProvider, ProxyFleet, RolloutPolicy, SubscriptionAccount
from headgate_operator.account.reconciler import AccountReconciler
from headgate_operator.analysis.prometheus import Prometheus
from headgate_operator.broker.authentication import Authenticator
from headgate_operator.broker.reports import Reports
from headgate_operator.broker.server import Broker, broker_tls
from headgate_operator.credentials.executor import Executor
from headgate_operator.credentials.metrics import CredentialMetrics
from headgate_operator.credentials.store import Store
from headgate_operator.delivery.published import Published, programmed_in
from headgate_operator.delivery.publisher import Publisher
from headgate_operator.edge import ReportedEdge
from headgate_operator.engine.engine import Engine
from headgate_operator.engine.keys import SNAPSHOT, Key
from headgate_operator.engine.owned import watch_owned
from headgate_operator.engine.progress import Progress
from headgate_operator.engine.touch import Neighbours, needs_look
from headgate_operator.engine.watching import Watching
from headgate_operator.events import Events
from headgate_operator.fleet.certificates import Certificates
from headgate_operator.fleet.defaults import apply_default_fleet
from headgate_operator.fleet.reconciler import FleetReconciler
from headgate_operator.fleet.signing_keys import SigningKeySource
from headgate_operator.leadership_lease import Leadership
from headgate_operator.metrics import Metrics
from headgate_operator.pki.acknowledged import Acknowledged
from headgate_operator.pki.certificates import OwnCertificates
from headgate_operator.pki.following import BrokerCertificate
from headgate_operator.provider.reconciler import ProviderReconciler
from headgate_operator.revisions.guards import Guards
from headgate_operator.revisions.held import Held
from headgate_operator.revisions.standing import Standing
from headgate_operator.revisions.store import RevisionStore
from headgate_operator.rollout.observe import Installation
from headgate_operator.rollout.reconciler import RolloutReconciler
from headgate_operator.services import Services
from headgate_operator.settings import OperatorSettings
from headgate_operator.vendors import Vendors
from headgate_runtime.admin import Admin, Health
from headgate_runtime.kube import Kube, KubeError, KubeUnavailable, Object
from headgate_runtime.kube_kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    LLM_PROVIDER,
    PROXY_FLEET,
    ROLLOUT_POLICY,
    SUBSCRIPTION_ACCOUNT,
)
from headgate_runtime.vault import Vault

_RETRY_SECONDS: Final = 2.0
_SWEEPS_PER_FULL: Final = 10
"""Each sweep looks at what changed or waits; every tenth, and the first of a term, at everything."""
_WATCHED: Final = (LLM_PROVIDER, SUBSCRIPTION_ACCOUNT, PROXY_FLEET, ROLLOUT_POLICY)
_log = logging.getLogger(__name__)


class Operator:
    """One operator process; ``run`` ends only when cancelled."""

    def __init__(self, settings: OperatorSettings, kube: Kube, vault: Vault, clock: Clock, redactor: Redactor) -> None:
        self._settings = settings
        self._kube = kube
        self._metrics = Metrics()
        self._credential_metrics = CredentialMetrics(self._metrics.registry)
        self._progress = Progress(clock)
        self._clock = clock
        self._neighbours = Neighbours()
        self._engine: Engine | None = None
        self._sweeps = 0
        self._watching_ready = False
        identity = f"{settings.pod_name}_{uuid.uuid4().hex[:12]}"
        self._leadership = Leadership(kube, settings.namespace, identity, clock=clock, progress=self._progress)
        reports = Reports(clock)
        self._vault = vault
        self._redactor = redactor
        fence, standing = self._leadership.fence, Standing(kube, settings.namespace)
        revisions = RevisionStore(kube, fence)
        self._services = Services(
            kube=kube,
            clock=clock,
            events=Events(kube, instance=settings.pod_name, clock=clock, redactor=redactor),
            reports=reports,
            published=Published(reports, clock),
            namespace=settings.namespace,
            fence=fence,
            revisions=revisions,
            standing=standing,
            guards=Guards(kube, revisions, standing, settings.namespace),
        )
        tls = broker_tls(clock)
        self._broker_certificate = BrokerCertificate(kube, settings.namespace, tls)
        self._vendors = Vendors(
            self._services,
            vault,
            holder=identity,
            redactor=redactor,
            registry=self._metrics.registry,
            leads=lambda: self._engine is not None,
            touched=self._enqueue,
        )
        authenticator = Authenticator(kube, clock)
        self._broker = Broker(
            settings.broker_port,
            namespace=settings.namespace,
            authenticator=authenticator,
            reports=reports,
            leads=lambda: self._engine is not None,
            touched=self._reported,
            metrics=self._metrics,
            tls=tls,
            routes=self._vendors.routes(authenticator),
        )
        self._admin = Admin(settings.admin_port, live=self._live, ready=self._ready, registry=self._metrics.registry)

    async def run(self) -> None:
        """Run until cancelled; then the Lease is released."""
        async with self._admin, self._broker, asyncio.TaskGroup() as group:
            group.create_task(self._watch())
            group.create_task(self._leadership.run(self._lead))
            group.create_task(self._vault.keep_session())
            group.create_task(self._broker_certificate.run())
            group.create_task(self._vendors.run())
            for kind in (DEPLOYMENT, CONFIG_MAP):
                group.create_task(watch_owned(self._kube, kind, self._settings.namespace, self._owned_changed))

    async def _watch(self) -> None:
        # kopf looks for the CustomResourceDefinitions once, when it starts: so it starts when they are there.
        while not self._watching_ready:
            try:
                await self._list_all()
                self._watching_ready = True
            except (KubeError, KubeUnavailable) as error:
                _log.warning("Waiting for the API server and Headgate's CRDs", extra={"error": str(error)})
                await asyncio.sleep(_RETRY_SECONDS)
        await Watching(self._settings.kube, self._changed, clock=self._clock, metrics=self._metrics).run()

    async def _lead(self) -> None:
        self._sweeps = 0
        self._services.reports.begin_term()
        self._services.published.begin_term()
        certificates = self._new_certificates()
        self._engine = engine = self._new_engine(certificates)
        self._vendors.refresher.begin_term()
        self._metrics.leader.set(1)
        try:
            async with asyncio.TaskGroup() as group:
                if self._settings.default_fleet is not None:
                    group.create_task(
                        apply_default_fleet(self._kube, self._settings.namespace, self._settings.default_fleet)
                    )
                group.create_task(certificates.keep())
                group.create_task(self._vendors.poller.run())
                group.create_task(engine.run())
        finally:
            self._engine = None
            self._vendors.refresher.end_term()
            self._metrics.leader.set(0)

    def _new_engine(self, certificates: Certificates) -> Engine:
        publisher = Publisher(
            self._services,
            keys=SigningKeySource(self._kube, self._clock),
            broker_url=self._settings.broker_address(self._broker.port),
            metrics=self._metrics,
        )
        fleets = FleetReconciler(
            self._services,
            proxy=self._settings.proxy,
            publisher=publisher,
            certificates=certificates,
            metrics=self._metrics,
        )
        services = self._services
        edge = ReportedEdge(services.reports, services.published)
        store = Store(self._vault)
        executor = Executor(
            self._kube, store, services.events, self._clock, self._credential_metrics, services.fence, self._redactor
        )
        return Engine(
            {
                LLMProvider.KIND: ProviderReconciler(
                    self._kube,
                    store,
                    executor,
                    edge,
                    self._redactor,
                    services.guards,
                    Held(self._kube, services.guards, services.revisions),
                    fleet_namespace=services.namespace,
                    refreshes=self._vendors.refresher,
                    memory=self._vendors.federation,
                ),
                SubscriptionAccount.KIND: AccountReconciler(
                    self._kube,
                    store,
                    executor,
                    edge,
                    self._redactor,
                    services.guards,
                    self._vendors.queues,
                ),
                ProxyFleet.KIND: fleets,
                SNAPSHOT: publisher,
                RolloutPolicy.KIND: RolloutReconciler(
                    services,
                    Installation(authors=self._settings.authors_stamped),
                    Prometheus(self._settings.prometheus_address, self._redactor),
                    self._enqueue,
                ),
            },
            sweep=self._sweep,
            clock=self._clock,
            progress=self._progress,
            metrics=self._metrics,
        )

    def _new_certificates(self) -> OwnCertificates:
        services = self._services
        return OwnCertificates(
            self._kube,
            self._clock,
            namespace=services.namespace,
            fence=services.fence,
            acknowledged=Acknowledged(self._kube, services.namespace, services.reports, services.published),
            expiry=self._metrics.certificate_expiry,
        )

    async def _list_all(self) -> list[Object]:
        lists = await asyncio.gather(*(self._kube.list(kind) for kind in _WATCHED))
        return [body for bodies in lists for body in bodies]

    async def _sweep(self) -> Iterable[Key]:
        bodies = await self._list_all()
        if self._watching_ready:
            self._progress.listed({Key.of(body): body["metadata"]["resourceVersion"] for body in bodies})
        self._services.published.remember(programmed_in(bodies))
        touched = self._neighbours.listed(bodies)
        for fleet in self._neighbours.fleets:
            touched |= self._services.published.moved(fleet.name)
        self._sweeps += 1
        everything = self._sweeps % _SWEEPS_PER_FULL == 1
        return touched | {Key.of(body) for body in bodies if everything or needs_look(body)}

    def _changed(self, event: str | None, body: dict[str, Any]) -> None:
        """Take an event from the watch of custom resources."""
        key, gone = Key.of(body), event == "DELETED"
        if gone:
            self._progress.watch_saw_gone(key)
        else:
            self._progress.watch_saw(key, body["metadata"]["resourceVersion"])
        self._enqueue(self._neighbours.seen(body, gone=gone))

    def _owned_changed(self, _: str, body: dict[str, Any]) -> None:
        """Take an event about something a fleet owns. Chunks are shared, so each concerns every fleet.

        A canary that is ready, or a head that is published, is what rollouts under way wait for.
        """
        self._enqueue(self._neighbours.fleets | self._neighbours.rolling)

    def _reported(self, keys: set[Key]) -> None:
        """Take what a report concerns; a proxy that moved on concerns what it now serves otherwise."""
        touched = set(keys)
        for key in keys:
            if key.kind == ProxyFleet.KIND:
                touched |= self._services.published.moved(key.name) | self._neighbours.rolling
        self._enqueue(touched)

    def _enqueue(self, keys: Iterable[Key]) -> None:
        if self._engine is not None:
            self._engine.enqueue(keys)

    def _live(self) -> Health:
        stalled = self._progress.stalled()
        age = self._progress.seconds_since_sweep
        self._metrics.sweep_age.set(-1 if age is None else age)
        details = {"leads": self._leadership.leads, "message": stalled or "reconciling makes progress"}
        return Health(stalled is None, "Ready" if stalled is None else "Stalled", details)

    def _ready(self) -> Health:
        details = {
            "leads": self._leadership.leads,
            "holder": self._leadership.holder,
            "certificateProblem": self._broker_certificate.problem,
        }
        if not self._watching_ready:
            return Health(ok=False, reason="WaitingForAPIServer", details=details)
        if not self._broker_certificate.ready:
            return Health(ok=False, reason="WaitingForCertificate", details=details)
        return Health(ok=True, details=details)
