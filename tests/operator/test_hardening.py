"""What people and other controllers do to a running operator's objects, and what a frozen leader may do afterwards."""

import copy
import json
import os
import signal
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx

from headgate_dev.cluster import Cluster
from headgate_dev.release import NAMESPACE

from .process import OperatorProcess, condition, head, until
from .test_process import PROVIDER, published

Start = Callable[..., OperatorProcess]


def with_secret(cluster: Cluster, namespace: str, name: str = "vendor", key: str = "not-a-real-key") -> dict[str, Any]:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}, "stringData": {"key": key}}
    cluster.apply(secret, namespace=namespace)
    provider = copy.deepcopy(PROVIDER)
    provider["metadata"]["name"] = name
    provider["spec"]["auth"]["apiKey"] = {"importSecretRef": {"name": "key", "key": "key"}}
    return provider


def versions(cluster: Cluster, namespace: str, provider: str = "vendor") -> list[str]:
    metadata = cluster.bao.client().secrets.kv.v2.read_secret_metadata(
        f"{namespace}/llmproviders/{provider}/api-key", mount_point="headgate"
    )
    return sorted(metadata["data"]["versions"])


def test_a_leader_frozen_beyond_its_lease_writes_nothing_when_it_wakes(
    cluster: Cluster, start_operator: Start, namespace: str
) -> None:
    operators = [start_operator(), start_operator()]
    until(lambda: any(o.leads() for o in operators), what="a leader")
    (old,) = [o for o in operators if o.leads()]
    (new,) = [o for o in operators if o is not old]
    cluster.apply(with_secret(cluster, namespace), namespace=namespace)
    os.kill(old.process.pid, signal.SIGSTOP)
    try:
        until(new.leads, seconds=40, what="the other to lead")
        until(lambda: condition(cluster, "llmprovider/vendor", "Ready", namespace), what="the new leader's work")
        until(lambda: f":{new.broker}" in (head(cluster) or {}).get("brokerUrl", ""), what="the new leader's head")
    finally:
        os.kill(old.process.pid, signal.SIGCONT)
    until(lambda: old.probe("/readyz")[0] == 200 and not old.leads(), seconds=3, what="the old leader to step back")
    cluster.apply(with_secret(cluster, namespace, key="not-a-real-key-two"), namespace=namespace)
    cluster.kubectl("annotate", "-n", namespace, "llmprovider/vendor", "look=again")
    until(lambda: len(versions(cluster, namespace)) > 1, what="the new key")
    assert versions(cluster, namespace) == ["1", "2"]
    assert f":{new.broker}" in (head(cluster) or {})["brokerUrl"]
    assert old.report("whatever", fleet="default", pod="p", revision=None).status_code == 503


