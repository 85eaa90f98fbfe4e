"""Headgate as a user installs it: the chart, by helm, in a namespace under the restricted pod security standard."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from headgate_api import names
from headgate_dev.cluster import CommandError
from headgate_dev.realnode import RealCluster
from headgate_dev.realnode.addons import OPENBAO_ADDRESS
from headgate_dev.release import NAMESPACE, install_release

SERVICE_URL = f"http://headgate-proxy-default.{NAMESPACE}.svc:8080"


@dataclass(frozen=True)
class Headgate:
    """The installed release."""

    cluster: RealCluster

    def pods(self) -> list[dict[str, Any]]:
        """The fleet's pods that are not on their way out."""
        found = self.cluster.get("pods", "-n", NAMESPACE, "-l", f"{names.LABEL_FLEET}=default")["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def exec(self, pod: str, *command: str) -> str:
        return self.cluster.kubectl("exec", "-n", NAMESPACE, pod, "--", *command)

    def kill(self, pod: dict[str, Any]) -> None:
        """SIGKILL the proxy's process from the node, as the kernel would when memory runs out."""
        container = pod["status"]["containerStatuses"][0]["containerID"].removeprefix("containerd://")
        for line in self.cluster.on_node("ctr", "--namespace=k8s.io", "tasks", "list").splitlines():
            task = line.split()
            if task[0] == container:
                self.cluster.on_node("kill", "-KILL", task[1])
                return
        raise LookupError(f"no task of container {container}")


def install(cluster: RealCluster, fleet_spec: dict[str, Any] | None = None) -> Headgate:
    """Install (or upgrade) the chart and wait until the fleet is Ready; on failure show what the pods say."""
    cluster.kubectl("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted", "--overwrite")
    repository, _, tag = cluster.image.rpartition(":")
    values = {
        "image": {"repository": repository, "tag": tag, "pullPolicy": "Never"},
        "vault": {"address": OPENBAO_ADDRESS},
    }
    try:
        spec = {"replicas": 2, "allowances": {"privateAddresses": True}, **(fleet_spec or {})}
        install_release(cluster, values, fleet_spec=spec)
    except CommandError as error:
        raise AssertionError(f"the fleet is not Ready: {error}\n{story(cluster)}") from error
    return Headgate(cluster)


def story(cluster: RealCluster) -> str:
    """What a person would look at: the fleet, the pods, their events and the ends of their logs."""
    return "\n".join(
        cluster.kubectl(*command, check=False)
        for command in (
            ("get", "proxyfleets,pods,events", "-n", NAMESPACE, "-o", "wide"),
            ("get", "proxyfleets", "-n", NAMESPACE, "-o", "jsonpath={.items[*].status}"),
            ("logs", "-n", NAMESPACE, "deployment/headgate-operator", "--tail=40"),
            ("logs", "-n", NAMESPACE, "-l", f"{names.LABEL_FLEET}=default", "--tail=20", "--prefix"),
        )
    )


def eventually(what: str, holds: Callable[[], bool], timeout: float = 60.0) -> None:
    """Look at what has no watch until ``holds()``; TimeoutError naming ``what`` otherwise."""
    deadline = time.monotonic() + timeout
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout:.0f} s: {what}")
        time.sleep(0.25)
