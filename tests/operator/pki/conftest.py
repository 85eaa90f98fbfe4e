"""A fleet on the real API server, the certificates one leader makes for it, and clients that believe what a head says."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry, Gauge

from headgate_api import crds
from headgate_api.clock import ManualClock, SystemClock
from headgate_api.resources import ProxyFleet
from headgate_dev.cluster import Cluster
from headgate_operator.fleet.certificates import FleetCertificate
from headgate_operator.pki.certificates import OwnCertificates
from headgate_operator.pki.plan import Timing
from headgate_runtime.kube import Kube, KubeSettings, Object
from headgate_runtime.kube_kinds import PROXY_FLEET, SECRET
from headgate_runtime.trusting_tls import client_context

# Short enough that the certificates of a whole rotation are valid now, whatever the test's clock says.
QUICK = Timing(settle=timedelta(seconds=60), retire=timedelta(seconds=60))


@dataclass
class World:
    kube: Kube
    namespace: str
    clock: ManualClock
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    acknowledged: bool = False
    leading: bool = True

    def __post_init__(self) -> None:
        self.expiry = Gauge("expiry", "…", ["certificate"], registry=self.registry)
        self.certificates = self.leader()

    def leader(self, kube: Kube | None = None) -> OwnCertificates:
        async def acknowledged(fleet: str, pem: str) -> bool:
            return self.acknowledged

        return OwnCertificates(
            kube or self.kube,
            self.clock,
            namespace=self.namespace,
            fence=self._fence,
            acknowledged=acknowledged,
            expiry=self.expiry,
            timing=QUICK,
        )

    def _fence(self) -> None:
        if not self.leading:
            raise RuntimeError("written without leading")

    async def fleet(self, **tls: Any) -> Object:
        spec = {"image": "headgate:test", "allowedNamespaces": ["*"], "tls": tls}
        metadata = {"name": "edge", "namespace": self.namespace}
        body = {"apiVersion": "headgate.dev/v1alpha1", "kind": "ProxyFleet", "metadata": metadata, "spec": spec}
        return await self.kube.apply(body)

    async def ensure(self) -> FleetCertificate:
        body = await self.kube.get(PROXY_FLEET, self.namespace, "edge")
        assert body is not None
        return await self.certificates.ensure(ProxyFleet.from_wire(body), body)

    async def secret(self, name: str) -> Object:
        found = await self.kube.get(SECRET, self.namespace, name)
        assert found is not None, name
        return found

    async def values(self, name: str) -> dict[str, str]:
        return {k: base64.b64decode(v).decode() for k, v in (await self.secret(name))["data"].items()}

    async def rotate(self, word: str) -> None:
        operation = {"op": "add", "path": "/metadata/annotations", "value": {"headgate.dev/rotate": word}}
        await self.kube.json_patch(SECRET, self.namespace, "headgate-ca", [operation])

    def expires(self, what: str) -> float | None:
        return self.registry.get_sample_value("expiry", {"certificate": what})


@pytest.fixture
async def kube(cluster: Cluster) -> AsyncIterator[Kube]:
    cluster.apply([yaml.safe_load(text) for text in crds.files().values()])
    cluster.wait_for("crd/proxyfleets.headgate.dev", "condition=Established")
    async with await Kube.connect(KubeSettings(kubeconfig=cluster.kubeconfig)) as opened:
        yield opened


@pytest.fixture
async def world(kube: Kube, namespace: str) -> World:
    return World(kube, namespace, ManualClock(SystemClock().now()))


async def connect(port: int, bundle: str, name: str) -> bytes:
    """Return the certificate (DER) of a server on this machine, checked against ``bundle`` and ``name``, after one request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client_context(bundle), server_hostname=name)
    try:
        writer.write(b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 200")
        return writer.get_extra_info("ssl_object").getpeercert(binary_form=True) or b""
    finally:
        writer.close()


@pytest.fixture(name="connect")
def connect_fixture() -> Callable[..., Any]:
    return connect
