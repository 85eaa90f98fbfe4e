"""A second tenant tries to reach the first one's credential: by path, endpoint, selector, redirect, and by calling (B13)."""

import uuid
from collections.abc import Iterator

import httpx
import pytest

from headgate_dev.cluster import Cluster, CommandError
from headgate_dev.emulator import EmulatorThread, Fault, FaultKind, ServerTLS

from .tenant import MODEL, Tenant


@pytest.fixture
def mallory(tenant: Tenant, cluster: Cluster, tls: ServerTLS) -> Iterator[Tenant]:
    """Another namespace, whose admin is the attacker, with a listener of the attacker's own as its vendor."""
    name = f"mallory-{uuid.uuid4().hex[:8]}"
    cluster.kubectl("create", "namespace", name)
    cluster.kubectl("create", "serviceaccount", "-n", name, "agent")
    cluster.kubectl(
        "create", "rolebinding", "-n", name, "mallory", "--clusterrole=cluster-admin", f"--user=alice-{name}"
    )
    with EmulatorThread(tls=tls) as listener:
        yield Tenant(cluster, tenant.headgate, listener, name)
    cluster.kubectl("delete", "namespace", name, "--wait=false")


def secrets_seen(listener: EmulatorThread) -> bytes:
    return b"".join(repr(r.headers).encode() + r.body for r in listener.requests)


@pytest.mark.parametrize("name", ["../{victim}/llmproviders/anthropic", "{victim}/anthropic", "..%2f{victim}"])
def test_no_name_in_a_spec_reaches_another_namespaces_path(tenant: Tenant, mallory: Tenant, name: str) -> None:
    tenant.with_api_key()
    ref = {"name": name.format(victim=tenant.namespace), "key": "key"}

    with pytest.raises(CommandError, match="importSecretRef"):
        mallory.provider(auth={"modes": ["APIKey"], "apiKey": {"importSecretRef": ref}})


def test_the_same_names_in_another_namespace_are_other_credentials(tenant: Tenant, mallory: Tenant) -> None:
    tenant.with_api_key()

    mallory.provider(auth={"modes": ["APIKey"], "apiKey": {}}, wait=False)

    condition = mallory.wait_reason("llmprovider/anthropic", "CredentialsReady", "CredentialNotFound")
    assert condition["status"] == "False"


def test_a_changed_endpoint_does_not_get_the_credential(tenant: Tenant, mallory: Tenant, cluster: Cluster) -> None:
    tenant.with_api_key()

    tenant.provider(endpoint=mallory.vendor.url, tls={"caBundle": mallory.vendor.ca_pem}, wait=False)
    condition = tenant.wait_reason("llmprovider/anthropic", "CredentialsReady", "OriginNotBound")
    cluster.wait_for("proxyfleet/default", "condition=SnapshotDelivered", namespace="headgate-system")
    answers = [tenant.message(url=url) for url in tenant.headgate.urls().values()]

    assert mallory.vendor.url in condition["message"]
    assert {a.status_code for a in answers} <= {502, 503}
    assert mallory.vendor.requests == []
    # The mend that the message names works: whoever may write the Secret allows the new origin there.
    origins = f"headgate.dev/origins={tenant.vendor.url},{mallory.vendor.url}"
    cluster.kubectl("annotate", "-n", tenant.namespace, "secret/vendor-key", origins)
    tenant.wait("llmprovider/anthropic", timeout=90)


def test_a_redirect_does_not_carry_the_credential_away(tenant: Tenant, mallory: Tenant) -> None:
    tenant.with_api_key()
    tenant.vendor.add_fault(Fault(kind=FaultKind.REDIRECT, location=f"{mallory.vendor.url}/v1/messages", times=None))

    response = tenant.message()

    assert response.status_code == 502
    assert "redirect" in response.json()["error"]["message"]
    assert "location" not in response.headers
    assert mallory.vendor.requests == []


def test_a_selector_sees_accounts_of_its_own_namespace_only(tenant: Tenant, mallory: Tenant, cluster: Cluster) -> None:
    tenant.with_subscription({})
    cluster.kubectl("label", "-n", tenant.namespace, "subacc/alice", "plan=max")

    mallory.provider(auth={"modes": ["Subscription"], "subscription": {"accountSelector": {"plan": "max"}}}, wait=False)
    condition = mallory.wait_reason("llmprovider/anthropic", "CredentialsReady", "NoAccount")

    assert condition["status"] == "False"
    assert mallory.message().status_code in (404, 502, 503)
    assert tenant.oauth_token.encode() not in secrets_seen(mallory.vendor)


def test_a_caller_of_another_namespace_needs_the_owners_grant(tenant: Tenant, mallory: Tenant) -> None:
    tenant.with_api_key()

    refused = mallory.message()
    hinted = mallory.cluster.create_token(mallory.namespace, "agent", "headgate")
    assert (refused.status_code, refused.json()["error"]["type"]) == (404, "not_found_error")
    assert tenant.namespace not in refused.text
    assert tenant.vendor.requests == []

    tenant.with_api_key(allowedNamespaces=[mallory.namespace])
    granted = mallory.message(token=hinted)
    assert granted.status_code == 200
    assert granted.headers["x-headgate-provider"] == f"{tenant.namespace}/anthropic"


def test_a_pooled_account_does_not_reach_callers_without_a_grant(tenant: Tenant, mallory: Tenant) -> None:
    tenant.with_subscription({}, modes=("Subscription",))
    tenant.account(sharing="Pool")
    tenant.wait("subscriptionaccount/alice")

    assert mallory.message().status_code == 404
    assert tenant.vendor.requests == []


@pytest.mark.parametrize(
    ("audience", "duration", "mend"),
    [
        ("https://kubernetes.default.svc", "1h", "audience"),
        ("vault", "1h", "audience"),
        ("headgate", "48h", "lower expirationSeconds"),
    ],
)
def test_a_token_for_something_else_or_for_too_long_is_refused_with_the_mend(
    tenant: Tenant, audience: str, duration: str, mend: str
) -> None:
    tenant.with_api_key()

    response = tenant.message(token=tenant.token(audience, duration))

    assert response.status_code == 401
    assert response.json()["error"]["type"] == "authentication_error"
    assert mend in response.json()["error"]["message"]
    assert tenant.vendor.requests == []


def test_the_callers_own_credentials_stay_behind(tenant: Tenant) -> None:
    tenant.with_api_key()
    token = tenant.token()
    headers = {
        "x-api-key": token,
        "anthropic-version": "2023-06-01",
        "anthropic-beta": "context-1m-2025-08-07",
        "cookie": "session=canary-cookie",
        "proxy-authorization": "Basic canary-proxy",
        "x-goog-api-key": "canary-google",
        "x-auth-token": "canary-auth",
        "x-headgate-track": "canary",
        "x-forwarded-for": "10.9.9.9",
        "user-agent": "agent/7",
        "x-app": "cli",
    }
    body = {"model": MODEL, "max_tokens": 16, "messages": [{"role": "user", "content": "hi"}]}

    response = httpx.post(f"{tenant.headgate.url()}/v1/messages", headers=headers, json=body)

    assert response.status_code == 200
    sent = tenant.vendor.requests[-1]
    received = repr(sent.headers)
    assert token not in received
    assert "canary" not in received
    assert "10.9.9.9" not in received
    assert (sent.header("user-agent"), sent.header("x-app")) == ("agent/7", "cli")
    assert sent.header("anthropic-beta") == "context-1m-2025-08-07"
