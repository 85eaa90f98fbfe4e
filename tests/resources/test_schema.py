"""What the API server itself says to a spec that cannot work: the message names the field and the mend (S2.4, S4.8)."""

from typing import Any

import pytest

from headgate_dev.cluster import Cluster, CommandError

from .manifests import ACCOUNT, FLEET, PROVIDER, changed

pytestmark = pytest.mark.cluster


def apply(cluster: Cluster, namespace: str, manifest: dict[str, Any]) -> str:
    return cluster.apply(manifest, namespace=namespace)


@pytest.mark.parametrize("manifest", [PROVIDER, ACCOUNT, FLEET], ids=lambda m: m["kind"])
def test_the_smallest_manifests_are_accepted_and_get_their_defaults(
    cluster: Cluster, crds: None, namespace: str, manifest: dict[str, Any]
) -> None:
    apply(cluster, namespace, manifest)

    kind, name = manifest["kind"], manifest["metadata"]["name"]
    stored = cluster.get("-n", namespace, kind, name)["spec"]
    if kind == "LLMProvider":
        assert stored["auth"]["fallback"]["revoked"] == "Deny"
        assert stored["timeouts"]["firstByteSeconds"] == 600
    if kind == "SubscriptionAccount":
        assert (stored["sharing"], stored["deletionPolicy"], stored["suspend"]) == ("OwnerOnly", "Retain", False)
    if kind == "ProxyFleet":
        assert stored["allowances"] == {"plainHTTP": False, "privateAddresses": False}
        assert stored["limits"]["maxRequestBytes"] == 32 * 1024 * 1024


BAD: list[tuple[str, dict[str, Any], str, Any, str]] = [
    ("no-scheme", PROVIDER, "spec.endpoint", "api.anthropic.com", "must be an absolute URL such as https://"),
    ("ftp", PROVIDER, "spec.endpoint", "ftp://x.example/", "must be an absolute URL such as https://"),
    ("userinfo", PROVIDER, "spec.endpoint", "https://me:pw@x.example", "put the credential into a Secret"),
    ("query", PROVIDER, "spec.endpoint", "https://x.example/?key=1", "must not have a query"),
    ("fragment", PROVIDER, "spec.endpoint", "https://x.example/#a", "must not have a fragment"),
    ("protocol", PROVIDER, "spec.protocol", "Cohere", "supported values: "),
    ("no-models", PROVIDER, "spec.models", [], "spec.models"),
    ("same-model-twice", PROVIDER, "spec.models", [{"name": "m"}, {"name": "m"}], "duplicate entries for key"),
    ("no-modes", PROVIDER, "spec.auth.modes", [], "spec.auth.modes"),
    ("unknown-mode", PROVIDER, "spec.auth.modes", ["Cookie"], "supported values: "),
    ("mode-twice", PROVIDER, "spec.auth.modes", ["APIKey", "APIKey"], "lists a mode twice"),
    ("key-missing", PROVIDER, "spec.auth.apiKey", None, "spec.auth.apiKey is missing; add apiKey"),
    ("key-unused", PROVIDER, "spec.auth.modes", ["Subscription"], "does not list APIKey; add it to modes or remove"),
    (
        "selector-unused",
        PROVIDER,
        "spec.auth.subscription",
        {},
        "does not list Subscription; add it to modes or remove",
    ),
    ("auth-header", PROVIDER, "spec.headers", {"X-Api-Key": "x"}, "put credentials under spec.auth"),
    ("header-newline", PROVIDER, "spec.headers", {"x-a": "b\r\nx-c: d"}, "that HTTP does not allow"),
    ("ca-bundle", PROVIDER, "spec.tls", {"caBundle": "hello"}, "at least one PEM certificate"),
    ("secret-elsewhere", PROVIDER, "spec.auth.apiKey.importSecretRef.name", "other/secret", "spec.auth.apiKey"),
    ("fallback-word", PROVIDER, "spec.auth.fallback", {"revoked": "Maybe"}, 'supported values: "Allow", "Deny"'),
    ("timeout-zero", PROVIDER, "spec.timeouts", {"connectSeconds": 0}, "spec.timeouts.connectSeconds"),
    ("long-name", PROVIDER, "metadata.name", "p" * 64, "metadata.name must be at most 63 characters"),
    ("nobody", ACCOUNT, "spec.owner.subjects", [], "name at least one ServiceAccount, or set sharing: Pool"),
    ("email", ACCOUNT, "spec.owner.email", "alice", "spec.owner.email"),
    ("sharing", ACCOUNT, "spec.sharing", "Everyone", 'supported values: "OwnerOnly", "Pool"'),
    ("provider-elsewhere", ACCOUNT, "spec.providerRef.name", "team-b/anthropic", "spec.providerRef.name"),
    ("no-namespaces", FLEET, "spec.allowedNamespaces", [], "spec.allowedNamespaces"),
    ("low-port", FLEET, "spec.ports", {"http": 80}, "spec.ports.http"),
    ("long-fleet", FLEET, "metadata.name", "f" * 41, "metadata.name must be at most 40 characters"),
]


@pytest.mark.parametrize(("manifest", "path", "value", "message"), [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_a_spec_that_cannot_work_is_refused_with_field_and_mend(
    cluster: Cluster, crds: None, namespace: str, manifest: dict[str, Any], path: str, value: Any, message: str
) -> None:
    with pytest.raises(CommandError) as refused:
        apply(cluster, namespace, changed(manifest, path, value))

    assert message in str(refused.value)


def test_an_account_cannot_be_moved_to_another_provider(cluster: Cluster, crds: None, namespace: str) -> None:
    apply(cluster, namespace, ACCOUNT)

    with pytest.raises(CommandError, match=r"spec\.providerRef is immutable.*create another SubscriptionAccount"):
        apply(cluster, namespace, changed(ACCOUNT, "spec.providerRef.name", "other"))


def test_kubectl_knows_short_names_and_the_category(cluster: Cluster, crds: None, namespace: str) -> None:
    for manifest in (PROVIDER, ACCOUNT, FLEET):
        apply(cluster, namespace, manifest)

    assert "anthropic" in cluster.kubectl("get", "-n", namespace, "llmp")
    assert "alice@example.com" in cluster.kubectl("get", "-n", namespace, "subacc")
    everything = cluster.kubectl("get", "-n", namespace, "headgate")
    assert all(text in everything for text in ("llmprovider", "subscriptionaccount", "proxyfleet"))
