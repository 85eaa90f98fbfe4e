"""The chart as helm renders it, for any values and any API server."""

from pathlib import Path
from typing import Any, Final

import yaml

from headgate_dev.cluster.access import ClusterAccess
from headgate_dev.release import NAMESPACE

CHART: Final = Path(__file__).parents[2] / "charts" / "headgate"
ADDRESS: Final = "vault.address=https://openbao.vault.svc:8200"
STAMPS: Final = ("--api-versions", "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy")
CERT_MANAGER: Final = ("--api-versions", "cert-manager.io/v1/Certificate")
PROMETHEUS: Final = ("--api-versions", "monitoring.coreos.com/v1/ServiceMonitor")


def render(cluster: ClusterAccess, *arguments: str, address: bool = True) -> list[dict[str, Any]]:
    """Return the objects, tests included; ``arguments``: flags of helm, and values as ``name=value`` or ``name=<JSON>``."""
    settings: list[str] = ["--set", ADDRESS] if address else []
    pending: str | None = None
    for argument in arguments:
        if pending is not None or argument.startswith("--"):
            settings.append(argument)
            pending = argument if pending is None else None
        else:
            settings += ["--set-json" if "=[" in argument or "={" in argument else "--set", argument]
    command = ("template", "headgate", str(CHART), "-n", NAMESPACE, "--kube-version", "1.36.3", "--include-crds")
    return [found for found in yaml.safe_load_all(cluster.helm(*command, *settings)) if found]


def one(objects: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    """Return the object of that kind and name; it must be there once."""
    (found,) = [each for each in objects if each["kind"] == kind and each["metadata"]["name"] == name]
    return found


def named(objects: list[dict[str, Any]], kind: str) -> set[str]:
    """Return the names of the objects of that kind."""
    return {each["metadata"]["name"] for each in objects if each["kind"] == kind}
