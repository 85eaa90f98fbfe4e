"""Every containerPort gets a free port of its own, since all pods share the machine's loopback interface."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

CONDITION: Final = "headgate.dev/Ports"
"""Type of the pod condition whose message is a JSON object: port name (or number) -> the local port."""


def declared_ports(pod: Mapping[str, Any]) -> list[str]:
    """Return the key of each containerPort of the pod: its name, else its number."""
    containers: Sequence[Mapping[str, Any]] = pod["spec"]["containers"]
    return [str(port.get("name") or port["containerPort"]) for each in containers for port in each.get("ports") or ()]


def variable(key: str) -> str:
    """Return the environment variable that tells a process its local port: ``HEADGATE_PORT_HTTP`` for `http`."""
    return "HEADGATE_PORT_" + re.sub(r"[^A-Z0-9]", "_", key.upper())


def local_port(container: Mapping[str, Any], wanted: int | str, ports: Mapping[str, int]) -> int:
    """Return the local port a probe's port (a name or a number of that container) stands for.

    Raises ValueError when a named port is not declared; an undeclared number stands for itself.
    """
    for port in container.get("ports") or ():
        if wanted in (port.get("name"), port["containerPort"]):
            return ports[str(port.get("name") or port["containerPort"])]
    if isinstance(wanted, int):
        return wanted
    raise ValueError(f"container {container['name']!r}: no port is named {wanted!r}; declare it under ports")


def ports_condition(ports: Mapping[str, int], since: str) -> dict[str, Any]:
    """Return the pod condition that tells the ports."""
    return {
        "type": CONDITION,
        "status": "True",
        "reason": "PortsAssigned",
        "message": json.dumps(dict(ports), sort_keys=True),
        "lastTransitionTime": since,
    }


def pod_ports(pod: Mapping[str, Any]) -> dict[str, int]:
    """Return port name (or number) -> local port of a pod that runs on the development node; empty before it does."""
    for condition in pod.get("status", {}).get("conditions") or ():
        if condition["type"] == CONDITION:
            return {key: int(port) for key, port in json.loads(condition["message"]).items()}
    return {}
