"""The Secrets and ConfigMaps a pod's environment refers to: which ones, and reading them."""

from collections.abc import Iterator, Mapping
from typing import Any

from headgate_dev.node.volumes import Volumes
from headgate_runtime.kube import Object

_KINDS = {
    "configMapKeyRef": "configMap",
    "configMapRef": "configMap",
    "secretKeyRef": "secret",
    "secretRef": "secret",
}


def references(pod: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Return (`configMap` | `secret`, name) of each object an environment of the pod refers to."""
    spec = pod["spec"]
    return {
        reference
        for container in [*(spec.get("initContainers") or ()), *spec["containers"]]
        for reference in _of_container(container)
    }


async def read_sources(pod: Object, volumes: Volumes) -> tuple[dict[str, dict[str, str]], dict[str, dict[str, str]]]:
    """Return the data of the (ConfigMaps, Secrets) by name; one that does not exist is left out."""
    result: dict[str, dict[str, dict[str, str]]] = {"configMap": {}, "secret": {}}
    for kind, name in sorted(references(pod)):
        data = await volumes.data(kind, name)
        if data is not None:
            result[kind][name] = {key: value.decode(errors="replace") for key, value in data.items()}
    return result["configMap"], result["secret"]


def _of_container(container: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for entry in container.get("env") or ():
        for key, reference in (entry.get("valueFrom") or {}).items():
            if key in _KINDS:
                yield _KINDS[key], reference["name"]
    for source in container.get("envFrom") or ():
        for key, reference in source.items():
            if key in _KINDS:
                yield _KINDS[key], reference["name"]
