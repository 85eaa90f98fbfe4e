"""A new proxy image: nothing runs it before a person agreed, then the canary alone, then the stable track by surge."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.operator.progressive.proxies import Proxies
from tests.operator.progressive.team import Team

from headgate_dev.cluster import Cluster
from headgate_dev.release import NAMESPACE

POLICY = {
    "apiVersion": "headgate.dev/v1alpha1",
    "kind": "RolloutPolicy",
    "metadata": {"name": "careful"},
    "spec": {
        "targets": [{"kind": "ProxyFleet", "name": "default"}],
        "steps": [{"approval": {}}, {"weight": 50}, {"weight": 100}],
        "approval": {"distinctFromAuthor": False},
    },
}


@pytest.fixture
def owner(cluster: Cluster, proxies: Proxies) -> Iterator[Team]:
    """Whoever runs the fleet, and guards its image."""
    found = Team(cluster, NAMESPACE, proxies)
    found.apply(POLICY)
    found.adopted()
    yield found
    cluster.kubectl("delete", "rolloutpolicy", "careful", "-n", NAMESPACE, "--timeout=20s", check=False)


def runs(cluster: Cluster, name: str) -> tuple[str, int]:
    spec = cluster.get(f"deployment/{name}", "-n", NAMESPACE)["spec"]
    return spec["template"]["spec"]["containers"][0]["image"], spec["replicas"]


def test_an_image_waits_for_approval_then_has_the_canary_to_itself(owner: Team, cluster: Cluster) -> None:
    def both() -> list[Any]:
        return [runs(cluster, "headgate-proxy-default"), runs(cluster, "headgate-canary-default")]

    assert both() == [("headgate:test", 1), ("headgate:test", 0)]
    change = json.dumps({"spec": {"image": "headgate:next"}})
    cluster.kubectl("patch", "proxyfleet", "default", "-n", NAMESPACE, "--type=merge", "-p", change)
    owner.until(lambda: owner.status().get("step", {}).get("reason") == "AwaitingApproval", what="the gate")
    assert both() == [("headgate:test", 1), ("headgate:test", 0)]

    user = json.loads(cluster.kubectl("auth", "whoami", "-o", "json"))["status"]["userInfo"]["username"]
    owner.proxies.canary_ready = False
    owner.annotate("rolloutpolicy", "careful", approve=f"{owner.status()['rollout']['revision']}/0", approved_by=user)
    owner.until(
        lambda: both() == [("headgate:test", 1), ("headgate:next", 1)], what="the candidate image on the canary"
    )
    assert owner.split() is None
    owner.proxies.canary_ready = True
    owner.until(lambda: (owner.split() or {}).get("lane") == "Image", what="the split")

    owner.until(lambda: runs(cluster, "headgate-proxy-default") == ("headgate:next", 1), what="the promotion")
    owner.until(lambda: owner.status().get("rollout") is None, what="the end of the surge")
    assert owner.status()["history"][0]["outcome"] == "Promoted"
    owner.until(lambda: both()[1][1] == 0, what="the canary to go")
    fleet = cluster.get("proxyfleet/default", "-n", NAMESPACE)["status"]
    assert fleet["image"] == "headgate:next"
