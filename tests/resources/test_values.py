"""The chart refuses values that cannot work before anything is installed, and names them."""

import json
from typing import Any

import pytest
import yaml

from headgate_api import crds
from headgate_api.resources import ProxyFleet
from headgate_dev.cluster import Cluster, CommandError

from .conftest import CHART

pytestmark = pytest.mark.cluster
ADDRESS = "vault.address=https://openbao.vault.svc:8200"


def template(cluster: Cluster, *values: str) -> list[dict[str, Any]]:
    settings = [
        part for value in values for part in ("--set-json" if "=[" in value or "={" in value else "--set", value)
    ]
    rendered = cluster.helm(
        "template", "headgate", str(CHART), "-n", "headgate-system", "--kube-version", "1.36.3", *settings
    )
    return [found for found in yaml.safe_load_all(rendered) if found]


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
    ],
)
def test_nonsense_is_refused_by_name(cluster: Cluster, value: str, named: str) -> None:
    with pytest.raises(CommandError) as refused:
        template(cluster, ADDRESS, value)
    assert named in str(refused.value)


def test_vault_must_be_named(cluster: Cluster) -> None:
    with pytest.raises(CommandError, match="address"):
        template(cluster)


def test_what_is_rendered_meets_the_restricted_standard_and_keeps_the_crds(cluster: Cluster) -> None:
    objects = template(
        cluster, ADDRESS, "operator.replicas=2", "vault.caConfigMap=vault-ca", 'imagePullSecrets=[{"name":"pull"}]'
    )
    (deployment,) = [o for o in objects if o["kind"] == "Deployment"]
    pod = deployment["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["imagePullSecrets"] == [{"name": "pull"}]
    for container in pod["containers"]:
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
    kept = [o["metadata"]["annotations"]["helm.sh/resource-policy"] for o in objects if "CustomRes" in o["kind"]]
    assert kept == ["keep"] * 3
    cluster.helm("lint", str(CHART), "--set", ADDRESS)
