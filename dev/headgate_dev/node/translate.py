"""From a pod's container to the process that stands for it: pure, so that every rule is tested without a cluster."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from headgate_dev.node.ports import variable

Sources = Mapping[str, Mapping[str, str]]
"""Object name -> its data (decoded)."""

_REFERENCE: Final = re.compile(r"\$(\$)?\(([A-Za-z_][A-Za-z0-9_.-]*)\)")
_SUBSCRIPT: Final = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")


class MissingReferenceError(Exception):
    """A Secret, ConfigMap or key the container needs does not exist (yet); the node tries again."""


@dataclass(frozen=True)
class Machine:
    """What every process on this node is given, whatever its pod says."""

    environment: Mapping[str, str]
    api_host: str
    api_port: int
    programs: Mapping[str, str] = field(default_factory=dict)
    """Command names that stand for a program of this installation: `headgate` -> its path."""


@dataclass(frozen=True)
class ProcessPlan:
    """A process to start: argument list and complete environment."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]


def plan_container(
    pod: Mapping[str, Any],
    container: Mapping[str, Any],
    *,
    config_maps: Sources,
    secrets: Sources,
    volumes: Mapping[str, Path],
    ports: Mapping[str, int],
    machine: Machine,
) -> ProcessPlan:
    """Return the process of ``container``; ``volumes`` maps volume name -> local folder, ``ports`` key -> local port.

    Raises MissingReferenceError when a required Secret, ConfigMap or key is not there.
    """
    declared = _declared(pod, container, config_maps, secrets)
    local_ports = {variable(key): str(port) for key, port in ports.items()}
    environment = {
        **machine.environment,
        "KUBERNETES_SERVICE_HOST": machine.api_host,
        "KUBERNETES_SERVICE_PORT": str(machine.api_port),
        **local_ports,
    }
    for name, value, literal in declared:
        # A pod says its declared port there; on this machine many pods would fight over it.
        if name not in local_ports:
            environment[name] = expand(value, environment) if literal else value
    rewrite = PathRewriter(container, volumes)
    declared_names = {name for name, _, _ in declared}
    environment = {name: rewrite(value) if name in declared_names else value for name, value in environment.items()}
    words = [*(container.get("command") or ()), *(container.get("args") or ())]
    argv = [rewrite(expand(word, environment)) for word in words]
    argv[0] = machine.programs.get(argv[0], argv[0])
    return ProcessPlan(tuple(argv), environment)


def expand(text: str, environment: Mapping[str, str]) -> str:
    """Expand ``$(NAME)`` as Kubernetes does: ``$$(NAME)`` stays ``$(NAME)``, an unknown name stays as written."""

    def value(match: re.Match[str]) -> str:
        if match[1]:
            return match[0][1:]
        return environment.get(match[2], match[0])

    return _REFERENCE.sub(value, text)


class PathRewriter:
    """Rewrites each mountPath in a text to the local folder that stands for it, longest path first."""

    def __init__(self, container: Mapping[str, Any], volumes: Mapping[str, Path]) -> None:
        self._local = {
            mount["mountPath"].rstrip("/"): str(volumes[mount["name"]] / mount.get("subPath", ""))
            for mount in container.get("volumeMounts") or ()
        }
        paths = sorted(self._local, key=len, reverse=True)
        alternatives = "|".join(map(re.escape, paths))
        # Whole path segments only: /data must not match in /database nor in https://host/data.
        self._pattern = re.compile(rf"(?<![\w.-])(?:{alternatives})(?![\w.-])") if paths else None

    def __call__(self, text: str) -> str:
        """Return ``text`` with local paths."""
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda match: self._local[match[0]], text)


def field_value(pod: Mapping[str, Any], path: str) -> str:
    """Return what the downward API gives for ``path``. Raises ValueError for a path it does not know."""
    metadata, spec = pod["metadata"], pod["spec"]
    if match := _SUBSCRIPT.fullmatch(path):
        return str((metadata.get(match[1]) or {}).get(match[2], ""))
    simple: dict[str, Any] = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata["namespace"],
        "metadata.uid": metadata["uid"],
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName", "default"),
        "status.podIP": "127.0.0.1",
        "status.hostIP": "127.0.0.1",
    }
    if path in ("metadata.labels", "metadata.annotations"):
        mapping = metadata.get(path.removeprefix("metadata.")) or {}
        return "\n".join(f'{key}="{value}"' for key, value in sorted(mapping.items()))
    if path not in simple:
        raise ValueError(f"fieldPath {path!r} is not supported by the development node; use one of {sorted(simple)}")
    return str(simple[path])


def _declared(
    pod: Mapping[str, Any], container: Mapping[str, Any], config_maps: Sources, secrets: Sources
) -> list[tuple[str, str, bool]]:
    """Return (name, value, is it a literal that may hold references) in the order Kubernetes applies them."""
    result: list[tuple[str, str, bool]] = []
    for source in container.get("envFrom") or ():
        for key, objects in (("configMapRef", config_maps), ("secretRef", secrets)):
            if reference := source.get(key):
                data = _object(objects, reference, key)
                result += [(source.get("prefix", "") + name, value, False) for name, value in data.items()]
    for entry in container.get("env") or ():
        source = entry.get("valueFrom")
        if source is None:
            result.append((entry["name"], entry.get("value", ""), True))
        elif (value := _value_from(pod, source, config_maps, secrets)) is not None:
            result.append((entry["name"], value, False))
    return result


def _value_from(
    pod: Mapping[str, Any], source: Mapping[str, Any], config_maps: Sources, secrets: Sources
) -> str | None:
    if "fieldRef" in source:
        return field_value(pod, source["fieldRef"]["fieldPath"])
    for kind, objects in (("configMapKeyRef", config_maps), ("secretKeyRef", secrets)):
        if reference := source.get(kind):
            data = _object(objects, reference, kind)
            if reference["key"] not in data and not reference.get("optional"):
                raise MissingReferenceError(f"{kind}: {reference['name']} has no key {reference['key']!r}")
            return data.get(reference["key"])
    raise ValueError(f"valueFrom {sorted(source)} is not supported by the development node")


def _object(objects: Sources, reference: Mapping[str, Any], kind: str) -> Mapping[str, str]:
    data = objects.get(reference["name"])
    if data is None:
        if reference.get("optional"):
            return {}
        raise MissingReferenceError(f"{kind}: {reference['name']} does not exist")
    return data
