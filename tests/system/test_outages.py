"""The edge outlives the rest (B4): what goes on, and what says so, while a part of the control plane is away."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from headgate_dev.cluster import Cluster
from headgate_dev.emulator import Fault, FaultKind

from .tenant import Tenant, eventually

SYSTEM = "headgate-system"


@contextmanager
def stopped(cluster: Cluster) -> Iterator[None]:
    cluster.bao.stop()
    try:
        yield
    finally:
        cluster.bao.start()


@contextmanager
def sealed(cluster: Cluster) -> Iterator[None]:
    cluster.bao.seal()
    try:
        yield
    finally:
        cluster.bao.unseal()


@contextmanager
def hung(cluster: Cluster) -> Iterator[None]:
    cluster.bao.pause()
    try:
        yield
    finally:
        cluster.bao.resume()


VAULT_FAULTS = [stopped, sealed, hung]


@pytest.mark.parametrize("fault", VAULT_FAULTS, ids=lambda f: f.__name__)
def test_with_vault_away_requests_go_on_and_a_new_provider_says_what_it_waits_for(
    tenant: Tenant, cluster: Cluster, fault: Callable[[Cluster], Iterator[None]]
) -> None:
    tenant.with_api_key()
    tenant.secret("second-key", key=tenant.api_key)

    with fault(cluster):  # type: ignore[attr-defined]
        started = time.monotonic()
        assert tenant.message().status_code == 200
        assert time.monotonic() - started < 3
        key = {"importSecretRef": {"name": "second-key", "key": "key"}}
        tenant.provider("second", wait=False, models=[{"name": "second"}], auth={"modes": ["APIKey"], "apiKey": key})
        condition = tenant.wait_reason("llmprovider/second", "CredentialsReady", "VaultUnavailable")
        assert condition["status"] != "True"
        assert tenant.condition("llmprovider/anthropic", "Ready")["status"] == "True"
        # One credential that waits delays nobody else: another object is reconciled meanwhile.
        cluster.kubectl("annotate", "-n", tenant.namespace, "llmprovider/anthropic", "touched=yes")
        tenant.provider("third", wait=False, models=[{"name": "third"}], auth={"modes": ["Subscription"]})
        tenant.wait_reason("llmprovider/third", "Accepted", "Accepted")

    tenant.wait("llmprovider/second", timeout=60)
    assert tenant.message(model="claude-sonnet-4-6").status_code == 200


def test_with_the_api_server_away_requests_go_on_and_readiness_tells_the_age(tenant: Tenant, cluster: Cluster) -> None:
    tenant.with_api_key()
    urls, admin = tenant.headgate.urls(), tenant.headgate.urls(port="admin")
    token = tenant.token()

    cluster.apiserver.stop()
    try:
        answers = [tenant.message(url=url, token=token).status_code for _ in range(10) for url in urls.values()]
        details = [httpx.get(f"{url}/readyz") for url in admin.values()]
    finally:
        cluster.apiserver.start()

    assert set(answers) == {200}
    assert {d.status_code for d in details} == {200}
    assert all(d.json()["revision"] for d in details)
    eventually("the API server can judge our kinds again", tenant.judged)
    tenant.with_api_key(models=[{"name": "claude-sonnet-4-6"}, {"name": "claude-haiku-5-5"}])
    assert tenant.message(model="claude-haiku-5-5").status_code == 200


def test_a_proxy_restarted_with_the_control_plane_away_serves_on_what_it_knew(tenant: Tenant, cluster: Cluster) -> None:
    tenant.with_api_key()
    pod, url = next(iter(tenant.headgate.urls().items()))
    admin = tenant.headgate.urls(port="admin")[pod]
    token = tenant.token()
    before = cluster.pod_pid(SYSTEM, pod)

    cluster.apiserver.stop()
    cluster.bao.stop()
    try:
        os.kill(before, signal.SIGKILL)
        wait_until_up(f"{admin}/readyz", unlike=lambda: cluster.pod_pid(SYSTEM, pod) == before)
        response = tenant.message(url=url, token=token)
    finally:
        cluster.bao.start()
        cluster.apiserver.start()

    assert response.status_code == 200
    assert tenant.vendor.requests[-1].credential == tenant.api_key


def wait_until_up(url: str, *, unlike: Callable[[], bool], timeout: float = 30) -> None:
    """Poll a process that is being restarted until the new one answers 200."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        try:
            if httpx.get(url).status_code == 200 and not unlike():
                return
        except (httpx.TransportError, RuntimeError):
            pass
        time.sleep(0.1)
    raise TimeoutError(f"{url} did not come back within {timeout} s")


