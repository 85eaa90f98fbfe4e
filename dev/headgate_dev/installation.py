"""Headgate itself on a development cluster: its release, and the way to its pods, which have local ports of their own.

Shared by the demo and by the system tests, so that both run what a user installs.
"""

import time
from typing import Any

from headgate_api import names
from headgate_dev.cluster import Cluster
from headgate_dev.node.ports import pod_ports
from headgate_dev.release import NAMESPACE, READY_TIMEOUT, install_release


class Installation:
    """A release of the chart in ``headgate-system`` with the fleet ``default``."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def install(
        self, fleet_spec: dict[str, Any], *, operator_replicas: int = 1, timeout: float = READY_TIMEOUT
    ) -> None:
        """Install (or upgrade) the chart and wait until the fleet is Ready; see install_release."""
        values = {
            "image": {"repository": "headgate", "tag": "dev"},
            "vault": {"address": self._cluster.bao.address},
            "operator": {"replicas": operator_replicas},
        }
        install_release(self._cluster, values, fleet_spec=fleet_spec, timeout=timeout)

    def operator_pods(self) -> list[str]:
        """Return the names of the operator's running pods."""
        return [pod["metadata"]["name"] for pod in self._pods(f"{names.LABEL_COMPONENT}=operator")]

    def proxy_pods(self, fleet: str = "default", track: str = "stable") -> list[str]:
        """Return the names of the running pods of one track of the fleet."""
        return [pod["metadata"]["name"] for pod in self._pods(_selector(fleet, track))]

    def urls(self, fleet: str = "default", port: str = "http", track: str = "stable") -> dict[str, str]:
        """Return {pod name: base URL of that port} of the running pods of one track of the fleet."""
        scheme = "https" if port == "https" else "http"
        return {
            pod["metadata"]["name"]: f"{scheme}://127.0.0.1:{pod_ports(pod)[port]}"
            for pod in self._pods(_selector(fleet, track))
        }

    def url(self, fleet: str = "default", port: str = "http") -> str:
        """Return the base URL of one running proxy of the fleet."""
        return next(iter(self.urls(fleet, port).values()))

    def leader(self, *, timeout: float = 60.0) -> str:
        """Return the identity of the operator that holds the Lease, as soon as one does."""
        look = ("get", "lease", "headgate-operator", "-n", NAMESPACE, "-o", "jsonpath={.spec.holderIdentity}")
        deadline = time.monotonic() + timeout
        while True:
            lease = self._cluster.kubectl(*look, check=False)
            if lease:
                return lease
            if time.monotonic() > deadline:
                raise TimeoutError(f"no operator holds the Lease after {timeout:.0f} s")
            time.sleep(0.2)

    def _pods(self, selector: str) -> list[dict[str, Any]]:
        found = self._cluster.get("pods", "-n", NAMESPACE, "-l", selector)["items"]
        return [
            pod
            for pod in found
            if "deletionTimestamp" not in pod["metadata"]
            and any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", ()))
        ]


def _selector(fleet: str, track: str) -> str:
    return f"{names.LABEL_FLEET}={fleet},{names.LABEL_TRACK}={track}"
