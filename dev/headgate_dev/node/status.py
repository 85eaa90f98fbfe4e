"""From what containers do to the pod's status, as a kubelet computes it: pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headgate_dev.node.ports import ports_condition


@dataclass
class ContainerState:
    """What one container is doing. Times are RFC 3339 text; ``exit_code`` is that of the last run that ended."""

    name: str
    image: str = ""
    state: str = "waiting"
    """`waiting`, `running` or `terminated`."""
    reason: str = "ContainerCreating"
    message: str = ""
    started_at: str | None = None
    finished_at: str | None = None
    exit_code: int | None = None
    restarts: int = 0
    started: bool = False
    ready: bool = False


def container_status(container: ContainerState) -> dict[str, Any]:
    """Return the `containerStatuses` entry (core/v1 ContainerStatus)."""
    ended = {
        "exitCode": container.exit_code,
        "reason": "Completed" if container.exit_code == 0 else "Error",
        "startedAt": container.started_at,
        "finishedAt": container.finished_at,
    }
    if container.state == "running":
        state: dict[str, Any] = {"running": {"startedAt": container.started_at}}
    elif container.state == "terminated":
        state = {"terminated": ended}
    else:
        state = {"waiting": {"reason": container.reason, "message": container.message}}
    last = {"terminated": ended} if container.exit_code is not None and container.state != "terminated" else {}
    return {
        "name": container.name,
        "image": container.image,
        "imageID": "",
        "ready": container.ready,
        "started": container.started,
        "restartCount": container.restarts,
        "state": state,
        "lastState": last,
    }


def phase(containers: Sequence[ContainerState], *, initialised: bool, init_failed: bool) -> str:
    """Return the pod's phase (the core API's own field): what the Job and ReplicaSet controllers act on."""
    if init_failed:
        return "Failed"
    if all(each.state == "terminated" for each in containers):
        return "Succeeded" if all(each.exit_code == 0 for each in containers) else "Failed"
    if initialised and any(each.state != "waiting" or each.exit_code is not None for each in containers):
        return "Running"
    return "Pending"


def pod_status(
    init: Sequence[ContainerState],
    main: Sequence[ContainerState],
    *,
    ports: Mapping[str, int],
    since: Mapping[str, tuple[str, str]],
    now: str,
    started_at: str,
) -> dict[str, Any]:
    """Return the whole pod status. ``since`` holds, per condition type, its last (status, transition time)."""
    initialised = all(each.state == "terminated" and each.exit_code == 0 for each in init)
    init_failed = any(each.state == "terminated" and each.exit_code != 0 for each in init)
    current = phase(main, initialised=initialised, init_failed=init_failed)
    unready = [each.name for each in main if not each.ready]
    completed = current == "Succeeded"
    reason = "PodCompleted" if completed else "ContainersNotReady"
    message = "" if completed or not unready else f"containers with unready status: {unready}"
    conditions = [
        _condition("PodScheduled", True, since, now),
        _condition("Initialized", initialised, since, now),
        _condition("ContainersReady", not unready, since, now, reason, message),
        _condition("Ready", not unready, since, now, reason, message),
        ports_condition(ports, started_at),
    ]
    return {
        "phase": current,
        "conditions": conditions,
        "initContainerStatuses": [container_status(each) for each in init],
        "containerStatuses": [container_status(each) for each in main],
        "hostIP": "127.0.0.1",
        "hostIPs": [{"ip": "127.0.0.1"}],
        "podIP": "127.0.0.1",
        "podIPs": [{"ip": "127.0.0.1"}],
        "startTime": started_at,
        "reason": None,
        "message": None,
    }


def refused_status(reason: str, message: str, now: str) -> dict[str, Any]:
    """Return the status of a pod that will not run here: Pending, since a Failed pod would be replaced without end."""
    conditions = [
        {"type": kind, "status": "False", "reason": reason, "message": message, "lastTransitionTime": now}
        for kind in ("ContainersReady", "Ready")
    ]
    return {"phase": "Pending", "reason": reason, "message": message, "conditions": conditions}


def _condition(
    kind: str, true: bool, since: Mapping[str, tuple[str, str]], now: str, reason: str = "", message: str = ""
) -> dict[str, Any]:
    status = "True" if true else "False"
    before = since.get(kind)
    changed = before[1] if before is not None and before[0] == status else now
    explanation = {} if true or not reason else {"reason": reason, "message": message}
    return {"type": kind, "status": status, "lastTransitionTime": changed, **explanation}
