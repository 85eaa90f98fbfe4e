"""Refreshes on the whole system: proxies ask, the leader refreshes once, and everybody goes on with the new token."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
import pytest

from headgate_api.clock import SystemClock
from headgate_dev.emulator import EmulatorThread, Fault, FaultKind, ServerTLS, TokenState
from headgate_dev.emulator.anthropic.vendor import Anthropic
from headgate_dev.emulator.oauth import Client, OAuthServer, WithOAuth, refreshes_at_once

from .tenant import Tenant, eventually

CLIENT = "not-a-real-client"


@pytest.fixture
def oauth() -> OAuthServer:
    return OAuthServer(Client(CLIENT))


@pytest.fixture
def vendor(tls: ServerTLS, oauth: OAuthServer) -> Iterator[EmulatorThread]:
    with EmulatorThread(vendor=WithOAuth(Anthropic(), oauth), tls=tls) as running:
        yield running


class Plan:
    """Alice's plan: a grant that the emulated vendor issued, imported with its refresh token and a profile."""

    def __init__(self, tenant: Tenant, oauth: OAuthServer) -> None:
        self.tenant, self.oauth = tenant, oauth

    def sign_in(self, lifetime: timedelta = timedelta(hours=8), **fallback: str) -> None:
        """Issue tokens that the import says expire after ``lifetime``; the API key comes second."""
        tenant, vendor, now = self.tenant, self.tenant.vendor, SystemClock().now()
        issued = self.oauth.grants.begin(CLIENT, "user:inference", now, vendor.credentials)
        vendor.api_keys.add(tenant.api_key)
        tenant.secret("vendor-key", key=tenant.api_key)
        key = {"importSecretRef": {"name": "vendor-key", "key": "key"}}
        tenant.provider(auth={"modes": ["Subscription", "APIKey"], "fallback": fallback, "apiKey": key}, wait=False)
        tenant.account(
            issued.access_token,
            refresh_token=issued.refresh_token,
            expires_at=now + lifetime,
            oauth=self.profile(),
        )
        tenant.wait("subscriptionaccount/alice")
        tenant.wait("llmprovider/anthropic")

    def profile(self) -> dict[str, Any]:
        vendor = self.tenant.vendor
        return {"tokenEndpoint": f"{vendor.url}/oauth/token", "clientId": CLIENT, "tls": {"caBundle": vendor.ca_pem}}

    def expire(self) -> None:
        """Let the vendor refuse every access token of the grant issued so far."""
        for token in self.oauth.grants.grants[0].access_tokens:
            self.tenant.vendor.oauth_tokens[token] = TokenState.EXPIRED

    def refreshes(self) -> list[str | None]:
        """Return how each refresh ended at the vendor: None, or its error."""
        return [call.error for call in self.oauth.calls if call.grant_type == "refresh_token"]

    def newest(self) -> str:
        """Return the access token that the vendor issued last."""
        return list(self.oauth.grants.grants[0].access_tokens)[-1]

    def messages(self) -> list[tuple[str | None, int | None]]:
        """Return credential and status of each message that reached the vendor, in their order."""
        return [(r.credential, r.status) for r in self.tenant.vendor.requests if r.path == "/v1/messages"]


@pytest.fixture
def plan(tenant: Tenant, oauth: OAuthServer) -> Plan:
    return Plan(tenant, oauth)


def test_the_request_that_meets_an_expired_token_succeeds_after_one_refresh(tenant: Tenant, plan: Plan) -> None:
    plan.sign_in()
    old = plan.newest()
    plan.expire()
    url = tenant.headgate.url()

    answer = tenant.message(url=url)

    assert answer.status_code == 200
    assert answer.headers["x-headgate-auth-mode"] == "Subscription"
    assert "x-headgate-fallback-reason" not in answer.headers
    assert plan.newest() != old
    assert plan.messages() == [(old, 401), (plan.newest(), 200)]
    assert plan.refreshes() == [None]
    urls = tenant.headgate.urls()
    admin = next(a for pod, a in tenant.headgate.urls(port="admin").items() if urls[pod] == url)
    metrics = httpx.get(f"{admin}/metrics").text
    assert re.search(r'headgate_proxy_refresh_requests_total\{outcome="Renewed"\} [1-9]', metrics)
    # The other proxy follows without having been refused anything.
    tenant.wait("subscriptionaccount/alice", "jsonpath={.status.generation}=2")
    tenant.wait("subscriptionaccount/alice")
    for other in urls.values():
        assert tenant.message(url=other).headers["x-headgate-auth-mode"] == "Subscription"
    assert set(plan.messages()[2:]) == {(plan.newest(), 200)}
    assert plan.refreshes() == [None]