def test_an_object_stored_before_its_schema_changed_stops_nobody(
    cluster: Cluster, start_operator: Start, namespace: str
) -> None:
    crd = cluster.get("crd/llmproviders.headgate.dev")
    loose = copy.deepcopy(crd)
    schema = loose["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    loose["spec"]["versions"][0]["schema"]["openAPIV3Schema"].pop("x-kubernetes-validations")
    schema["spec"] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    loose["metadata"] = {"name": crd["metadata"]["name"]}
    old = {
        **PROVIDER,
        "metadata": {"name": "old", "finalizers": ["headgate.dev/credentials"]},
        "spec": {**PROVIDER["spec"], "models": "all"},
    }
    cluster.kubectl("replace", "-f", "-", input=json.dumps(loose))
    try:
        until(lambda: "old" in cluster.kubectl("apply", "-n", namespace, "-f", "-", input=json.dumps(old), check=False),
              what="the API server to take it")  # fmt: skip
    finally:
        crd["metadata"] = {"name": crd["metadata"]["name"], "labels": crd["metadata"].get("labels", {}),
                           "annotations": crd["metadata"].get("annotations", {})}  # fmt: skip
        cluster.kubectl("replace", "-f", "-", input=json.dumps(crd))
    cluster.apply({**PROVIDER, "metadata": {"name": "good"}}, namespace=namespace)
    start_operator()
    status, reason, message = until(
        lambda: condition(cluster, "llmprovider/old", "Ready", namespace), what="the old object's condition"
    )
    assert (status, reason) == ("False", "SpecInvalid")
    assert "spec.models" in message
    until(lambda: condition(cluster, "llmprovider/good", "Accepted", namespace), what="the good object's condition")
    until(lambda: [p for p in published(cluster).providers if p.name == "good"] or None, what="the snapshot")
    cluster.kubectl("delete", "llmprovider/old", "-n", namespace, "--timeout=20s")


def test_what_a_fleet_owns_comes_back_whoever_deletes_it(cluster: Cluster, start_operator: Start) -> None:
    start_operator()
    before = until(lambda: head(cluster), what="a snapshot")
    chunks = [f"configmap/headgate-chunk-{digest[:40]}" for digest in before["chunks"]]
    cluster.kubectl("delete", *chunks, "configmap/headgate-head-default", "-n", NAMESPACE)
    after = until(lambda: head(cluster), what="the head")
    for digest in after["chunks"]:
        name = f"configmap/headgate-chunk-{digest[:40]}"
        look = partial(cluster.kubectl, "get", name, "-n", NAMESPACE, "-o", "name", check=False)
        until(look, what="a chunk that the head names")
    cluster.kubectl("delete", "deployment,service,serviceaccount", "headgate-proxy-default", "-n", NAMESPACE)
    for kind in ("deployment", "service", "serviceaccount"):
        there = ("get", kind, "headgate-proxy-default", "-n", NAMESPACE, "-o", "name")
        until(partial(cluster.kubectl, *there, check=False), what=f"the {kind}")


def test_a_chunk_two_fleets_share_outlives_the_one_that_made_it(cluster: Cluster, start_operator: Start) -> None:
    start_operator()
    first = until(lambda: head(cluster), what="a snapshot")
    spec = {"image": "headgate:test", "replicas": 0, "allowedNamespaces": ["*"]}
    body = {"apiVersion": "headgate.dev/v1alpha1", "kind": "ProxyFleet", "metadata": {"name": "second"}, "spec": spec}
    cluster.apply(body, namespace=NAMESPACE)
    second = until(lambda: head(cluster, "second"), what="the second fleet's snapshot")
    shared = set(first["chunks"]) & set(second["chunks"])
    assert shared
    chunk = f"configmap/headgate-chunk-{shared.pop()[:40]}"
    uid = cluster.get(chunk, "-n", NAMESPACE)["metadata"]["uid"]
    cluster.kubectl("delete", "proxyfleet/default", "-n", NAMESPACE)
    until(lambda: head(cluster) is None, what="the first fleet's head to go")
    time.sleep(1)  # the garbage collector takes what it takes in the same breath as the head
    assert cluster.get(chunk, "-n", NAMESPACE)["metadata"]["uid"] == uid
    cluster.apply({**body, "metadata": {"name": "default"}}, namespace=NAMESPACE)
    until(lambda: head(cluster), what="the fleet made again")


def test_the_broker_survives_what_is_no_report(cluster: Cluster, start_operator: Start) -> None:
    operator = start_operator()
    until(operator.leads, what="a leader")
    for content in (b"", b"{", b"[" * 100_000, b"\xff", b'{"fleet": 1}'):
        answer = operator.ask("POST", content=content, headers={"authorization": "Bearer x.y.z"})
        assert answer.status_code == 401
        assert answer.json()["error"]["reason"] == "Unauthenticated"
    assert operator.ask("POST", headers={"authorization": "Bearer " + "x" * 20_000}).status_code in (400, 401)
    assert operator.ask("GET").status_code == 405
    plain = httpx.get(f"http://127.0.0.1:{operator.broker}/v1/report", timeout=10)
    assert (plain.status_code, plain.json()["error"]["message"]) == (400, "the broker speaks TLS; use https://")
