"""A real cluster with real pods, Headgate installed from the chart, and an emulated vendor as a pod: one of each per run."""

from collections.abc import Iterator

import pytest

from headgate_dev.realnode import RealCluster, RealNodeUnavailableError

from .headgate import Headgate, install
from .tenant import Tenant
from .vendor import Vendor, deploy


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the first test the time a machine needs that has built nothing yet."""
    for item in items:
        item.add_marker(pytest.mark.timeout(1800))


@pytest.fixture(scope="session")
def cluster() -> Iterator[RealCluster]:
    """The real cluster; where this machine cannot have one, the skip says why. It must leave nothing behind."""
    try:
        real = RealCluster()
    except RealNodeUnavailableError as reason:
        pytest.skip(str(reason))
    with real:
        yield real
    assert real.leftovers() == []


@pytest.fixture(scope="session")
def headgate(cluster: RealCluster) -> Headgate:
    """The chart's release with two proxies, in a namespace that admits only restricted pods."""
    return install(cluster)


@pytest.fixture(scope="session")
def vendor(cluster: RealCluster) -> Iterator[Vendor]:
    """The emulated vendor behind a Service, speaking HTTPS with an authority of its own."""
    with deploy(cluster) as running:
        yield running


@pytest.fixture
def tenant(cluster: RealCluster, headgate: Headgate, vendor: Vendor) -> Tenant:
    """A namespace of the test's own with an agent pod that holds its projected token and nothing else."""
    return Tenant.create(cluster, headgate, vendor)
