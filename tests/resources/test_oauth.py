"""What the API server says to an OAuth profile that cannot work, or that would send a credential where it must not go."""

from typing import Any

import pytest

from headgate_dev.cluster import Cluster, CommandError

from .manifests import ACCOUNT, OAUTH, changed

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("crds")]

WITH_OAUTH = changed(ACCOUNT, "spec.oauth", OAUTH)


def test_a_profile_gets_the_standards_defaults_and_no_identity(cluster: Cluster, namespace: str) -> None:
    cluster.apply(WITH_OAUTH, namespace=namespace)

    stored = cluster.get("-n", namespace, "subscriptionaccount", "alice")["spec"]["oauth"]
    assert (stored["tokenEncoding"], stored["usePKCE"], stored["clientAuthentication"]) == ("Form", True, "Body")
    assert "scopes" not in stored or stored["scopes"] == []


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("clientId", None, "spec.oauth.clientId"),
        ("clientId", "two words", "spec.oauth.clientId"),
        ("tokenEndpoint", None, "spec.oauth.tokenEndpoint"),
        ("tokenEndpoint", "http://auth.vendor.example/token", "must be an https:// URL such as"),
        ("tokenEndpoint", "auth.vendor.example/token", "must be an https:// URL such as"),
        ("tokenEndpoint", "https://me:pw@auth.vendor.example/token", "name the client secret in clientSecretRef"),
        ("tokenEndpoint", "https://auth.vendor.example/token#x", "must not have a fragment"),
        ("authorizationEndpoint", "http://vendor.example/authorize", "must be an https:// URL such as"),
        ("authorizationEndpoint", None, "authorizationEndpoint is missing; add it, or remove redirectURI"),
        ("redirectURI", None, "redirectURI is missing; add the redirect URI registered with the vendor"),
        ("redirectURI", "http://gate.example/callback", "or http:// on the loopback interface"),
        ("redirectURI", "http://localhost.evil.example/callback", "or http:// on the loopback interface"),
        ("revocationEndpoint", "https://vendor.example/revoke", "on another host than tokenEndpoint"),
        ("revocationEndpoint", "https://auth.vendor.example:8443/revoke", "on another host than tokenEndpoint"),
        ("deviceAuthorizationEndpoint", "https://vendor.example/device", "on another host than tokenEndpoint"),
        ("usePKCE", False, "whoever sees the code could redeem it; use PKCE"),
        ("clientAuthentication", "Basic", "clientSecretRef is missing"),
        ("tokenEncoding", "XML", 'supported values: "Form", "JSON"'),
        ("scopes", ["two words"], "spec.oauth.scopes[0]"),
        ("extraAuthorizationParameters", {"client_id": "another"}, "sets a parameter that Headgate writes itself"),
        ("extraTokenParameters", {"refresh_token": "x"}, "sets a parameter that Headgate writes itself"),
        ("accessTokenLifetime", "soon", "spec.oauth.accessTokenLifetime"),
        ("tls", {"caBundle": "hello"}, "at least one PEM certificate"),
    ],
)
def test_what_cannot_work_is_refused_with_field_and_mend(
    cluster: Cluster, namespace: str, field: str, value: Any, says: str
) -> None:
    with pytest.raises(CommandError) as refused:
        cluster.apply(changed(WITH_OAUTH, f"spec.oauth.{field}", value), namespace=namespace)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    "change",
    [
        {"redirectURI": "http://localhost:1455/callback"},
        {"redirectURI": "http://127.0.0.1:8085/oauth2callback"},
        {"revocationEndpoint": "https://auth.vendor.example/revoke"},
        {"deviceAuthorizationEndpoint": "https://auth.vendor.example/device", "accessTokenLifetime": "8h"},
        {"clientSecretRef": {"name": "client", "key": "secret"}, "clientAuthentication": "Basic", "usePKCE": False},
        {"extraAuthorizationParameters": {"access_type": "offline", "prompt": "consent"}},
        {"tokenEncoding": "JSON", "sendState": True, "extraTokenParameters": {"audience": "api"}},
    ],
)
def test_the_vendors_we_know_can_be_described(cluster: Cluster, namespace: str, change: dict[str, Any]) -> None:
    cluster.apply(changed(ACCOUNT, "spec.oauth", OAUTH | change), namespace=namespace)