def test_twenty_requests_at_once_on_both_proxies_cause_one_refresh(tenant: Tenant, plan: Plan) -> None:
    plan.sign_in()
    old = plan.newest()
    plan.expire()
    urls = list(tenant.headgate.urls().values())
    token = tenant.token()
    hold = tenant.vendor.add_fault(Fault(kind=FaultKind.HOLD, path="/oauth/token"))

    with ThreadPoolExecutor(20) as pool:
        asking = [pool.submit(tenant.message, token=token, url=urls[number % 2]) for number in range(20)]
        tenant.vendor.wait_until(lambda: plan.messages().count((old, 401)) == 20)
        tenant.vendor.release(hold)
        answers = [one.result() for one in asking]

    assert [a.status_code for a in answers] == [200] * 20
    assert {a.headers["x-headgate-auth-mode"] for a in answers} == {"Subscription"}
    assert plan.messages().count((plan.newest(), 200)) == 20
    assert plan.refreshes() == [None]
    assert refreshes_at_once(plan.oauth.calls, tenant.vendor.requests) == 1


def test_a_revoked_grant_falls_back_and_says_who_has_to_sign_in(tenant: Tenant, plan: Plan) -> None:
    plan.sign_in(revoked="Allow")
    plan.oauth.grants.revoke(plan.oauth.grants.grants[0], tenant.vendor.credentials)

    for url in tenant.headgate.urls().values():
        answer = tenant.message(url=url)
        assert answer.status_code == 200
        assert answer.headers["x-headgate-auth-mode"] == "APIKey"
        assert answer.headers["x-headgate-fallback-reason"] == "ReauthenticationRequired"

    said = tenant.wait_reason("subscriptionaccount/alice", "RefreshHealthy", "ReauthenticationRequired")
    assert said["status"] == "False"
    assert "alice@example.com signs in again" in said["message"]
    assert plan.refreshes() == ["invalid_grant"]


def test_a_refresh_that_is_due_happens_by_itself_and_both_proxies_follow(tenant: Tenant, plan: Plan) -> None:
    lifetime = timedelta(seconds=24)
    plan.sign_in(lifetime)
    old = plan.newest()

    tenant.wait("subscriptionaccount/alice", "jsonpath={.status.generation}=2")
    tenant.wait_reason("subscriptionaccount/alice", "RefreshHealthy", "Refreshed")
    tenant.vendor.oauth_tokens[old] = TokenState.EXPIRED

    assert plan.refreshes() == [None]
    for url in tenant.headgate.urls().values():
        eventually("the proxy holds the new token", partial(_serves, tenant, plan, url))
    assert plan.refreshes() == [None]


def test_a_refresh_of_a_guarded_account_starts_no_rollout_and_both_proxies_follow(tenant: Tenant, plan: Plan) -> None:
    plan.sign_in()
    policy = {
        "apiVersion": "headgate.dev/v1alpha1",
        "kind": "RolloutPolicy",
        "metadata": {"name": "careful"},
        "spec": {
            "targets": [{"kind": "LLMProvider", "name": "anthropic"}],
            "steps": [{"weight": 50, "hold": "1h"}, {"weight": 100}],
        },
    }
    tenant.cluster.apply(policy, namespace=tenant.namespace)
    tenant.wait("rolloutpolicy/careful", "jsonpath={.status.stableRevision}")
    before = tenant.cluster.get("rolloutpolicy/careful", "-n", tenant.namespace)["status"]
    old = plan.newest()
    plan.expire()

    assert tenant.message().headers["x-headgate-auth-mode"] == "Subscription"
    tenant.wait("subscriptionaccount/alice", "jsonpath={.status.generation}=2")
    tenant.wait("subscriptionaccount/alice")
    for url in tenant.headgate.urls().values():
        assert tenant.message(url=url).headers["x-headgate-auth-mode"] == "Subscription"

    assert [credential for credential, _ in plan.messages()].count(old) == 1
    assert plan.refreshes() == [None]
    after = tenant.cluster.get("rolloutpolicy/careful", "-n", tenant.namespace)["status"]
    assert (after["stableRevision"], after.get("rollout")) == (before["stableRevision"], None)
    assert after.get("history") == before.get("history")


def _serves(tenant: Tenant, plan: Plan, url: str) -> bool:
    """Tell whether a proxy uses the newest token. It meets no refusal on the way: that would be a refresh more."""
    answer = tenant.message(url=url)
    assert answer.headers["x-headgate-auth-mode"] == "Subscription"
    return plan.messages()[-1] == (plan.newest(), 200)
