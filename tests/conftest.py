"""Fixtures every subsystem shares: one real cluster per test run, one namespace per test."""

import uuid
from collections.abc import Iterator

import pytest

from headgate_dev.cluster import Cluster


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what uses the cluster, so that `-m "not cluster"` runs in seconds."""
    for item in items:
        if "cluster" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.cluster)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A real control plane, OpenBao and node. Whoever stops or freezes a part of it brings it back before the test ends."""
    with Cluster() as started:
        yield started


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of the test's own; it is deleted afterwards, and the next test does not wait for that."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    cluster.kubectl("create", "namespace", name)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")
