"""Reconciles one ProxyFleet: applies its manifests, publishes its snapshot, tells how far both have come."""

import asyncio
import logging
from datetime import datetime
from typing import Any, Final, Literal

from headgate_api.reasons import ConditionReason, ConditionType
from headgate_api.resources import LLMProvider, ProxyFleet, ProxyFleetStatus, SubscriptionAccount
from headgate_api.resources.base import Observation
from headgate_api.snapshot import Head, SnapshotError, pack
from headgate_operator.delivery.assemble import assemble
from headgate_operator.delivery.publish import collect, publish
from headgate_operator.delivery.published import forms
from headgate_operator.engine.keys import Key
from headgate_operator.fleet.manifests import ProxySettings, manifests, selector_of
from headgate_operator.fleet.rollout import unfinished
from headgate_operator.fleet.signing_keys import SigningKeySource
from headgate_operator.fleet.status import FleetView, fleet_status, not_served
from headgate_operator.metrics import Metrics
from headgate_operator.reading import Unreadable, read, readable, say_so
from headgate_operator.services import Services
from headgate_runtime.kube import KubeError, Object
from headgate_runtime.kube_kinds import DEPLOYMENT, LLM_PROVIDER, POD, PROXY_FLEET, SUBSCRIPTION_ACCOUNT

LOOK_AGAIN_SECONDS: Final = 10.0
_log = logging.getLogger(__name__)


class FleetReconciler:
    """The Reconciler of ProxyFleets; ``broker_url`` is what proxies are told to report to."""

    def __init__(
        self,
        services: Services,
        *,
        proxy: ProxySettings,
        keys: SigningKeySource,
        broker_url: str,
        metrics: Metrics,
    ) -> None:
        self._services = services
        self._kube = services.kube
        self._proxy = proxy
        self._keys = keys
        self._broker_url = broker_url
        self._metrics = metrics

    async def reconcile(self, key: Key) -> float | None:
        """Look at the fleet afresh and act."""
        body = await self._kube.get(PROXY_FLEET, key.namespace, key.name)
        now = self._services.clock.now().replace(microsecond=0)
        if body is None or body["metadata"].get("deletionTimestamp"):
            if key.namespace == self._services.namespace:
                self._services.published.forget(key.name)
                await collect(self._kube, key.namespace, now)
            return None
        try:
            fleet = read(ProxyFleet, body)
        except Unreadable as unreadable:
            await self._refuse(unreadable, now)
            return None
        if key.namespace != self._services.namespace:
            await self._write(body, fleet, not_served(fleet, self._services.namespace, now))
            return None
        problem = await self._publish(body, fleet)
        problem = await self._apply(body) or problem
        view = await self._observe(fleet, problem)
        status = fleet_status(fleet, view, now)
        await self._write(body, fleet, status)
        await collect(self._kube, key.namespace, now)
        return LOOK_AGAIN_SECONDS

    async def _publish(self, body: Object, fleet: ProxyFleet) -> Observation | None:
        providers, accounts, keys = await asyncio.gather(
            self._kube.list(LLM_PROVIDER), self._kube.list(SUBSCRIPTION_ACCOUNT), self._keys.current()
        )
        snapshot = assemble(fleet, readable(LLMProvider, providers), readable(SubscriptionAccount, accounts), keys)
        try:
            revision, chunks = await asyncio.to_thread(pack, snapshot)
        except SnapshotError as error:
            message = f"the snapshot cannot be packed: {error}; shorten the largest LLMProvider or SubscriptionAccount"
            return Observation(ConditionType.SNAPSHOT_DELIVERED, False, ConditionReason.SPEC_INVALID, message)
        head = Head(revision=revision, chunks=tuple(sorted(chunks)), broker_url=self._broker_url)
        # Known before it is written: a proxy may report the new revision before the write has returned to us.
        self._services.published.record(fleet.metadata.name, revision, forms(snapshot))
        self._services.fence()
        if await publish(self._kube, body, head, chunks):
            self._metrics.snapshots.labels(fleet.metadata.name).inc()
            _log.info("A snapshot is published", extra={"fleet": fleet.metadata.name, "revision": revision})
        self._metrics.snapshot_objects.labels(fleet.metadata.name, LLMProvider.KIND).set(len(snapshot.providers))
        self._metrics.snapshot_objects.labels(fleet.metadata.name, SubscriptionAccount.KIND).set(len(snapshot.accounts))
        return None

    async def _apply(self, body: Object) -> Observation | None:
        kind = ""
        try:
            for manifest in manifests(body, self._proxy):
                kind = manifest["kind"]
                self._services.fence()
                await self._kube.apply(manifest)
        except KubeError as error:
            if error.status not in (400, 403, 422):
                raise
            mend = (
                "grant the operator that right (the chart's Role headgate-operator does), or see who denies it"
                if error.status == 403
                else "correct spec (spec.podTemplate is passed on as it is), or metadata.name by making another fleet"
            )
            message = f"the API server refuses the fleet's {kind}: {error.message}; {mend}"
            return Observation(ConditionType.SNAPSHOT_DELIVERED, False, ConditionReason.SPEC_INVALID, message)
        return None

    async def _observe(self, fleet: ProxyFleet, problem: Observation | None) -> FleetView:
        namespace, name = fleet.key
        selector = ",".join(f"{k}={v}" for k, v in selector_of(name).items())
        deployment, pods = await asyncio.gather(
            self._kube.get(DEPLOYMENT, namespace, f"headgate-proxy-{name}"),
            self._kube.list(POD, namespace, label_selector=selector),
        )
        existing = {p["metadata"]["name"]: _created(p) for p in pods if not p["metadata"].get("deletionTimestamp")}
        reports, published = self._services.reports, self._services.published
        reports.retain(name, existing)
        oldest = reports.oldest(name)
        self._metrics.report_age.labels(name).set(-1 if oldest is None else oldest)
        status = (deployment or {}).get("status") or {}
        return FleetView(
            replicas=status.get("replicas", 0),
            ready_replicas=status.get("readyReplicas", 0),
            revision=published.revision(name),
            pods=existing,
            revisions=reports.revisions(name),
            settling=published.settling,
            rollout=unfinished(deployment, pods, fleet.spec.replicas),
            problem=problem,
        )

    async def _refuse(self, unreadable: Unreadable, now: datetime) -> None:
        self._services.fence()
        if await say_so(self._kube, unreadable, now):
            await self._services.events.emit(
                unreadable.body, "Warning", ConditionReason.SPEC_INVALID, "Reconcile", str(unreadable)
            )

    async def _write(self, body: Object, fleet: ProxyFleet, status: ProxyFleetStatus) -> None:
        if status == fleet.status:
            return
        self._services.fence()
        metadata = {key: body["metadata"][key] for key in ("name", "namespace", "resourceVersion")}
        await self._kube.apply_status(
            {
                "apiVersion": PROXY_FLEET.api_version,
                "kind": PROXY_FLEET.kind,
                "metadata": metadata,
                "status": status.to_wire(),
            }
        )
        ready = next(c for c in status.conditions if c.type == ConditionType.READY)
        before = next((c for c in fleet.status.conditions if c.type == ConditionType.READY), None)
        if before is None or (before.status, before.reason) != (ready.status, ready.reason):
            kind: Literal["Normal", "Warning"] = "Normal" if ready.status == "True" else "Warning"
            await self._services.events.emit(body, kind, ready.reason, "Reconcile", ready.message)


def _created(pod: Any) -> datetime:
    return datetime.fromisoformat(pod["metadata"]["creationTimestamp"])
