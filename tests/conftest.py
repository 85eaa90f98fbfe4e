"""Fixtures every subsystem shares: one real cluster per test run, one namespace per test."""

import asyncio
import uuid
from collections.abc import Iterator

import pytest

from headgate_dev.cluster import Cluster


def pytest_configure() -> None:
    """Keep plugins from making an event loop only to lose it.

    Before a synchronous test they ask for "the current loop"; where nobody has said that there is none, asyncio makes one,
    and the warning about the loop nobody closed fails whichever test runs when it is collected.
    """
    asyncio.set_event_loop(None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what uses the cluster, so that `-m "not cluster"` runs in seconds."""
    for item in items:
        if "cluster" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.cluster)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A real control plane, OpenBao and node. Whoever stops or freezes a part of it brings it back before the test ends.

    Folders that install the chart have a cluster of their own: they override this fixture.
    """
    with Cluster() as started:
        yield started


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of the test's own; it is deleted afterwards, and the next test does not wait for that."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    cluster.kubectl("create", "namespace", name)
    cluster.wait_for("serviceaccount/default", "create", namespace=name)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")
