"""Subscription first, API key second: what moves a request over, and that every place tells the same reason."""

import re
import secrets

import httpx
import pytest

from headgate_dev.cluster import Cluster
from headgate_dev.emulator import Fault, FaultKind, TokenState
from headgate_dev.otlp import OTLPSinkThread

from .tenant import MODEL, Tenant


def test_an_acknowledged_subscription_is_used_first(tenant: Tenant) -> None:
    tenant.with_subscription({})

    response = tenant.message()

    assert response.status_code == 200
    assert response.headers["x-headgate-auth-mode"] == "Subscription"
    request = tenant.vendor.requests[-1]
    assert (request.credential_kind, request.credential) == ("oauth", tenant.oauth_token)
    assert "oauth-2025-04-20" in (request.header("anthropic-beta") or "")


def test_without_an_acknowledgement_the_subscription_is_not_touched(tenant: Tenant) -> None:
    tenant.vendor.oauth_tokens[tenant.oauth_token] = TokenState.VALID
    tenant.vendor.api_keys.add(tenant.api_key)
    tenant.secret("vendor-key", key=tenant.api_key)
    key = {"importSecretRef": {"name": "vendor-key", "key": "key"}}
    tenant.provider(auth={"modes": ["Subscription", "APIKey"], "apiKey": key}, wait=False)
    tenant.account(acknowledged=False)

    said = tenant.wait_reason("subscriptionaccount/alice", "Acknowledged", "NotAcknowledged")
    tenant.wait("llmprovider/anthropic")
    response = tenant.message()

    assert "set spec.acknowledgement" in said["message"]
    assert response.headers["x-headgate-auth-mode"] == "APIKey"
    assert {r.credential_kind for r in tenant.vendor.requests} == {"api_key"}


def test_a_revoked_subscription_falls_back_and_everything_says_revoked(
    tenant: Tenant, cluster: Cluster, sink: OTLPSinkThread
) -> None:
    tenant.with_subscription({"revoked": "Allow"})
    tenant.vendor.oauth_tokens[tenant.oauth_token] = TokenState.REVOKED
    trace_id = secrets.token_hex(16)
    url = tenant.headgate.url()

    response = httpx.post(
        f"{url}/v1/messages",
        headers={
            "authorization": f"Bearer {tenant.token()}",
            "anthropic-version": "2023-06-01",
            "traceparent": f"00-{trace_id}-b7ad6b7169203331-01",
        },
        json={"model": MODEL, "max_tokens": 16, "messages": [{"role": "user", "content": "hi"}]},
        timeout=30,
    )

    assert response.status_code == 200
    assert response.headers["x-headgate-auth-mode"] == "APIKey"
    assert response.headers["x-headgate-fallback-reason"] == "Revoked"
    provider = tenant.wait_reason("llmprovider/anthropic", "FallbackActive", "Revoked")
    assert provider["status"] == "True"
    account = tenant.wait_reason("subscriptionaccount/alice", "CredentialValid", "Revoked")
    assert account["status"] == "False"
    fallback = next(s for s in sink.wait_for_trace(trace_id, spans=5, timeout=20) if s.name == "headgate.fallback")
    assert "Revoked" in fallback.attributes.values()
    admin = next(u for p, u in tenant.headgate.urls(port="admin").items() if tenant.headgate.urls()[p] == url)
    metrics = httpx.get(f"{admin}/metrics").text
    assert re.search(r'headgate_proxy_fallbacks_total\{[^}]*reason="Revoked"[^}]*\} [1-9]', metrics)
    pod = next(p for p, u in tenant.headgate.urls().items() if u == url)
    log = [
        line
        for line in cluster.pod_log("headgate-system", pod).splitlines()
        if response.headers["x-headgate-request-id"] in line
    ]
    assert any("Revoked" in line for line in log)
    # Known to be revoked, the token is not tried again.
    before = len(tenant.vendor.requests)
    assert tenant.message(url=url).headers["x-headgate-fallback-reason"] == "Revoked"
    assert len(tenant.vendor.requests) == before + 1


def test_nothing_of_the_subscription_survives_into_the_api_key_request(tenant: Tenant) -> None:
    tenant.with_subscription({"revoked": "Allow"})
    tenant.vendor.oauth_tokens[tenant.oauth_token] = TokenState.REVOKED

    tenant.message()

    refused, served = tenant.vendor.requests[-2:]
    assert (refused.credential_kind, served.credential_kind) == ("oauth", "api_key")
    assert served.header("authorization") is None
    assert "oauth" not in (served.header("anthropic-beta") or "")
    assert tenant.oauth_token.encode() not in served.body + repr(served.headers).encode()
    assert refused.body == served.body


def test_the_spend_boundary_holds_when_the_table_denies(tenant: Tenant) -> None:
    tenant.with_subscription({"expired": "Allow"})
    tenant.vendor.oauth_tokens[tenant.oauth_token] = TokenState.REVOKED

    response = tenant.message()

    assert response.status_code == 502
    error = response.json()
    assert error["type"] == "error"
    assert error["error"]["type"] == "api_error"
    assert "Revoked" in error["error"]["message"]
    assert "spec.auth.fallback" in error["error"]["message"]
    assert {r.credential_kind for r in tenant.vendor.requests} == {"oauth"}


@pytest.mark.parametrize(
    ("fault", "row", "reason"),
    [
        (Fault(kind=FaultKind.OAUTH_EXPIRED, times=None), "expired", "Expired"),
        (Fault(kind=FaultKind.RATE_LIMITED, times=None, seconds=60), "rateLimited", "RateLimited"),
        (Fault(kind=FaultKind.OVERLOADED, times=None), "unavailable", "Overloaded"),
        (Fault(kind=FaultKind.CUT_BEFORE_HEADERS, times=None), "unavailable", "Unreachable"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_each_row_of_the_table_allows_its_own_failure(tenant: Tenant, fault: Fault, row: str, reason: str) -> None:
    tenant.with_subscription({row: "Allow"})
    tenant.vendor.add_fault(Fault(kind=fault.kind, times=None, seconds=fault.seconds, credential=tenant.oauth_token))

    response = tenant.message()

    assert response.status_code == 200
    assert response.headers["x-headgate-auth-mode"] == "APIKey"
    assert response.headers["x-headgate-fallback-reason"] == reason


def test_a_suspended_account_is_not_used(tenant: Tenant, cluster: Cluster) -> None:
    tenant.with_subscription({"unavailable": "Allow"})

    cluster.kubectl(
        "patch", "-n", tenant.namespace, "subacc", "alice", "--type=merge", "-p", '{"spec":{"suspend":true}}'
    )
    condition = tenant.wait_reason("subscriptionaccount/alice", "Ready", "Suspended")
    tenant.wait("llmprovider/anthropic", "jsonpath={.status.accounts}=0")

    assert condition["status"] == "False"
    for url in tenant.headgate.urls().values():
        assert tenant.message(url=url).headers["x-headgate-auth-mode"] == "APIKey"


def test_another_service_account_does_not_ride_on_the_owners_plan(tenant: Tenant, cluster: Cluster) -> None:
    tenant.with_subscription({"revoked": "Allow"})
    cluster.kubectl("create", "serviceaccount", "-n", tenant.namespace, "stranger")

    response = tenant.message(token=tenant.token(service_account="stranger"))

    assert response.headers["x-headgate-auth-mode"] == "APIKey"
    assert {r.credential_kind for r in tenant.vendor.requests} == {"api_key"}
