"""Proxies that nobody runs: pods no node takes, made ready by hand, that report the head they are told to hold."""

import json
from dataclasses import dataclass, field
from typing import Any

from tests.operator.process import OperatorProcess, head

from headgate_api.snapshot import Head, parse_head
from headgate_dev.cluster import Cluster
from headgate_dev.release import NAMESPACE


@dataclass
class Proxies:
    cluster: Cluster
    operators: list[OperatorProcess]
    frozen: set[str] = field(default_factory=set)
    """Pods that go on with the head they had."""
    tokens: dict[str, str] = field(default_factory=dict)
    canary_ready: bool = True

    def sync(self) -> None:
        """Make every pod of the fleet ready, and have it take up the head that is published now."""
        text = head(self.cluster)
        if text is None:
            return
        now = parse_head(json.dumps(text))
        listed = self.cluster.kubectl("get", "pods", "-n", NAMESPACE, "-l", "headgate.dev/fleet=default", "-o", "json")
        for pod in json.loads(listed)["items"]:
            if "deletionTimestamp" in pod["metadata"]:
                name = pod["metadata"]["name"]
                self.cluster.kubectl("delete", "pod", name, "-n", NAMESPACE, "--force", "--grace-period=0", check=False)
                continue
            if pod["metadata"]["labels"]["headgate.dev/track"] == "canary" and not self.canary_ready:
                continue
            self._make_ready(pod)
            if pod["metadata"]["name"] not in self.frozen:
                self._report(pod, now)

    def _make_ready(self, pod: dict[str, Any]) -> None:
        if pod["status"].get("phase") == "Running":
            return
        since = "2026-01-01T00:00:00Z"
        ready = {"type": "Ready", "status": "True", "lastTransitionTime": since}
        status = {"phase": "Running", "podIP": "10.9.8.7", "startTime": since, "conditions": [ready]}
        patch = json.dumps({"status": status})
        name = pod["metadata"]["name"]
        self.cluster.kubectl("patch", "pod", name, "-n", NAMESPACE, "--subresource=status", "--type=merge", "-p", patch)

    def _report(self, pod: dict[str, Any], now: Head) -> None:
        name, account = pod["metadata"]["name"], pod["spec"]["serviceAccountName"]
        if name not in self.tokens:
            self.tokens[name] = self.cluster.kubectl(
                "create", "token", account, "-n", NAMESPACE, "--audience=headgate-broker", "--bound-object-kind=Pod",
                f"--bound-object-name={name}",
            ).strip()  # fmt: skip
        track = pod["metadata"]["labels"]["headgate.dev/track"]
        for operator in self.operators:
            if operator.process.poll() is None and operator.leads():
                said = {"fleet": "default", "pod": name, "track": track, "revision": now.revision, "head": now.digest}
                operator.report(self.tokens[name], **said)
