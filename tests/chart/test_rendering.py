"""What the chart renders is accepted by a real API server, meets the restricted standard, and asks for what was set."""

import json
from pathlib import Path
from typing import Any

import pytest

from headgate_api import vault
from headgate_dev.cluster import Cluster
from headgate_dev.release import NAMESPACE

from .rendering import ADDRESS, CERT_MANAGER, CHART, PROMETHEUS, STAMPS, named, one, render

pytestmark = pytest.mark.cluster
EVERYTHING = (
    *STAMPS,
    *CERT_MANAGER,
    *PROMETHEUS,
    "image.tag=1.2.3",
    'imagePullSecrets=[{"name":"pull"}]',
    "vault.caConfigMap=vault-ca",
    "vault.auth.canaryRole=other-canary",
    "operator.replicas=3",
    'operator.nodeSelector={"disk":"ssd"}',
    'operator.tolerations=[{"key":"a","operator":"Exists"}]',
    "defaultFleet.spec.telemetry.otlpEndpoint=http://collector:4318",
    "autoscaling.enabled=true",
    'autoscaling.behavior={"scaleDown":{"stabilizationWindowSeconds":60}}',
    "podDisruptionBudget.maxUnavailable=25%",
    "tls.source=certManager",
    "tls.issuerRef.name=issuer",
    "tls.issuerRef.kind=ClusterIssuer",
    "networkPolicy.enabled=true",
    'networkPolicy.egress.extra=[{"ports":[{"port":9443,"protocol":"TCP"}]}]',
    "prometheus.address=http://prometheus.monitoring.svc:9090",
    "serviceMonitor.enabled=true",
    'serviceMonitor.labels={"release":"prometheus"}',
    "grafana.dashboard.enabled=true",
    'workloadIdentity.serviceAccounts=[{"namespace":"default","name":"caller"}]',
)
VARIANTS = {
    "defaults": (),
    "a cluster that stamps": STAMPS,
    "everything": EVERYTHING,
    "no fleet": ("defaultFleet.enabled=false",),
    "given certificates, https alone": ("tls.source=secret", "tls.fleetSecret=given", "defaultFleet.spec.tls.plainHTTP=false"),
    "closed network": (
        "networkPolicy.enabled=true", "networkPolicy.callersFrom=[]", "networkPolicy.metricsFrom=[]",
        "networkPolicy.egress.enabled=false",
    ),
    "no budgets": ("podDisruptionBudget.enabled=false",),
}  # fmt: skip


@pytest.mark.parametrize("values", VARIANTS.values(), ids=VARIANTS)
def test_the_api_server_accepts_it_without_a_warning(api_server: Cluster, values: tuple[str, ...]) -> None:
    objects = render(api_server, *values)

    # Other objects can only be shown once these are there.
    api_server.apply([found for found in objects if found["kind"] in ("CustomResourceDefinition", "ServiceAccount")])
    server_side = ("--dry-run=server", "--server-side", "--force-conflicts", "--warnings-as-errors")
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    said = api_server.kubectl("apply", *server_side, "-f", "-", input=listed)

    assert len(said.splitlines()) == len(objects)


@pytest.mark.parametrize("values", VARIANTS.values(), ids=VARIANTS)
def test_helm_finds_nothing_to_complain_about(cluster: Cluster, values: tuple[str, ...], tmp_path: Path) -> None:
    given = [value for value in values if "=" in value and not value.startswith("--") and "certManager" not in value]
    settings = [
        p for v in given if "serviceMonitor" not in v for p in ("--set-json" if "=[" in v or "={" in v else "--set", v)
    ]

    said = cluster.helm("lint", "--strict", str(CHART), "--kube-version", "1.36.3", "--set", ADDRESS, *settings)

    assert "0 chart(s) failed" in said


