"""How a fleet stands, as a pure function of what was observed: its conditions and the rest of its status."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from headgate_api.reasons import ConditionReason, ConditionType
from headgate_api.report import SILENT_AFTER_SECONDS
from headgate_api.resources import ProxyFleet, ProxyFleetStatus
from headgate_api.resources.base import Observation, merge_conditions
from headgate_api.resources.proxyfleet import CanaryStatus, SnapshotStatus
from headgate_operator.fleet.pods import selector_of


@dataclass(frozen=True, slots=True)
class FleetView:
    """What the reconciler saw. ``revisions``: {live pod: revision it runs on}; ``pods``: {existing pod: created at}."""

    replicas: int = 0
    ready_replicas: int = 0
    revision: str | None = None
    pods: Mapping[str, datetime] = field(default_factory=dict)
    revisions: Mapping[str, str | None] = field(default_factory=dict)
    settling: bool = False
    """This process leads for so short a time that proxies need not have reported yet."""
    rollout: str | None = None
    """How far a rollout is that has not come to its end."""
    problem: Observation | None = None
    """Why manifests or snapshot could not be written."""
    image: str | None = None
    canary: CanaryStatus | None = None
    certificate: Observation | None = None
    guarded: Observation | None = None
    """The condition Stable of a fleet that a policy guards."""
    unpromoted: bool = False
    """No image was ever promoted, so there is no stable track."""


def not_served(fleet: ProxyFleet, namespace: str, now: datetime) -> ProxyFleetStatus:
    """Return the status of a fleet that stands in another namespace than the operator's."""
    message = f"ProxyFleets count only in the operator's namespace; create it in {namespace} instead"
    observation = Observation(ConditionType.READY, False, ConditionReason.NAMESPACE_NOT_SERVED, message)
    return _status(fleet, [observation], now)


def fleet_status(fleet: ProxyFleet, view: FleetView, now: datetime) -> ProxyFleetStatus:
    """Return the fleet's status."""
    snapshot = _snapshot(fleet, view, now)
    available = _available(fleet, view)
    delivered = _delivered(fleet, view, snapshot)
    rolling = _rolling(view)
    parts = (*((view.certificate,) if view.certificate is not None else ()), available, delivered, rolling)
    worst = next((o for o in parts if o.status is not True), None)
    ready = Observation(
        ConditionType.READY,
        worst is None,
        ConditionReason.READY if worst is None else worst.reason,
        f"{view.ready_replicas} of {fleet.spec.replicas} proxies are ready, on snapshot {view.revision}"
        if worst is None
        else worst.message,
    )
    shown = [o for o in (ready, available, delivered, view.certificate, view.guarded) if o is not None]
    status = _status(fleet, shown, now)
    return status.model_copy(
        update={
            "replicas": view.replicas,
            "ready_replicas": view.ready_replicas,
            "ready": f"{view.ready_replicas}/{fleet.spec.replicas}",
            "selector": ",".join(f"{k}={v}" for k, v in sorted(selector_of(fleet.metadata.name).items())),
            "snapshot": snapshot,
            "image": view.image,
            "canary": view.canary,
        }
    )


def _status(fleet: ProxyFleet, observed: list[Observation], now: datetime) -> ProxyFleetStatus:
    generation = fleet.metadata.generation
    conditions = merge_conditions(fleet.status.conditions, observed, generation=generation, now=now)
    return ProxyFleetStatus(observed_generation=generation, conditions=conditions)


def _snapshot(fleet: ProxyFleet, view: FleetView, now: datetime) -> SnapshotStatus:
    before = fleet.status.snapshot
    if view.settling and before is not None and before.revision == view.revision and before.acknowledged:
        return before
    acknowledged = [pod for pod, revision in view.revisions.items() if revision == view.revision]
    behind = [pod for pod, revision in view.revisions.items() if revision != view.revision]
    silent = (
        []
        if view.settling
        else [
            pod
            for pod, created in view.pods.items()
            if pod not in view.revisions and (now - created).total_seconds() > SILENT_AFTER_SECONDS
        ]
    )
    return SnapshotStatus(
        revision=view.revision, acknowledged=len(acknowledged), lagging=tuple(sorted([*behind, *silent]))
    )


def _available(fleet: ProxyFleet, view: FleetView) -> Observation:
    wanted, ready = fleet.spec.replicas, view.ready_replicas
    if view.unpromoted and view.guarded is not None:
        return Observation(ConditionType.AVAILABLE, False, view.guarded.reason, view.guarded.message)
    if ready >= wanted:
        return Observation(
            ConditionType.AVAILABLE, True, ConditionReason.AVAILABLE, f"{ready} of {wanted} proxies are ready"
        )
    selector = ",".join(f"{k}={v}" for k, v in selector_of(fleet.metadata.name).items())
    mend = f"see kubectl -n {fleet.metadata.namespace} get pods -l {selector}"
    reason = ConditionReason.UNAVAILABLE if ready == 0 else ConditionReason.PENDING
    cause = f"{view.rollout}; " if view.rollout is not None and ";" in view.rollout else ""
    return Observation(ConditionType.AVAILABLE, False, reason, f"{ready} of {wanted} proxies are ready; {cause}{mend}")


def _rolling(view: FleetView) -> Observation:
    """Return the part of Ready that no condition of its own shows: do all proxies run what spec asks for now?"""
    if view.rollout is None:
        return Observation(ConditionType.READY, True, ConditionReason.READY, "all proxies run the present template")
    text = f"rolling out: {view.rollout}; the proxies that are ready serve meanwhile"
    return Observation(ConditionType.READY, False, ConditionReason.ROLLING_OUT, text)


def _delivered(fleet: ProxyFleet, view: FleetView, snapshot: SnapshotStatus) -> Observation:
    kind = ConditionType.SNAPSHOT_DELIVERED
    if view.problem is not None:
        return view.problem
    if fleet.spec.replicas == 0:
        return Observation(kind, True, ConditionReason.DELIVERED, "spec.replicas is 0: there is no proxy to wait for")
    waiting = [pod for pod, revision in view.revisions.items() if revision != view.revision]
    if waiting:
        message = f"waiting for {', '.join(sorted(waiting)[:5])} to take up snapshot {view.revision}"
        return Observation(kind, False, ConditionReason.DELIVERING, message)
    if not snapshot.acknowledged:
        return Observation(
            kind,
            False,
            ConditionReason.NO_PROXY_READY,
            f"snapshot {view.revision} is published, but no proxy has reported lately; see the pods' logs, and whether they "
            "reach the operator's broker port",
        )
    message = f"proxies that run on snapshot {view.revision}: {snapshot.acknowledged}"
    if snapshot.lagging:
        message += (
            f"; silent for more than {SILENT_AFTER_SECONDS:.0f} s and not counted: {', '.join(snapshot.lagging[:5])}"
        )
    return Observation(kind, True, ConditionReason.DELIVERED, message)
