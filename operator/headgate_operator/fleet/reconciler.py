"""Reconciles one ProxyFleet: applies its manifests, publishes its snapshot, tells how far both have come."""

import asyncio
from datetime import datetime
from typing import Any, Final, Literal

from headgate_api import names
from headgate_api.reasons import ConditionReason, ConditionType
from headgate_api.resources import ProxyFleet, ProxyFleetStatus
from headgate_api.resources.base import Observation
from headgate_api.resources.proxyfleet import CanaryStatus
from headgate_api.revisions import FleetBundle
from headgate_operator.delivery.publish import collect
from headgate_operator.delivery.publisher import Publisher
from headgate_operator.engine.keys import Key
from headgate_operator.fleet.canary import Canary, canary_of, stable_of, tracks_of, usable
from headgate_operator.fleet.certificates import Certificates, FleetCertificate
from headgate_operator.fleet.manifests import ProxySettings, Tracks, manifests
from headgate_operator.fleet.rollout import unfinished
from headgate_operator.fleet.status import FleetView, fleet_status, not_served
from headgate_operator.metrics import Metrics
from headgate_operator.reading import Unreadable, read
from headgate_operator.revisions.bundles import Form
from headgate_operator.revisions.guard import Guard
from headgate_operator.revisions.held import Held
from headgate_operator.revisions.shown import stable_condition
from headgate_operator.services import Services
from headgate_runtime.kube import KubeError, Object
from headgate_runtime.kube_kinds import DEPLOYMENT, POD, PROXY_FLEET

LOOK_AGAIN_SECONDS: Final = 10.0
_APPLIED_SECONDS: Final = 9.0
"""How long a manifest that stays the same is not applied again: rollouts have a fleet looked at many times a second, and the
API server must have time for the heads. What others change meanwhile is put right by the next look of the clock.
"""


class FleetReconciler:
    """The Reconciler of ProxyFleets."""

    def __init__(
        self,
        services: Services,
        *,
        proxy: ProxySettings,
        publisher: Publisher,
        certificates: Certificates,
        metrics: Metrics,
    ) -> None:
        self._services = services
        self._kube = services.kube
        self._held = Held(services.kube, services.guards, services.revisions)
        self._proxy = proxy
        self._publisher = publisher
        self._certificates = certificates
        self._metrics = metrics
        self._applied: dict[tuple[str, str], tuple[Object, float]] = {}

    async def reconcile(self, key: Key) -> float | None:
        """Look at the fleet afresh and act."""
        body = await self._kube.get(PROXY_FLEET, key.namespace, key.name)
        now = self._services.clock.now().replace(microsecond=0)
        if body is None or body["metadata"].get("deletionTimestamp"):
            if key.namespace == self._services.namespace:
                self._services.published.forget(key.name)
                self._services.reports.limits.forget(key.name)
                await collect(self._kube, key.namespace, now)
            return None
        try:
            fleet = read(ProxyFleet, body)
        except Unreadable as unreadable:
            await self._services.refuse(unreadable)
            return None
        if key.namespace != self._services.namespace:
            await self._write(body, fleet, not_served(fleet, self._services.namespace, now))
            return None
        # Published first: what proxies wait for must not wait for manifests and certificates.
        look = await self._publisher.publish(key.name)
        if look is None:
            return 0.0
        body, fleet = look.body, look.fleet
        certificate = await self._certificates.ensure(fleet, body)
        if not self._publisher.trusts(fleet.metadata.name, certificate.trust_bundle):
            look = await self._publisher.publish(key.name, certificate.trust_bundle) or look
        canary = canary_of(fleet, look.guard, look.rollouts)
        problem = await self._apply(body, tracks_of(fleet, look.guard, canary), certificate) or look.problem
        view = await self._observe(fleet, look.guard, canary, certificate.condition, problem)
        status = fleet_status(fleet, view, now)
        await self._write(body, fleet, status)
        await self._held.release_fleet(fleet, look.rollouts, look.guard)
        await collect(self._kube, key.namespace, now)
        return LOOK_AGAIN_SECONDS

    async def _apply(self, body: Object, tracks: Tracks, certificate: FleetCertificate) -> Observation | None:
        kind = ""
        try:
            for manifest in manifests(body, self._proxy, tracks, secret=certificate.secret):
                kind = manifest["kind"]
                if kind == DEPLOYMENT.kind and certificate.condition.status is False:
                    continue  # no pod is to begin without a certificate; those that run go on
                if self._stands(manifest):
                    continue
                self._services.fence()
                await self._kube.apply(manifest)
                self._applied[kind, manifest["metadata"]["name"]] = (manifest, self._services.clock.monotonic())
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

    def _stands(self, manifest: Object) -> bool:
        """Tell whether exactly this was applied a moment ago. A Deployment is applied each time: a watch tells of its changes."""
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        before = self._applied.get((kind, name))
        if before is None or kind == DEPLOYMENT.kind or before[0] != manifest:
            return False
        return self._services.clock.monotonic() - before[1] < _APPLIED_SECONDS

    async def _observe(
        self, fleet: ProxyFleet, guard: Guard, canary: Canary, certificate: Observation, problem: Observation | None
    ) -> FleetView:
        namespace, name = fleet.key
        deployment, found = await asyncio.gather(
            self._kube.get(DEPLOYMENT, namespace, names.proxy_name(name)),
            self._kube.list(POD, namespace, label_selector=f"{names.LABEL_FLEET}={name}"),
        )
        pods = [pod for pod in found if track_of(pod) == "stable"]
        present = {p["metadata"]["name"]: _created(p) for p in pods if not p["metadata"].get("deletionTimestamp")}
        reports, published = self._services.reports, self._services.published
        reports.retain(name, (pod["metadata"]["name"] for pod in found))
        oldest = reports.oldest(name)
        self._metrics.report_age.labels(name).set(-1 if oldest is None else oldest)
        status = (deployment or {}).get("status") or {}
        stable = stable_of(fleet, guard)
        return FleetView(
            replicas=status.get("replicas", 0),
            ready_replicas=status.get("readyReplicas", 0),
            revision=published.revision(name),
            pods=present,
            revisions=reports.revisions(name),
            settling=published.settling,
            rollout=unfinished(deployment, pods, fleet.spec.replicas),
            problem=problem,
            image=image_of(stable),
            canary=CanaryStatus(
                replicas=canary.replicas,
                ready_replicas=len(usable(found, canary)),
                image=image_of(canary.form) if canary.replicas else None,
                lane=canary.lane,
            ),
            certificate=certificate,
            guarded=stable_condition(guard),
            unpromoted=stable is None,
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


def track_of(pod: Object) -> str | None:
    """Return the track that a pod (given as JSON) belongs to."""
    return (pod["metadata"].get("labels") or {}).get(names.LABEL_TRACK)


def image_of(form: Form | None) -> str | None:
    """Return the image of a fleet's form."""
    return form.bundle.image if form is not None and isinstance(form.bundle, FleetBundle) else None


def _created(pod: Any) -> datetime:
    return datetime.fromisoformat(pod["metadata"]["creationTimestamp"])
