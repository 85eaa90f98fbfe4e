"""The whole of Headgate on the development cluster: chart, operator, proxies, an emulated vendor, an OTLP sink."""

from collections.abc import Iterator

import pytest

from headgate_dev.cluster import Cluster
from headgate_dev.emulator import EmulatorThread, ServerTLS, throwaway_tls
from headgate_dev.installation import Installation
from headgate_dev.otlp import OTLPSinkThread

from .tenant import Tenant, eventually


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A cluster of this folder's own, since the chart is installed into it."""
    with Cluster() as started:
        yield started


@pytest.fixture(scope="session")
def tls() -> ServerTLS:
    return throwaway_tls()


@pytest.fixture(scope="session")
def sink() -> Iterator[OTLPSinkThread]:
    with OTLPSinkThread() as running:
        yield running


@pytest.fixture
def vendor(tls: ServerTLS) -> Iterator[EmulatorThread]:
    """An emulated vendor of the test's own, so that its requests are this test's requests."""
    with EmulatorThread(tls=tls) as running:
        yield running


@pytest.fixture(scope="session")
def headgate(cluster: Cluster, sink: OTLPSinkThread) -> Installation:
    installation = Installation(cluster)
    installation.install(
        {
            "replicas": 2,
            "drainSeconds": 20,
            "allowances": {"privateAddresses": True},
            "telemetry": {"otlpEndpoint": sink.url, "samplingPercent": 100},
        }
    )
    return installation


def grant_everything(cluster: Cluster, namespace: str, user: str) -> None:
    cluster.kubectl("create", "rolebinding", "-n", namespace, user, "--clusterrole=cluster-admin", f"--user={user}")


@pytest.fixture
def tenant(cluster: Cluster, headgate: Installation, vendor: EmulatorThread, namespace: str) -> Tenant:
    cluster.kubectl("create", "serviceaccount", "-n", namespace, "agent")
    grant_everything(cluster, namespace, f"alice-{namespace}")
    tenant = Tenant(cluster, headgate, vendor, namespace)
    eventually("the API server can judge our kinds", tenant.judged)
    return tenant