def test_an_operator_killed_in_the_middle_finishes_after_its_restart(tenant: Tenant, cluster: Cluster) -> None:
    tenant.vendor.api_keys.add(tenant.api_key)
    tenant.secret("vendor-key", key=tenant.api_key)
    (pod,) = tenant.headgate.operator_pods()
    names = [f"p{number}" for number in range(12)]

    for number, name in enumerate(names):
        tenant.provider(name, wait=False, models=[{"name": name}])
        if number in (3, 7):
            os.kill(cluster.pod_pid(SYSTEM, pod), signal.SIGKILL)
            cluster.wait_for(
                f"pod/{pod}",
                f"jsonpath={{.status.containerStatuses[0].restartCount}}={1 if number == 3 else 2}",
                namespace=SYSTEM,
            )

    for name in names:
        tenant.wait(f"llmprovider/{name}", timeout=90)
    versions = {
        cluster.bao.client().secrets.kv.v2.read_secret_metadata(
            f"{tenant.namespace}/llmproviders/{name}/api-key", mount_point="headgate"
        )["data"]["current_version"]
        for name in names
    }
    assert versions == {1}


def test_two_operators_at_once_do_the_work_once_and_the_second_takes_over(tenant: Tenant, cluster: Cluster) -> None:
    cluster.kubectl("scale", "-n", SYSTEM, "deployment/headgate-operator", "--replicas=2")
    cluster.wait_for("deployment/headgate-operator", "jsonpath={.status.readyReplicas}=2", namespace=SYSTEM)
    leader = next(p for p in tenant.headgate.operator_pods() if p in tenant.headgate.leader())
    try:
        tenant.with_api_key()
        cluster.kubectl("delete", "pod", "-n", SYSTEM, leader, "--grace-period=0", "--force", "--wait=false")
        tenant.provider("later", models=[{"name": "claude-haiku-5-5"}], wait=False)
        tenant.wait("llmprovider/later", timeout=60)
    finally:
        cluster.kubectl("scale", "-n", SYSTEM, "deployment/headgate-operator", "--replicas=1")
        cluster.wait_for("deployment/headgate-operator", "jsonpath={.status.replicas}=1", namespace=SYSTEM)

    record = cluster.bao.client().secrets.kv.v2.read_secret_metadata(
        f"{tenant.namespace}/llmproviders/anthropic/api-key", mount_point="headgate"
    )
    assert record["data"]["current_version"] == 1
    assert tenant.message(model="claude-haiku-5-5").status_code == 200


def test_a_change_of_the_fleet_drains_open_streams_instead_of_cutting_them(tenant: Tenant, cluster: Cluster) -> None:
    tenant.with_api_key()
    fault = tenant.vendor.add_fault(Fault(kind=FaultKind.HOLD, after_events=4, times=2))
    streams: list[str] = []
    threads = [
        threading.Thread(target=lambda url=url: streams.append(tenant.stream(url)))
        for url in tenant.headgate.urls().values()
    ]
    for thread in threads:
        thread.start()
    tenant.vendor.wait_held(fault, count=2)
    old = set(tenant.headgate.proxy_pods())

    change = json.dumps({"spec": {"podTemplate": {"labels": {"roll": tenant.namespace}}}})
    cluster.kubectl("patch", "-n", SYSTEM, "proxyfleet/default", "--type=merge", "-p", change)
    for pod in old:
        cluster.wait_for(f"pod/{pod}", "jsonpath={.metadata.deletionTimestamp}", namespace=SYSTEM)
    tenant.vendor.release(fault)
    for thread in threads:
        thread.join(timeout=30)

    assert len(streams) == 2
    assert all("message_stop" in stream for stream in streams)
    cluster.wait_for("proxyfleet/default", "condition=Ready", namespace=SYSTEM)
    assert not old & set(tenant.headgate.proxy_pods())
    assert tenant.message().status_code == 200
