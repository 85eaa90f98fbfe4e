"""What the canary track of a fleet is for just now: how many pods, with whose image, and which of them are of use."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from headgate_api import names
from headgate_api.resources import ProxyFleet, RolloutPolicy, RolloutPolicySpec
from headgate_api.snapshot import Endpoint
from headgate_operator.fleet.manifests import Tracks, live_form
from headgate_operator.revisions.bundles import Form
from headgate_operator.revisions.guard import Guard, State, candidate_of
from headgate_operator.revisions.guards import Rollouts
from headgate_operator.rollout.exposure import carries_image, wanted_canaries

Pair = tuple[RolloutPolicy, RolloutPolicySpec | None]


@dataclass(frozen=True, slots=True)
class Canary:
    """``lane``: the policy (namespace/name) whose candidate image the canary runs, if any."""

    replicas: int
    form: Form | None
    lane: str | None = None


def concerned(fleet: ProxyFleet, rollouts: Rollouts) -> list[Pair]:
    """Return the policies with a rollout whose candidate this fleet's canary may have to serve."""
    return [
        (policy, rollouts.running(policy))
        for policy in rollouts.policies
        if policy.status.rollout is not None and concerns(policy, fleet)
    ]


def concerns(policy: RolloutPolicy, fleet: ProxyFleet) -> bool:
    """Tell whether a policy's targets are the fleet itself, or providers of a namespace that it serves."""
    rollout = policy.status.rollout
    targets = {(t.kind, t.name) for t in policy.spec.targets}
    targets |= {(t.kind, t.name) for t in rollout.targets} if rollout is not None else set()
    if any(kind == ProxyFleet.KIND for kind, _ in targets):
        return (
            policy.metadata.namespace == fleet.metadata.namespace and (ProxyFleet.KIND, fleet.metadata.name) in targets
        )
    return fleet.spec.serves(policy.metadata.namespace)


def canary_of(fleet: ProxyFleet, guard: Guard, rollouts: Rollouts) -> Canary:
    """Return what the fleet's canary is to be."""
    pairs = concerned(fleet, rollouts)
    stable = stable_of(fleet, guard)
    replicas = wanted_canaries(pairs, fleet.spec.replicas, fleet.spec.canary_replicas)
    for policy, running in pairs:
        form = candidate_of(policy, ProxyFleet.KIND, fleet.metadata.name, rollouts.history(fleet))
        others = [pair for pair in pairs if pair[0].key != policy.key]
        if form is not None and carries_image(policy, running, others):
            return Canary(replicas, form, "/".join(policy.key))
    return Canary(replicas if stable is not None else 0, stable)


def stable_of(fleet: ProxyFleet, guard: Guard) -> Form | None:
    """Return what the fleet's stable track is to run."""
    return live_form(fleet) if guard.state is State.UNGUARDED else guard.stable


def tracks_of(fleet: ProxyFleet, guard: Guard, canary: Canary) -> Tracks:
    """Return what both tracks are to run."""
    return Tracks(stable_of(fleet, guard), canary.form, canary.replicas)


def endpoints(pods: Iterable[Mapping[str, Any]], canary: Canary, port: int) -> tuple[Endpoint, ...]:
    """Return the canary pods (given as JSON) that requests may go to: ready, staying, and of the form that is wanted now."""
    found = []
    for pod in usable(pods, canary):
        address = (pod.get("status") or {}).get("podIP")
        if address:
            local = _local_ports(pod).get("https", port)
            found.append(Endpoint(pod=pod["metadata"]["name"], address=address, port=local))
    return tuple(sorted(found, key=lambda endpoint: endpoint.pod))


def usable(pods: Iterable[Mapping[str, Any]], canary: Canary) -> list[Mapping[str, Any]]:
    """Return the ready canary pods that run the form that is wanted now."""
    revision = canary.form.revision if canary.form is not None else None
    return [
        pod
        for pod in pods
        if is_ready(pod) and (pod["metadata"].get("labels") or {}).get(names.LABEL_REVISION) == revision
    ]


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Tell whether a pod is ready and not about to go."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    ready = any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)
    return ready and not pod["metadata"].get("deletionTimestamp")


def _local_ports(pod: Mapping[str, Any]) -> Mapping[str, int]:
    """Return the local ports that the development node gave a pod; on any other node there are none."""
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition.get("type") == names.ANNOTATION_PORTS:
            try:
                return {str(name): int(number) for name, number in json.loads(condition["message"]).items()}
            except (KeyError, ValueError, AttributeError):
                return {}
    return {}
