"""OpenAI and Gemini on the whole system: a Codex credential file becomes a plan that serves, and keys serve both protocols."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import jwt
import pytest

from headgate_api import acknowledgement
from headgate_api.clock import SystemClock
from headgate_dev.emulator import EmulatorThread, ServerTLS, TokenState
from headgate_dev.emulator.gemini.vendor import Gemini
from headgate_dev.emulator.openai.vendor import OpenAI
from headgate_dev.emulator.vendor import Vendor

from .tenant import Tenant

pytestmark = pytest.mark.cluster

MODEL = "gpt-5.5"
CODEX: dict[str, Any] = {
    "model": MODEL,
    "instructions": "be brief",
    "input": [{"role": "user", "content": "hello"}],
    "store": False,
    "stream": True,
}


@pytest.fixture
def speaks() -> Vendor:
    return OpenAI()


@pytest.fixture
def vendor(tls: ServerTLS, speaks: Vendor) -> Iterator[EmulatorThread]:
    with EmulatorThread(vendor=speaks, tls=tls) as running:
        yield running


def ask(tenant: Tenant, path: str, body: dict[str, Any], **headers: str) -> httpx.Response:
    sent = headers or {"authorization": f"Bearer {tenant.token()}"}
    return httpx.post(f"{tenant.headgate.url()}{path}", headers=sent, json=body, timeout=30)


def test_a_codex_credential_file_serves_as_a_plan_and_the_key_where_the_table_says_so(tenant: Tenant) -> None:
    vendor = tenant.vendor
    now = int(SystemClock().now().timestamp())
    account = "emulated-account-of-alice"
    claims = {"iat": now, "exp": now + 3600, "https://api.openai.com/auth": {"chatgpt_account_id": account}}
    token = jwt.encode(claims, "emulated-signing-key-of-nobody-at-all", algorithm="HS256")
    tokens = {"access_token": token, "id_token": token, "refresh_token": "emulated-refresh", "account_id": account}
    vendor.oauth_tokens[token] = TokenState.VALID
    vendor.api_keys.add(tenant.api_key)
    tenant.secret("vendor-key", key=tenant.api_key)
    tenant.secret("alice-codex", **{"auth.json": json.dumps({"tokens": tokens})})
    tenant.provider(
        "openai",
        wait=False,
        protocol="OpenAI",
        apis=["Chat", "Responses", "Codex"],
        models=[{"name": MODEL}],
        auth={
            "modes": ["Subscription", "APIKey"],
            "fallback": {"revoked": "Allow", "unavailable": "Allow"},
            "apiKey": {"importSecretRef": {"name": "vendor-key", "key": "key"}},
            "subscription": {"endpoint": f"{vendor.url}/backend-api"},
        },
    )
    manifest = {
        "apiVersion": "headgate.dev/v1alpha1",
        "kind": "SubscriptionAccount",
        "metadata": {"name": "alice"},
        "spec": {
            "providerRef": {"name": "openai"},
            "owner": {"email": "alice@example.com", "subjects": [{"name": "agent"}]},
            "credential": {"importSecretRef": {"name": "alice-codex", "key": "auth.json"}},
            "acknowledgement": {
                "by": f"alice-{tenant.namespace}",
                "at": "2026-11-21T08:00:00Z",
                "textVersion": acknowledgement.TEXT_VERSION,
            },
        },
    }
    tenant.cluster.apply(manifest, namespace=tenant.namespace, as_user=f"alice-{tenant.namespace}")
    tenant.wait("subscriptionaccount/alice")
    tenant.wait("llmprovider/openai")

    by_plan = ask(tenant, "/v1/responses", CODEX)
    assert (by_plan.status_code, by_plan.headers["x-headgate-auth-mode"]) == (200, "Subscription")
    chat = ask(tenant, "/v1/chat/completions", {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]})
    assert (chat.status_code, chat.headers["x-headgate-fallback-reason"]) == (200, "RequestUnsupported")
    vendor.oauth_tokens[token] = TokenState.REVOKED
    by_key = ask(tenant, "/v1/responses", CODEX)
    assert (by_key.status_code, by_key.headers["x-headgate-fallback-reason"]) == (200, "Revoked")

    first, second, third, fourth = vendor.requests
    assert first.header("chatgpt-account-id") == account
    assert [r.path for r in vendor.requests] == [
        "/backend-api/codex/responses",
        "/v1/chat/completions",
        "/backend-api/codex/responses",
        "/v1/responses",
    ]
    assert [r.credential for r in (first, second, third, fourth)] == [token, tenant.api_key, token, tenant.api_key]


@pytest.mark.parametrize("speaks", [Gemini()], ids=["gemini"])
def test_a_gemini_key_serves_clients_that_send_their_token_as_googles_do(tenant: Tenant) -> None:
    tenant.with_api_key(name="gemini", protocol="Gemini", models=[{"name": "gemini-2.5-flash"}])
    body = {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}
    path = "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
    answer = ask(tenant, path, body, **{"x-goog-api-key": tenant.token()})
    assert answer.status_code == 200
    assert "You" in answer.text
    assert tenant.vendor.requests[-1].header("x-goog-api-key") == tenant.api_key
    other = ask(tenant, "/v1/messages", {"model": "gemini-2.5-flash", "messages": []})
    assert other.status_code == 400
    assert "speaks Gemini: POST /v1beta/models/{model}:generateContent" in other.text
