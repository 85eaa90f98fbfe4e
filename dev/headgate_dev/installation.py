"""Headgate itself on a development cluster: the chart installed by the real helm, and the way to its proxies.

Shared by the demo and by the system tests, so that both run what a user installs.
"""

import json
import time
from pathlib import Path
from typing import Any, Final

from headgate_api import names
from headgate_dev.cluster import Cluster
from headgate_dev.node.ports import pod_ports

NAMESPACE: Final = "headgate-system"
CHART: Final = Path(__file__).parents[2] / "charts" / "headgate"
_READY_TIMEOUT = 90.0


class Installation:
    """A release of the chart in ``headgate-system`` with the fleet ``default``."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def install(self, fleet_spec: dict[str, Any], *, operator_replicas: int = 1, timeout: float = _READY_TIMEOUT) -> None:
        """Install (or upgrade) the chart and wait until the fleet is Ready.

        ``fleet_spec`` is a ProxyFleetSpec without its image. Raises CommandError with kubectl's or helm's own words.
        """
        values = {
            "image": {"repository": "headgate", "tag": "dev"},
            "vault": {"address": self._cluster.bao.address},
            "operator": {"replicas": operator_replicas},
            "defaultFleet": {"spec": {"allowedNamespaces": ["*"], **fleet_spec}},
        }
        file = self._cluster.state / "values.json"
        file.write_text(json.dumps(values), encoding="utf-8")
        self._cluster.helm(
            "upgrade", "--install", "headgate", str(CHART), "--namespace", NAMESPACE, "--create-namespace",
            "--values", str(file),
        )  # fmt: skip
        self._cluster.wait_for(
            "deployment/headgate-operator", "condition=Available", namespace=NAMESPACE, timeout=timeout
        )
        self._cluster.wait_for("proxyfleet/default", "create", namespace=NAMESPACE, timeout=timeout)
        self._cluster.wait_for("proxyfleet/default", "condition=Ready", namespace=NAMESPACE, timeout=timeout)

    def operator_pods(self) -> list[str]:
        """Return the names of the operator's running pods."""
        return [pod["metadata"]["name"] for pod in self._pods(f"{names.LABEL_COMPONENT}=operator")]

    def proxy_pods(self, fleet: str = "default") -> list[str]:
        """Return the names of the fleet's running pods."""
        return [pod["metadata"]["name"] for pod in self._pods(f"{names.LABEL_FLEET}={fleet}")]

    def urls(self, fleet: str = "default", port: str = "http") -> dict[str, str]:
        """Return {pod name: base URL of that port} of the fleet's running pods."""
        return {
            pod["metadata"]["name"]: f"http://127.0.0.1:{pod_ports(pod)[port]}"
            for pod in self._pods(f"{names.LABEL_FLEET}={fleet}")
        }

    def url(self, fleet: str = "default", port: str = "http") -> str:
        """Return the base URL of one running proxy of the fleet."""
        return next(iter(self.urls(fleet, port).values()))

    def leader(self, *, timeout: float = 60.0) -> str:
        """Return the identity of the operator that holds the Lease, as soon as one does."""
        deadline = time.monotonic() + timeout
        while True:
            lease = self._cluster.kubectl(
                "get", "lease", "headgate-operator", "-n", NAMESPACE, "-o", "jsonpath={.spec.holderIdentity}", check=False
            )
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
