"""A cluster of this folder's own: its tests write statuses as the operator would, and one of them purges everything."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from headgate_dev.cluster import Cluster

from .accounts import Accounts
from .guarded import Guarded

CRDS = Path(__file__).parents[2] / "crds"


def apply_crds(cluster: Cluster) -> None:
    cluster.kubectl("apply", "--server-side", f"--filename={CRDS}")
    for plural in ("llmproviders", "subscriptionaccounts", "proxyfleets", "rolloutpolicies"):
        cluster.wait_for(f"crd/{plural}.headgate.dev", "condition=Established")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with Cluster(node=False) as started:
        apply_crds(started)
        yield started


@pytest.fixture
def guarded(cluster: Cluster, namespace: str, monkeypatch: pytest.MonkeyPatch) -> Guarded:
    """A policy in the test's namespace that waits for an approval, and the revisions that its change is made of."""
    monkeypatch.delenv("KUBECONFIG", raising=False)
    policy = Guarded(cluster, namespace)
    policy.create()
    return policy


@pytest.fixture
def accounts(cluster: Cluster, namespace: str, monkeypatch: pytest.MonkeyPatch) -> Accounts:
    """A namespace with a provider of Anthropic's protocol."""
    monkeypatch.delenv("KUBECONFIG", raising=False)
    found = Accounts(cluster, namespace)
    found.provider()
    return found
