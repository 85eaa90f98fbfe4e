"""Rollouts on real pods: a change approved by a second person, a harmful one that leaves, upgrades that lose no stream."""

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from headgate_api import names
from headgate_dev.emulator import throwaway_tls
from headgate_dev.realnode import RealCluster
from headgate_dev.release import NAMESPACE

from .headgate import Headgate, eventually, install
from .tenant import Tenant
from .vendor import Vendor

_ANALYSIS = {
    "interval": "2s",
    "minSamples": 10,
    "consecutiveFailures": 2,
    "metrics": [{"name": "ErrorRate", "max": 5}],
}


class Guard:
    """The tenant's RolloutPolicy: 10 % after carol's approval, then everyone."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant
        self._cluster = tenant.cluster
        self.carol = f"carol@{tenant.namespace}"
        carol = ["--clusterrole=headgate-approver", f"--user={self.carol}"]
        self._cluster.kubectl("create", "rolebinding", "-n", tenant.namespace, "carol", *carol)
        steps = [{"approval": {}}, {"weight": 10, "hold": "2s"}, {"approval": {}}, {"weight": 100, "analysis": False}]
        spec = {"targets": [{"name": "anthropic"}], "steps": steps, "analysis": _ANALYSIS}
        metadata = {"name": "careful", "namespace": tenant.namespace}
        policy = {"apiVersion": names.API_VERSION, "kind": "RolloutPolicy", "metadata": metadata, "spec": spec}
        self._cluster.apply(policy)
        tenant.wait("rolloutpolicy/careful")

    def status(self) -> dict[str, Any]:
        return dict(self._cluster.get("rolloutpolicy/careful", "-n", self._tenant.namespace)["status"])

    def approve(self, as_user: str) -> None:
        status = self.status()
        value = f"{names.ANNOTATION_APPROVE}={status['canaryRevision']}/{status['step']['index']}"
        where = ("rolloutpolicy/careful", "-n", self._tenant.namespace)
        self._cluster.kubectl("annotate", *where, "--overwrite", value, as_user=as_user)

    def ask_until(self, what: str, holds: Callable[[dict[str, Any]], bool], timeout: float = 90) -> list[Any]:
        rounds = []
        deadline = time.monotonic() + timeout
        while not holds(status := self.status()):
            assert time.monotonic() < deadline, f"not within {timeout:.0f} s: {what}; {status}"
            rounds.append(self._tenant.traffic(100))
        return rounds


@pytest.fixture
def guard(tenant: Tenant) -> Guard:
    tenant.use_api_key()
    return Guard(tenant)


def _failed(rounds: list[Any], track: str) -> int:
    return sum(count for met in rounds for (on, status), count in met.items() if on == track and status >= 500)


def test_a_change_is_approved_by_a_second_person_and_promoted(tenant: Tenant, guard: Guard) -> None:
    tenant.use_api_key({"headers": {"x-change": "one"}}, as_user=tenant.alice)
    tenant.wait("rolloutpolicy/careful", "condition=AwaitingApproval")
    with pytest.raises(Exception, match=tenant.alice):
        guard.approve(tenant.alice)

    guard.approve(guard.carol)
    rounds = guard.ask_until("the second approval", lambda s: (s.get("step") or {}).get("index") == 2)
    at_weight = tenant.traffic(400)
    guard.approve(guard.carol)
    rounds += guard.ask_until("promoted", lambda s: s.get("canaryRevision") is None)

    on_canary = sum(count for (track, _), count in at_weight.items() if track == "canary")
    assert 15 <= on_canary <= 70  # 10 % of 400 sessions, give or take
    assert _failed([*rounds, at_weight], "canary") + _failed([*rounds, at_weight], "stable") == 0
    tenant.wait("rolloutpolicy/careful", "condition=Promoted")


def test_a_bad_canary_is_rolled_back_by_itself(tenant: Tenant, guard: Guard) -> None:
    tenant.use_api_key({"tls": {"caBundle": throwaway_tls().ca_pem}}, as_user=tenant.alice)
    tenant.wait("rolloutpolicy/careful", "condition=AwaitingApproval")
    guard.approve(guard.carol)

    rounds = guard.ask_until("withdrawn", lambda s: s.get("canaryRevision") is None)

    assert guard.status()["history"][0]["outcome"] == "AnalysisFailed"
    assert _failed(rounds, "stable") == 0
    assert {track for track, _ in tenant.traffic(50)} == {"stable"}


def test_a_candidate_image_starts_after_its_approval_and_is_promoted_by_surge(
    cluster: RealCluster, headgate: Headgate, tenant: Tenant
) -> None:
    tenant.use_api_key()
    candidate = cluster.tag_image("candidate")
    steps = [{"approval": {}}, {"weight": 50, "hold": "2s"}, {"weight": 100, "analysis": False}]
    spec = {
        "targets": [{"kind": "ProxyFleet", "name": "default"}],
        "steps": steps,
        "approval": {"distinctFromAuthor": False},
    }
    metadata = {"name": "image", "namespace": NAMESPACE}
    cluster.apply({"apiVersion": names.API_VERSION, "kind": "RolloutPolicy", "metadata": metadata, "spec": spec})
    cluster.wait_for("rolloutpolicy/image", "condition=Ready", namespace=NAMESPACE)
    try:
        change = json.dumps({"spec": {"image": candidate}})
        cluster.kubectl("patch", "proxyfleet/default", "-n", NAMESPACE, "--type=merge", "-p", change)
        cluster.wait_for("rolloutpolicy/image", "condition=AwaitingApproval", namespace=NAMESPACE)
        assert candidate not in _images(cluster)

        status = cluster.get("rolloutpolicy/image", "-n", NAMESPACE)["status"]
        value = f"{names.ANNOTATION_APPROVE}={status['canaryRevision']}/{status['step']['index']}"
        cluster.kubectl("annotate", "rolloutpolicy/image", "-n", NAMESPACE, "--overwrite", value)
        answers = []

        def promoted() -> bool:
            answers.append(tenant.traffic(60))
            found = cluster.get("rolloutpolicy/image", "-n", NAMESPACE)["status"]
            return found.get("canaryRevision") is None and found["history"][0]["outcome"] == "Promoted"

        eventually("the image is promoted", promoted, timeout=180)
        assert any(track == "canary" for met in answers for track, _ in met)
        assert {status for met in answers for _, status in met} == {200}
        eventually("every proxy runs the candidate", lambda: _images(cluster) == {candidate}, timeout=90)
    finally:
        cluster.kubectl("delete", "rolloutpolicy/image", "-n", NAMESPACE)


def _images(cluster: RealCluster) -> set[str]:
    found = cluster.get("pods", "-n", NAMESPACE, "-l", f"{names.LABEL_FLEET}=default")["items"]
    return {pod["spec"]["containers"][0]["image"] for pod in found if "deletionTimestamp" not in pod["metadata"]}


def test_an_upgrade_with_streams_open_loses_none(
    cluster: RealCluster, headgate: Headgate, tenant: Tenant, vendor: Vendor
) -> None:
    tenant.use_api_key()
    streams: list[Any] = []
    threads = [threading.Thread(target=lambda: streams.append(tenant.ask("write 30 words"))) for _ in range(4)]
    with vendor.holding(4):
        for thread in threads:
            thread.start()
        vendor.wait_held(4)
        install(cluster, {"podTemplate": {"labels": {"upgraded": tenant.namespace}}})
    for thread in threads:
        thread.join(timeout=60)

    assert [(said["status"], len(said["text"].split())) for said in streams] == [(200, 30)] * 4
