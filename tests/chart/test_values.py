"""The chart refuses values that cannot work before anything is installed, and names them."""

import json
from typing import Any

import pytest

from headgate_api import crds
from headgate_api.resources import ProxyFleet
from headgate_dev.cluster import Cluster, CommandError

from .rendering import CERT_MANAGER, CHART, render

pytestmark = pytest.mark.cluster


def test_the_fleet_in_the_values_has_the_fields_of_a_proxyfleet() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    fields = crds.crd(ProxyFleet)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    assert schema["properties"]["defaultFleet"]["properties"]["spec"] == as_values(fields)


def as_values(node: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of one field as values.schema.json has it: no defaults, nothing required, no unknown field."""
    out = {
        k: v
        for k, v in node.items()
        if k in ("type", "enum", "minimum", "maximum", "minLength", "maxLength", "minItems")
    }
    if "properties" in node:
        out["additionalProperties"] = False
        out["properties"] = {name: as_values(child) for name, child in node["properties"].items()}
    elif isinstance(node.get("additionalProperties"), dict):
        out["additionalProperties"] = as_values(node["additionalProperties"])
    if "items" in node:
        out["items"] = as_values(node["items"])
    return out


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ("vault.address=openbao:8200", "address"),
        ("vault.adress=https://x", "adress"),
        ("operator.replicas=0", "replicas"),
        ("image.tag=1", "tag"),
        ("vault.auth.method=token", "method"),
        ("defaultFleet.spec.replica=3", "replica"),
        ("defaultFleet.spec.replicas=-1", "replicas"),
        ("defaultFleet.spec.allowances.plainHttp=true", "plainHttp"),
        ("defaultFleet.spec.allowedNamespaces=[]", "allowedNamespaces"),
        ("defaultFleet.spec.ports.http=80", "http"),
        ("defaultFleet.spec.ports.https=443", "https"),
        ("defaultFleet.spec.canaryReplicas=0", "canaryReplicas"),
        ("defaultFleet.spec.tls.secret=x", "secret"),
        ("operator.replicas=6", "replicas"),
        ("autoscaling.maxReplicas=0", "maxReplicas"),
        ("autoscaling.target=70", "target"),
        ("podDisruptionBudget.maxUnavailable=all", "maxUnavailable"),
        ("tls.source=vault", "source"),
        ('workloadIdentity.serviceAccounts=[{"name":"caller"}]', "namespace"),
        ('workloadIdentity.serviceAccounts=[{"namespace":"team","name":"*"}]', "name"),
        ("networkPolicy.egress.ports=[0]", "ports"),
        ("prometheus.address=prometheus:9090", "address"),
        ("serviceMonitor.interval=often", "interval"),
    ],
)
def test_nonsense_is_refused_by_name(cluster: Cluster, value: str, named: str) -> None:
    with pytest.raises(CommandError) as refused:
        render(cluster, value)
    assert named in str(refused.value)


def test_vault_must_be_named(cluster: Cluster) -> None:
    with pytest.raises(CommandError, match="address"):
        render(cluster, address=False)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (("tls.source=secret",), "tls.source is secret, but tls.fleetSecret names none; set it to"),
        (("tls.fleetSecret=a",), "tls.fleetSecret is set, but tls.source is operator; set tls.source to secret"),
        (
            ("tls.source=secret", "tls.fleetSecret=a", "defaultFleet.spec.tls.secretName=b"),
            "name different Secrets; set one of them",
        ),
        (
            ("tls.source=certManager", "tls.issuerRef.name=x"),
            "the cluster does not have cert-manager.io/v1; install cert-manager first",
        ),
        ((*CERT_MANAGER, "tls.source=certManager"), "tls.issuerRef.name names no issuer; set it to"),
        (
            (*CERT_MANAGER, "tls.source=certManager", "tls.issuerRef.name=x", "defaultFleet.spec.tls.secretName=b"),
            "tls.source is certManager, which names the Secret itself; leave it out",
        ),
        (
            ("serviceMonitor.enabled=true",),
            "does not have monitoring.coreos.com/v1; install the Prometheus operator first",
        ),
        (
            ("autoscaling.enabled=true", "autoscaling.minReplicas=11"),
            "autoscaling.minReplicas (11) is more than autoscaling.maxReplicas (10); lower the one",
        ),
        (("autoscaling.enabled=true", "defaultFleet.enabled=false"), "enable the fleet, or disable autoscaling"),
    ],
)
def test_values_that_contradict_each_other_are_refused_with_the_mend(
    cluster: Cluster, values: tuple[str, ...], message: str
) -> None:
    with pytest.raises(CommandError) as refused:
        render(cluster, *values)
    assert message in str(refused.value)


def test_every_value_is_described() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    described_by_the_resource = schema["properties"]["defaultFleet"]["properties"]["spec"]
    bare: list[str] = []

    def look(node: dict[str, Any], path: str) -> None:
        if node is described_by_the_resource:
            return
        for name, child in node.get("properties", {}).items():
            if not child.get("description") and child is not described_by_the_resource:
                bare.append(f"{path}{name}")
            look(child, f"{path}{name}.")

    look(schema, "")
    assert bare == []
