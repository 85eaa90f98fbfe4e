"""One operator process, and short polls of the real API server with a deadline."""

import json
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx

from headgate_api import names
from headgate_dev.cluster import Cluster
from headgate_dev.release import NAMESPACE
from headgate_runtime.trusting_tls import client_context

_T = TypeVar("_T")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def until(look: Callable[[], _T | None], *, seconds: float = 30.0, what: str) -> _T:
    """Return the first answer of ``look`` that is neither None nor False."""
    deadline = time.monotonic() + seconds
    while True:
        answer = look()
        if answer is not None and answer is not False:
            return answer
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}"
        time.sleep(0.1)


@dataclass
class OperatorProcess:
    process: subprocess.Popen[bytes]
    name: str
    admin: int
    broker: int
    log: Path
    cluster: Cluster

    def end(self, *, seconds: float = 20.0) -> int:
        """Ask it to stop and return its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(seconds)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def probe(self, path: str) -> tuple[int, dict[str, Any]]:
        try:
            answer = httpx.get(f"http://127.0.0.1:{self.admin}{path}", timeout=5)
        except httpx.TransportError:
            return 0, {}
        return answer.status_code, answer.json()

    def metrics(self) -> str:
        return httpx.get(f"http://127.0.0.1:{self.admin}/metrics", timeout=5).text

    def leads(self) -> bool:
        return bool(self.probe("/readyz")[1].get("leads"))

    def report(self, token: str | None, **body: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return self.ask("POST", json=body, headers=headers)

    def ask(self, method: str, path: str = "/v1/report", **request: Any) -> httpx.Response:
        """Ask the broker, which is reached by address and checked by name, as proxies do."""
        url = f"https://127.0.0.1:{self.broker}{path}"
        context = until(self._trusted, what="the broker's authority")
        named = {"sni_hostname": names.broker_server_name(NAMESPACE)}
        with httpx.Client(verify=context, timeout=10, trust_env=False) as client:
            return client.request(method, url, extensions=named, **request)

    def _trusted(self) -> ssl.SSLContext | None:
        found = ("get", "configmap", names.CA_SECRET, "-n", NAMESPACE, "-o", r"jsonpath={.data.ca\.crt}")
        bundle = self.cluster.kubectl(*found, check=False)
        return client_context(bundle) if bundle else None


def head(cluster: Cluster, fleet: str = "default") -> dict[str, Any] | None:
    """Return the head of a fleet's snapshot as JSON, or None."""
    text = cluster.kubectl(
        "get", "configmap", f"headgate-head-{fleet}", "-n", NAMESPACE, "-o", r"jsonpath={.data.head\.json}", check=False
    )
    return json.loads(text) if text else None


def condition(cluster: Cluster, target: str, kind: str, namespace: str = NAMESPACE) -> tuple[str, str, str] | None:
    """Return (status, reason, message) of a condition, or None while it is absent."""
    for found in cluster.get(target, "-n", namespace).get("status", {}).get("conditions", ()):
        if found["type"] == kind:
            return found["status"], found["reason"], found["message"]
    return None
