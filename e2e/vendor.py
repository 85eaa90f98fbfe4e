"""The emulated vendor as a pod of Headgate's own image, reached by its Service's name over HTTPS."""

import json
import secrets
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from headgate_dev.emulator import FaultKind
from headgate_dev.realnode import RealCluster

from .manifests import RESTRICTED_CONTAINER, RESTRICTED_POD, namespace

_NAMESPACE = "vendor"
_HOST = f"anthropic.{_NAMESPACE}.svc"
_PORT = 8443


@dataclass(frozen=True)
class Vendor:
    """Where it is, who signed its certificate, and a client of its control side."""

    ca_pem: str
    control: httpx.Client
    url: str = f"https://{_HOST}:{_PORT}"
    api_key: str = field(default_factory=lambda: f"emulated-key-{secrets.token_hex(8)}")
    oauth_token: str = field(default_factory=lambda: f"emulated-token-{secrets.token_hex(8)}")
    _held: list[str] = field(default_factory=list)

    def tokens(self, **change: Any) -> None:
        """Change which credentials it accepts."""
        self._control("POST", "/_emulator/tokens", json=change)

    def credentials_used(self) -> list[tuple[str, str]]:
        """(kind, credential) of each request so far."""
        recorded = self._control("GET", "/_emulator/requests").json()
        return [(each["credential_kind"], each["credential"]) for each in recorded["requests"]]

    @contextmanager
    def holding(self, requests: int) -> Iterator[None]:
        """Hold the streams of the next ``requests`` after their first words; let them go on at the end."""
        fault = {"kind": FaultKind.HOLD, "after_events": 4, "times": requests}
        self._held.append(self._control("POST", "/_emulator/faults", json=fault).json()["id"])
        try:
            yield
        finally:
            self._control("POST", f"/_emulator/faults/{self._held.pop()}/release")

    def wait_held(self, count: int) -> None:
        """Wait until so many streams are held."""
        self._control(
            "GET", f"/_emulator/faults/{self._held[-1]}/held", params={"count": count, "timeout": 30}, timeout=40
        )

    def _control(self, method: str, path: str, **options: Any) -> httpx.Response:
        # By address from outside the cluster, so the name that the certificate is for must be said.
        return self.control.request(method, path, extensions={"sni_hostname": _HOST}, **options).raise_for_status()


@contextmanager
def deploy(cluster: RealCluster) -> Iterator[Vendor]:
    """Start it and wait until it is ready."""
    command = [
        "python3",
        "-m",
        "headgate_dev.emulator",
        "--host=0.0.0.0",
        f"--port={_PORT}",
        "--tls",
        f"--tls-name={_HOST}",
    ]
    container = {
        "name": "vendor",
        "image": cluster.image,
        "imagePullPolicy": "Never",
        "command": command,
        "ports": [{"name": "https", "containerPort": _PORT}],
        "readinessProbe": {"tcpSocket": {"port": "https"}, "periodSeconds": 1},
        "securityContext": RESTRICTED_CONTAINER,
        # Python's TLS reads its key from a file.
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 (the container's)
    }
    metadata = {"name": "anthropic", "namespace": _NAMESPACE, "labels": {"app": "anthropic"}}
    pod = {
        # Its own, applied before it: the default one of a new namespace comes in its own time.
        "serviceAccountName": "anthropic",
        "automountServiceAccountToken": False,
        "securityContext": RESTRICTED_POD,
        "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {"medium": "Memory"}}],
    }
    ports = [{"name": "https", "port": _PORT, "targetPort": "https"}]
    service = {"selector": {"app": "anthropic"}, "ports": ports}
    cluster.apply(
        [
            namespace(_NAMESPACE),
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
            {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod},
            {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": service},
        ]
    )
    cluster.wait_for("pod/anthropic", "condition=Ready", namespace=_NAMESPACE)
    ca_pem = json.loads(cluster.kubectl("logs", "-n", _NAMESPACE, "anthropic").splitlines()[0])["ca_pem"]
    address = cluster.get("pod/anthropic", "-n", _NAMESPACE)["status"]["podIP"]
    trust = ssl.create_default_context(cadata=ca_pem)
    with httpx.Client(base_url=f"https://{address}:{_PORT}", verify=trust, trust_env=False) as control:
        yield Vendor(ca_pem, control)
