"""An API server to show what the chart renders, and helm beside it; nothing is installed."""

from collections.abc import Iterator
from typing import Any, Final

import pytest

from headgate_dev.cluster import Cluster
from headgate_dev.release import NAMESPACE

_FOREIGN: Final = (
    ("cert-manager.io", "certificates", "Certificate"),
    ("monitoring.coreos.com", "servicemonitors", "ServiceMonitor"),
    ("monitoring.coreos.com", "podmonitors", "PodMonitor"),
)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with Cluster(node=False) as started:
        yield started


@pytest.fixture(scope="session")
def api_server(cluster: Cluster) -> Cluster:
    """It holds Headgate's namespace to the restricted pod security standard, and knows the kinds of other projects."""
    levels = [f"pod-security.kubernetes.io/{mode}=restricted" for mode in ("enforce", "warn")]
    cluster.kubectl("label", "namespace", NAMESPACE, *levels)
    cluster.apply([_anything(*kind) for kind in _FOREIGN])
    for group, plural, _ in _FOREIGN:
        cluster.wait_for(f"crd/{plural}.{group}", "condition=Established")
    return cluster


def _anything(group: str, plural: str, kind: str) -> dict[str, Any]:
    """A CustomResourceDefinition that takes any object of the kind: theirs are not ours to test."""
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    names = {"kind": kind, "plural": plural}
    versions = [{"name": "v1", "served": True, "storage": True, "schema": schema}]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": versions},
    }
