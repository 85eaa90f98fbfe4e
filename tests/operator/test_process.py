"""``headgate operator`` against a real API server: fleets, snapshots, leadership, the broker, a clean end."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

from headgate_api.snapshot import CHUNK_KEY, Snapshot, parse_head, unpack
from headgate_dev.cluster import Cluster, CommandError
from headgate_dev.release import NAMESPACE

from .process import OperatorProcess, condition, head, until

Start = Callable[..., OperatorProcess]

PROVIDER: dict[str, Any] = {
    "apiVersion": "headgate.dev/v1alpha1",
    "kind": "LLMProvider",
    "metadata": {"name": "vendor"},
    "spec": {
        "protocol": "Anthropic",
        "endpoint": "https://api.vendor.example",
        "models": [{"name": "m"}],
        "auth": {"modes": ["APIKey"], "apiKey": {}},
    },
}


def published(cluster: Cluster) -> Snapshot:
    found = until(lambda: head(cluster), what="the head of the snapshot")
    parsed = parse_head(json.dumps(found))
    chunks = {}
    for digest in parsed.chunks:
        config_map = cluster.get(f"configmap/headgate-chunk-{digest[:40]}", "-n", NAMESPACE)
        assert config_map["immutable"] is True
        chunks[digest] = base64.b64decode(config_map["binaryData"][CHUNK_KEY])
    return unpack(parsed, chunks)


def test_a_fleet_becomes_a_deployment_and_a_snapshot_that_follows_its_providers(
    cluster: Cluster, start_operator: Start, namespace: str
) -> None:
    operator = start_operator()
    until(
        lambda: condition(cluster, "proxyfleet/default", "Ready") if operator.leads() else None, what="a first status"
    )
    deployment = cluster.get("deployment/headgate-proxy-default", "-n", NAMESPACE)
    assert deployment["spec"]["template"]["spec"]["containers"][0]["command"] == ["headgate", "proxy"]
    snapshot = published(cluster)
    assert snapshot.fleet.jwks["keys"]
    assert snapshot.fleet.issuer

    cluster.apply(PROVIDER, namespace=namespace)
    began = time.monotonic()
    until(lambda: [p for p in published(cluster).providers if p.namespace == namespace] or None, what="the provider")
    assert time.monotonic() - began < 10
    assert operator.probe("/livez")[0] == 200
    assert 'headgate_operator_reconciles_total{kind="ProxyFleet",outcome="success"}' in operator.metrics()

    cluster.kubectl("delete", "llmprovider", "vendor", "-n", namespace)
    until(
        lambda: not [p for p in published(cluster).providers if p.namespace == namespace] or None,
        what="the provider to leave the snapshot",
    )
    assert operator.end() == 0


def test_what_someone_changes_on_the_deployment_is_put_right(cluster: Cluster, start_operator: Start) -> None:
    start_operator()
    until(lambda: condition(cluster, "proxyfleet/default", "Ready") if head(cluster) else None, what="the fleet")
    cluster.kubectl("scale", "deployment", "headgate-proxy-default", "-n", NAMESPACE, "--replicas=1")

    def wanted() -> int:
        return int(cluster.get("deployment/headgate-proxy-default", "-n", NAMESPACE)["spec"]["replicas"])

    until(lambda: wanted() == 0, what="the Deployment to be put right")


def test_a_fleet_in_another_namespace_is_told_so(cluster: Cluster, start_operator: Start, namespace: str) -> None:
    start_operator()
    spec = {"image": "headgate:test", "replicas": 0, "allowedNamespaces": ["*"]}
    elsewhere = {"apiVersion": "headgate.dev/v1alpha1", "kind": "ProxyFleet", "metadata": {"name": "x"}, "spec": spec}
    cluster.apply(elsewhere, namespace=namespace)
    status, reason, message = until(
        lambda: condition(cluster, "proxyfleet/x", "Ready", namespace), what="the fleet's status"
    )
    assert (status, reason) == ("False", "NamespaceNotServed")
    assert NAMESPACE in message


def test_one_of_two_leads_and_the_other_takes_over_after_a_kill(
    cluster: Cluster, start_operator: Start, namespace: str
) -> None:
    operators = [start_operator(), start_operator()]
    until(lambda: any(o.leads() for o in operators), what="a leader")
    (leader,) = [o for o in operators if o.leads()]
    (other,) = [o for o in operators if o is not leader]
    until(lambda: other.probe("/readyz")[0] == 200, what="the candidate to be ready")
    assert other.report("whatever", fleet="default", pod="p", revision=None).status_code == 503

    leader.kill()
    killed = time.monotonic()
    until(other.leads, seconds=30, what="the other to lead")
    assert time.monotonic() - killed > 5, "a Lease was taken before it can have run out"
    cluster.apply(PROVIDER, namespace=namespace)
    until(lambda: condition(cluster, "llmprovider/vendor", "Accepted", namespace), what="the new leader's work")
    until(lambda: f":{other.broker}" in (head(cluster) or {}).get("brokerUrl", ""), what="the new leader's broker")


def test_a_clean_stop_hands_over_at_once(cluster: Cluster, start_operator: Start) -> None:
    first = start_operator()
    until(first.leads, what="a leader")
    second = start_operator()
    until(lambda: second.probe("/readyz")[0] == 200, what="the candidate to be ready")
    assert first.end() == 0
    until(second.leads, seconds=6, what="the other to lead")


def test_the_broker_takes_reports_of_a_real_pod_and_of_nobody_else(cluster: Cluster, start_operator: Start) -> None:
    operator = start_operator()
    revision = until(lambda: (head(cluster) or {}).get("revision"), what="a snapshot")
    account = "headgate-proxy-default"
    cluster.wait_for(f"serviceaccount/{account}", "create", namespace=NAMESPACE)
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "reporter", "namespace": NAMESPACE},
        "spec": {
            "serviceAccountName": account,
            "schedulerName": "nobody",
            "nodeName": "",
            "containers": [{"name": "c", "image": "headgate:test", "command": ["sleep", "60"]}],
        },
    }
    cluster.apply(pod)
    try:
        bound = cluster.kubectl(
            "create", "token", account, "-n", NAMESPACE, "--audience=headgate-broker", "--bound-object-kind=Pod",
            "--bound-object-name=reporter",
        ).strip()  # fmt: skip
        body = {"fleet": "default", "pod": "reporter", "revision": revision}
        assert operator.report(bound, **body).status_code == 204
        assert operator.report(bound, **(body | {"pod": "another"})).status_code == 403
        assert operator.report(bound, **(body | {"fleet": "another"})).status_code == 403
        assert operator.report(None, **body).status_code == 401
        unbound = cluster.create_token(NAMESPACE, account, audience="headgate-broker")
        assert operator.report(unbound, **body).status_code == 403
        wrong = cluster.create_token(NAMESPACE, account, audience="vault")
        assert operator.report(wrong, **body).status_code == 401
        refused = operator.report(bound, pod="reporter")
        assert refused.status_code == 400
        assert refused.json()["error"]["message"].startswith("fleet")
        assert operator.report(bound, **body, padding="x" * 600_000).status_code == 413
        assert bound not in operator.log.read_text()
    finally:
        cluster.kubectl("delete", "pod", "reporter", "-n", NAMESPACE, "--force", "--grace-period=0")


def test_an_api_server_that_goes_away_ends_nothing(cluster: Cluster, start_operator: Start, namespace: str) -> None:
    operator = start_operator()
    until(lambda: head(cluster), what="a snapshot")
    cluster.apiserver.stop()
    try:
        until(lambda: not operator.leads(), seconds=30, what="the Lease to be given up")
        assert operator.probe("/livez")[0] == 200
    finally:
        cluster.apiserver.start()
    until(operator.leads, seconds=40, what="the operator to lead again")

    def applied() -> bool:
        try:
            cluster.apply(PROVIDER, namespace=namespace)
        except CommandError as error:
            assert "ServiceUnavailable" in str(error), error  # the API server has yet to serve its CRDs again
            return False
        return True

    until(applied, what="the API server to serve its CRDs")
    until(
        lambda: condition(cluster, "llmprovider/vendor", "Accepted", namespace), seconds=40, what="the operator's work"
    )
    assert operator.process.poll() is None
