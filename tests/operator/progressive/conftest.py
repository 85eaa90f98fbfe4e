"""An operator whose fleet no node runs, and a team with a provider that serves."""

from collections.abc import Callable, Iterator

import pytest
from tests.operator.process import OperatorProcess, head, until
from tests.operator.progressive.proxies import Proxies
from tests.operator.progressive.team import Team, provider, secret

from headgate_dev.cluster import Cluster
from headgate_dev.release import NAMESPACE


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A cluster without a node: what a pod is and says, the tests decide."""
    with Cluster(node=False) as started:
        yield started


@pytest.fixture
def proxies(cluster: Cluster, start_operator: Callable[..., OperatorProcess]) -> Proxies:
    operator = start_operator(replicas=1)
    until(lambda: head(cluster), what="a snapshot")
    # Heads precede manifests; a policy that came between them would find a fleet that serves nothing yet.
    cluster.wait_for("deployment/headgate-proxy-default", "create", namespace=NAMESPACE)
    return Proxies(cluster, [operator])


@pytest.fixture
def team(cluster: Cluster, namespace: str, proxies: Proxies) -> Iterator[Team]:
    found = Team(cluster, namespace, proxies)
    found.apply(secret(), provider("old"))
    found.until(lambda: found.served()[0] == ["old"], what="the provider")
    yield found
    cluster.kubectl("delete", "rolloutpolicy", "--all", "-n", namespace, "--wait=false", check=False)