def pods(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    bare = [found["spec"] for found in objects if found["kind"] == "Pod"]
    return bare + [found["spec"]["template"]["spec"] for found in objects if found["kind"] == "Deployment"]


def test_every_pod_meets_the_restricted_standard_on_a_root_it_cannot_write(cluster: Cluster) -> None:
    found = pods(render(cluster, *EVERYTHING))

    assert len(found) == 2
    for pod in found:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert pod["imagePullSecrets"] == [{"name": "pull"}]
        for container in pod["containers"]:
            security = container["securityContext"]
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert (security["allowPrivilegeEscalation"], security["readOnlyRootFilesystem"]) == (False, True)
            assert container["resources"]["limits"]["memory"]


def test_uninstalling_keeps_the_definitions(cluster: Cluster) -> None:
    crds = [found for found in render(cluster) if found["kind"] == "CustomResourceDefinition"]

    assert {crd["metadata"]["annotations"]["helm.sh/resource-policy"] for crd in crds} == {"keep"}
    assert len(crds) == len(list((CHART.parents[1] / "crds").iterdir()))


def test_the_operator_may_mint_tokens_of_the_named_service_accounts_and_no_others(cluster: Cluster) -> None:
    def minting(objects: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            found["metadata"].get("namespace", "everywhere"): rule
            for found in objects
            if found["kind"] in ("Role", "ClusterRole")
            for rule in found["rules"]
            if any(resource in ("serviceaccounts/token", "*") for resource in rule.get("resources", ()))
        }

    assert minting(render(cluster)) == {}
    given = [("team-a", "two"), ("team-b", "one"), ("team-a", "one"), ("team-a", "two")]
    listed = json.dumps([{"namespace": namespace, "name": name} for namespace, name in given])
    objects = render(cluster, f"workloadIdentity.serviceAccounts={listed}")
    only = {"apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["create"]}
    assert minting(objects) == {
        "team-a": only | {"resourceNames": ["one", "two"]},
        "team-b": only | {"resourceNames": ["one"]},
    }
    bound = [f for f in objects if f["kind"] == "RoleBinding" and f["metadata"]["namespace"].startswith("team-")]
    assert [f["subjects"] for f in bound] == [
        [{"kind": "ServiceAccount", "name": "headgate-operator", "namespace": NAMESPACE}]
    ] * 2


def environment(objects: list[dict[str, Any]]) -> dict[str, str]:
    (container,) = one(objects, "Deployment", "headgate-operator")["spec"]["template"]["spec"]["containers"]
    return {variable["name"]: variable.get("value", "") for variable in container["env"]}


def test_the_operator_is_told_what_the_installation_can_do(cluster: Cluster) -> None:
    plain, full = environment(render(cluster)), environment(render(cluster, *EVERYTHING))

    assert (plain["HEADGATE_AUTHORS_STAMPED"], full["HEADGATE_AUTHORS_STAMPED"]) == ("false", "true")
    assert "HEADGATE_PROMETHEUS_ADDRESS" not in plain
    assert full["HEADGATE_PROMETHEUS_ADDRESS"] == "http://prometheus.monitoring.svc:9090"
    assert plain["HEADGATE_PROXY_VAULT_CANARY_ROLE"] == vault.CANARY_ROLE
    assert full["HEADGATE_PROXY_VAULT_CANARY_ROLE"] == "other-canary"


def test_with_an_autoscaler_the_operator_owns_no_replicas(cluster: Cluster) -> None:
    plain, scaled = render(cluster), render(cluster, "autoscaling.enabled=true", "autoscaling.minReplicas=3")

    assert json.loads(environment(plain)["HEADGATE_DEFAULT_FLEET"])["replicas"] == 2
    assert named(plain, "HorizontalPodAutoscaler") == set()
    assert "replicas" not in json.loads(environment(scaled)["HEADGATE_DEFAULT_FLEET"])
    scaler = one(scaled, "HorizontalPodAutoscaler", "headgate-proxy-default")["spec"]
    assert scaler["scaleTargetRef"] == {"apiVersion": "headgate.dev/v1alpha1", "kind": "ProxyFleet", "name": "default"}
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (3, 10)


def test_a_given_certificate_reaches_the_fleet_beside_its_other_settings(cluster: Cluster) -> None:
    given = ("tls.source=secret", "tls.fleetSecret=given", "defaultFleet.spec.tls.plainHTTP=false")
    objects = render(cluster, *given)

    fleet = json.loads(environment(objects)["HEADGATE_DEFAULT_FLEET"])
    assert fleet["tls"] == {"secretName": "given", "plainHTTP": False}
    test = one(objects, "Pod", "headgate-test")["spec"]
    (ca,) = [volume for volume in test["volumes"] if volume["name"] == "ca"]
    assert ca["secret"] == {"secretName": "given", "items": [{"key": "ca.crt", "path": "ca.crt"}]}
    assert [a.partition(":")[0] for a in test["containers"][0]["args"]] == ["operator=http", "fleet=https"]


def test_cert_manager_issues_for_fleet_and_broker(cluster: Cluster) -> None:
    objects = render(cluster, *CERT_MANAGER, "tls.source=certManager", "tls.issuerRef.name=issuer")

    fleet = one(objects, "Certificate", "headgate-proxy-default")["spec"]
    broker = one(objects, "Certificate", "headgate-broker")["spec"]
    assert json.loads(environment(objects)["HEADGATE_DEFAULT_FLEET"])["tls"]["secretName"] == fleet["secretName"]
    assert fleet["dnsNames"][0] == f"headgate-proxy-default.{NAMESPACE}.svc"
    assert (broker["secretName"], broker["dnsNames"][0]) == ("headgate-broker-tls", f"headgate-broker.{NAMESPACE}.svc")
    assert fleet["issuerRef"] == {"name": "issuer", "kind": "Issuer", "group": "cert-manager.io"}


def test_network_policies_let_through_what_is_needed_and_nothing_else(cluster: Cluster) -> None:
    callers = 'networkPolicy.callersFrom=[{"namespaceSelector":{"matchLabels":{"team":"a"}}}]'
    closed = ("networkPolicy.enabled=true", callers, "networkPolicy.metricsFrom=[]")
    ingress = {"namespaceSelector": {"matchLabels": {"app": "ingress"}}}
    people = f"networkPolicy.signInFrom={json.dumps([ingress])}"
    objects = render(cluster, *closed, people, "defaultFleet.spec.telemetry.otlpEndpoint=http://collector:4318")
    operator, proxies = (one(objects, "NetworkPolicy", f"headgate-{name}")["spec"] for name in ("operator", "proxies"))

    called, relayed = proxies["ingress"]
    assert [port["port"] for port in called["ports"]] == [8080, 8443]
    assert {"namespaceSelector": {"matchLabels": {"team": "a"}}} in called["from"]
    assert [port["port"] for port in relayed["ports"]] == [8443]
    assert relayed["from"] == [{"podSelector": proxies["podSelector"]}]
    reported, looked = operator["ingress"]
    assert {"podSelector": proxies["podSelector"]} in reported["from"]
    assert reported["from"][2:] == [ingress]
    labels = one(objects, "Pod", "headgate-test")["metadata"]["labels"]
    assert looked["from"] == [{"podSelector": {"matchLabels": labels}}]
    assert {"podSelector": {"matchLabels": labels}} in called["from"]
    anywhere = [port["port"] for rule in proxies["egress"] if "to" not in rule for port in rule["ports"]]
    assert anywhere == [53, 53, 443, 6443, 8200, 4318]


def test_services_and_budgets_select_the_pods_there_are(cluster: Cluster) -> None:
    objects = render(cluster)

    labels = one(objects, "Deployment", "headgate-operator")["spec"]["template"]["metadata"]["labels"]
    assert one(objects, "Service", "headgate-broker")["spec"]["selector"].items() <= labels.items()
    assert (
        one(objects, "PodDisruptionBudget", "headgate-operator")["spec"]["selector"]["matchLabels"].items()
        <= labels.items()
    )
    proxies = one(objects, "PodDisruptionBudget", "headgate-proxy-default")["spec"]["selector"]["matchLabels"]
    assert proxies == {"headgate.dev/fleet": "default", "headgate.dev/track": "stable"}
    assert one(objects, "Pod", "headgate-test")["metadata"]["labels"].get("app.kubernetes.io/component") == "test"
