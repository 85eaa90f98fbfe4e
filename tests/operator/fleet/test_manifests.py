"""What a fleet is turned into: least privilege, and nothing that a rollout could not undo."""

from typing import Any

from headgate_operator.fleet.manifests import ProxySettings, manifests

from .objects import fleet_body

SETTINGS = ProxySettings("https://vault.example:8200", "headgate", "kubernetes", "kubernetes", "headgate-proxy")


def made(settings: ProxySettings = SETTINGS, **spec: Any) -> dict[str, dict[str, Any]]:
    return {m["kind"]: m for m in manifests(fleet_body(**spec), settings) if "canary" not in m["metadata"]["name"]}


def pod(**spec: Any) -> dict[str, Any]:
    template: dict[str, Any] = made(**spec)["Deployment"]["spec"]["template"]
    return template


def env(settings: ProxySettings = SETTINGS, **spec: Any) -> dict[str, str]:
    container = made(settings, **spec)["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    return {e["name"]: e.get("value", "") for e in container["env"]}


def test_everything_belongs_to_the_fleet_and_is_deleted_with_it() -> None:
    for manifest in made().values():
        assert [o["uid"] for o in manifest["metadata"]["ownerReferences"]] == ["fleet-uid"]
        assert manifest["metadata"]["name"] == "headgate-proxy-default"
        assert manifest["metadata"]["namespace"] == "headgate-system"


def test_the_proxies_may_read_config_maps_and_nothing_else() -> None:
    rules = made()["Role"]["rules"]
    assert rules == [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]}]


def test_each_audience_has_a_token_of_its_own_and_there_is_no_default_token() -> None:
    spec = pod()["spec"]
    assert spec["automountServiceAccountToken"] is False
    audiences = {
        source["serviceAccountToken"].get("audience")
        for volume in spec["volumes"]
        for source in volume.get("projected", {}).get("sources", [])
        if "serviceAccountToken" in source
    }
    assert audiences == {None, "vault", "headgate-broker", "headgate-relay"}


def test_the_pod_fits_the_restricted_pod_security_standard() -> None:
    spec = pod()["spec"]
    container = spec["containers"][0]["securityContext"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["allowPrivilegeEscalation"] is False
    assert container["readOnlyRootFilesystem"] is True
    assert container["capabilities"] == {"drop": ["ALL"]}


def test_labels_of_the_pod_template_never_displace_those_the_selector_needs() -> None:
    deployment = made(podTemplate={"labels": {"headgate.dev/fleet": "stolen", "team": "edge"}})["Deployment"]["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    assert labels["team"] == "edge"
    assert deployment["selector"]["matchLabels"].items() <= labels.items()


def test_a_rollout_never_takes_a_ready_proxy_away_first_and_leaves_time_to_drain() -> None:
    deployment = made(drainSeconds=120)["Deployment"]["spec"]
    assert deployment["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert deployment["template"]["spec"]["terminationGracePeriodSeconds"] > 120


def test_what_the_fleet_and_the_operator_say_reaches_the_proxy() -> None:
    given = env(telemetry={"otlpEndpoint": "http://collector:4318", "samplingPercent": 7}, drainSeconds=9)
    assert given["HEADGATE_VAULT_ADDR"] == "https://vault.example:8200"
    assert given["HEADGATE_OTLP_ENDPOINT"] == "http://collector:4318"
    assert given["HEADGATE_SAMPLING_PERCENT"] == "7"
    assert given["HEADGATE_DRAIN_SECONDS"] == "9"
    assert given["HEADGATE_FLEET"] == "default"


def test_a_private_ca_of_vault_is_mounted_only_where_one_is_named() -> None:
    assert "HEADGATE_VAULT_CA_FILE" not in env()
    private = ProxySettings("https://v", "m", "jwt", "jwt", "r", vault_ca_config_map="vault-ca")
    assert env(private)["HEADGATE_VAULT_CA_FILE"].endswith("/ca.crt")
    volumes = made(private)["Deployment"]["spec"]["template"]["spec"]["volumes"]
    (vault,) = (v for v in volumes if v["name"] == "vault")
    assert any(s.get("configMap", {}).get("name") == "vault-ca" for s in vault["projected"]["sources"])
