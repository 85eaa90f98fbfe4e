"""Whether a fleet's Deployment has come to what spec asks for, and if not, what its pods or its ReplicaSet say of it.

Old pods stay ready while a new image cannot be pulled: readiness alone would call that well.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from headgate_runtime.kube import Object

_PASSING: Final = frozenset({"ContainerCreating", "PodInitializing"})


def unfinished(deployment: Mapping[str, Any] | None, pods: Iterable[Object], wanted: int) -> str | None:
    """Return how far a rollout is (a sentence), or None when every wanted pod runs the present template."""
    if deployment is None:
        return "the Deployment does not exist yet"
    status = deployment.get("status") or {}
    updated, total = status.get("updatedReplicas", 0), status.get("replicas", 0)
    seen = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    if seen and updated >= wanted and total <= updated and status.get("readyReplicas", 0) >= wanted:
        return None
    trouble = _trouble(deployment, pods)
    so_far = f"{updated if seen else 0} of {wanted} proxies have the present template"
    return f"{so_far}; {trouble}" if trouble else so_far


def _trouble(deployment: Mapping[str, Any], pods: Iterable[Object]) -> str | None:
    for condition in (deployment.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            return f"pods cannot be created: {condition.get('message', condition.get('reason', ''))}"
    for pod in sorted(pods, key=lambda pod: str(pod["metadata"]["name"])):
        said = _said(pod)
        if said is not None:
            return f"pod {pod['metadata']['name']}: {said}"
    return None


def _said(pod: Object) -> str | None:
    """Return what keeps a pod from running, in the kubelet's or the scheduler's own words."""
    status = pod.get("status") or {}
    for container in status.get("containerStatuses") or ():
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") and waiting["reason"] not in _PASSING:
            return ": ".join(filter(None, (waiting["reason"], waiting.get("message"))))
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return ": ".join(filter(None, (condition.get("reason"), condition.get("message"))))
    return None
