"""Which parts of a pod the development node understands: the rest is refused by name, never silently ignored."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

REASON: Final = "UnsupportedByDevNode"

_POD_DONE: Final = frozenset(
    {
        "containers",
        "initContainers",
        "nodeName",
        "restartPolicy",
        "schedulingGates",
        "serviceAccount",
        "serviceAccountName",
        "terminationGracePeriodSeconds",
        "volumes",
        "automountServiceAccountToken",
    }
)
_POD_WITHOUT_MEANING_HERE: Final = frozenset(
    {
        # One node, no isolation, the machine's own DNS: these change nothing about what runs.
        "affinity",
        "dnsPolicy",
        "enableServiceLinks",
        "nodeSelector",
        "os",
        "preemptionPolicy",
        "priority",
        "priorityClassName",
        "schedulerName",
        "securityContext",
        "tolerations",
        "topologySpreadConstraints",
        "imagePullSecrets",
    }
)
_CONTAINER_DONE: Final = frozenset(
    {
        "name",
        "command",
        "args",
        "env",
        "envFrom",
        "ports",
        "volumeMounts",
        "readinessProbe",
        "livenessProbe",
        "startupProbe",
        "lifecycle",
    }
)
_CONTAINER_WITHOUT_MEANING_HERE: Final = frozenset(
    {
        "image",
        "imagePullPolicy",
        "resources",
        "securityContext",
        "terminationMessagePath",
        "terminationMessagePolicy",
    }
)
_VOLUMES: Final = frozenset({"projected", "configMap", "secret", "emptyDir", "downwardAPI"})
_PROJECTIONS: Final = frozenset({"serviceAccountToken", "configMap", "secret", "downwardAPI"})
_PROBE_ACTIONS: Final = frozenset({"httpGet", "exec", "tcpSocket"})
_PROBE_NUMBERS: Final = frozenset(
    {"initialDelaySeconds", "periodSeconds", "timeoutSeconds", "successThreshold", "failureThreshold"}
)


def unsupported(pod: Mapping[str, Any]) -> str | None:
    """Return what of the pod the node cannot do, as one sentence naming the field and the mend, or None."""
    problems = list(_problems(pod["spec"]))
    return "; ".join(problems) if problems else None


def _problems(spec: Mapping[str, Any]) -> Iterable[str]:
    for field in sorted(spec.keys() - _POD_DONE - _POD_WITHOUT_MEANING_HERE):
        if spec[field]:
            yield f"spec.{field} is not supported by the development node; use `make e2e` for real pods"
    for volume in spec.get("volumes") or ():
        yield from _volume_problems(volume)
    for section in ("initContainers", "containers"):
        for container in spec.get(section) or ():
            yield from _container_problems(f"spec.{section}[{container['name']}]", container)


def _volume_problems(volume: Mapping[str, Any]) -> Iterable[str]:
    where = f"spec.volumes[{volume['name']}]"
    for kind in sorted(volume.keys() - _VOLUMES - {"name"}):
        yield f"{where}.{kind} is not supported; use one of {', '.join(sorted(_VOLUMES))}"
    for source in volume.get("projected", {}).get("sources") or ():
        for kind in sorted(source.keys() - _PROJECTIONS):
            yield f"{where}.projected.{kind} is not supported; use one of {', '.join(sorted(_PROJECTIONS))}"


def _container_problems(where: str, container: Mapping[str, Any]) -> Iterable[str]:
    for field in sorted(container.keys() - _CONTAINER_DONE - _CONTAINER_WITHOUT_MEANING_HERE):
        yield f"{where}.{field} is not supported by the development node"
    if not container.get("command"):
        yield f"{where}.command is missing; no image is read here, so the pod must name its command"
    for mount in container.get("volumeMounts") or ():
        if "subPathExpr" in mount:
            yield f"{where}.volumeMounts[{mount['name']}].subPathExpr is not supported; use subPath"
    for name in ("readinessProbe", "livenessProbe", "startupProbe"):
        for field in sorted((container.get(name) or {}).keys() - _PROBE_ACTIONS - _PROBE_NUMBERS):
            yield f"{where}.{name}.{field} is not supported; use one of {', '.join(sorted(_PROBE_ACTIONS))}"
    for hook, action in (container.get("lifecycle") or {}).items():
        if hook != "preStop" or not action.keys() <= {"exec", "httpGet", "sleep"}:
            yield f"{where}.lifecycle.{hook} is not supported; only preStop with exec, httpGet or sleep is"
