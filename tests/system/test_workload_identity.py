"""Workload identity on the whole system: the API server signs, the vendor verifies by its JWKS, requests go by what it gives."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import anthropic
import pytest

from headgate_dev.cluster import Cluster
from headgate_dev.emulator import EmulatorThread, Fault, FaultKind, ServerTLS, TokenState
from headgate_dev.emulator.anthropic.vendor import Anthropic
from headgate_dev.emulator.oauth import Federation, FederationRule, OAuthServer, WithOAuth
from headgate_dev.release import NAMESPACE

from .rollouts import ALL, APPROVAL, Guard
from .rollouts import AUDIENCE as TESTERS
from .tenant import MODEL, Tenant, eventually

AUDIENCE = "https://api.anthropic.com"
TOKENS = "/v1/oauth/token"
TOOL: dict[str, Any] = {
    "name": "weather",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


@pytest.fixture
def issuer(cluster: Cluster) -> str:
    return str(json.loads(cluster.kubectl("get", "--raw", "/.well-known/openid-configuration"))["issuer"])


@pytest.fixture
def federation(cluster: Cluster, issuer: str) -> Federation:
    return Federation(issuers={issuer: json.loads(cluster.kubectl("get", "--raw", "/openid/v1/jwks"))})


@pytest.fixture
def vendor(tls: ServerTLS, federation: Federation) -> Iterator[EmulatorThread]:
    with EmulatorThread(vendor=WithOAuth(Anthropic(), OAuthServer(), federation), tls=tls) as running:
        yield running


class Workload:
    """A ServiceAccount that the vendor's rule names, and a provider that authenticates by it."""

    def __init__(self, tenant: Tenant, federation: Federation, issuer: str) -> None:
        self.tenant, self.federation = tenant, federation
        subject = f"system:serviceaccount:{tenant.namespace}:caller"
        federation.rules["fdrl_1"] = FederationRule("fdrl_1", "org-1", "svac_1", issuer, AUDIENCE, subject)
        self.create_account()

    def create_account(self) -> None:
        self.tenant.cluster.kubectl("create", "serviceaccount", "-n", self.tenant.namespace, "caller")

    def let_the_operator_mint(self) -> None:
        """Grant what the chart's value workloadIdentity.serviceAccounts grants."""
        kubectl, namespace = self.tenant.cluster.kubectl, self.tenant.namespace
        rule = ("--verb=create", "--resource=serviceaccounts/token", "--resource-name=caller")
        kubectl("create", "role", "headgate-workload-identity", "-n", namespace, *rule)
        bound = ("--role=headgate-workload-identity", f"--serviceaccount={NAMESPACE}:headgate-operator")
        kubectl("create", "rolebinding", "headgate-workload-identity", "-n", namespace, *bound)

    def settings(self, **changed: str) -> dict[str, Any]:
        """Return spec.auth with no other mode."""
        settings = {
            "serviceAccountName": "caller",
            "audience": AUDIENCE,
            "federationRuleId": "fdrl_1",
            "organizationId": "org-1",
            "serviceAccountId": "svac_1",
        }
        return {"modes": ["WorkloadIdentity"], "workloadIdentity": settings | changed}

    def apply(
        self, *, wait: bool = True, key: bool = False, fallback: dict[str, str] | None = None, **auth: str
    ) -> None:
        """Apply the provider; with ``key``, an API key comes second."""
        spec = self.settings(**auth)
        if key:
            self.tenant.vendor.api_keys.add(self.tenant.api_key)
            self.tenant.secret("vendor-key", key=self.tenant.api_key)
            reference = {"importSecretRef": {"name": "vendor-key", "key": "key"}}
            spec |= {"modes": ["WorkloadIdentity", "APIKey"], "apiKey": reference, "fallback": fallback or {}}
        self.tenant.provider(auth=spec, wait=wait)

    @property
    def exchanges(self) -> list[str | None]:
        """How each exchange ended: None, or the vendor's reason."""
        return [attempt.denied for attempt in self.federation.attempts]

    def tokens(self) -> list[str]:
        """Return the vendor's federated tokens, oldest first."""
        return [token for token in self.tenant.vendor.oauth_tokens if "federated" in token]

    def messages(self) -> list[tuple[str | None, int | None]]:
        """Return credential and status of each message that reached the vendor."""
        return [(r.credential, r.status) for r in self.tenant.vendor.requests if r.path == "/v1/messages"]

    def mode(self, url: str | None = None) -> str:
        """Return the mode that a request goes by."""
        answer = self.tenant.message(url=url)
        assert answer.status_code == 200, answer.text
        return str(answer.headers["x-headgate-auth-mode"])

    def goes_by(self, mode: str, url: str) -> bool:
        """Tell whether a request to this proxy goes by that mode."""
        return self.mode(url) == mode


@pytest.fixture
def workload(tenant: Tenant, federation: Federation, issuer: str) -> Workload:
    return Workload(tenant, federation, issuer)


def test_a_provider_serves_streams_and_tools_without_any_secret(
    tenant: Tenant, workload: Workload, issuer: str
) -> None:
    workload.apply(wait=False)
    said = tenant.wait_reason("llmprovider/anthropic", "CredentialsReady", "TokenRequestForbidden")
    assert "resources: [serviceaccounts/token], resourceNames: [caller], verbs: [create]" in said["message"]
    assert workload.exchanges == []

    workload.let_the_operator_mint()
    tenant.wait("llmprovider/anthropic", timeout=60)
    assert workload.exchanges == [None]
    for url in tenant.headgate.urls().values():
        with (
            anthropic.Anthropic(api_key=tenant.token(), base_url=url, max_retries=0) as client,
            client.messages.stream(
                model=MODEL,
                max_tokens=64,
                messages=[{"role": "user", "content": 'use tool weather with {"city": "Zürich"}'}],
                tools=[TOOL],  # type: ignore[list-item]
            ) as stream,
        ):
            message = stream.get_final_message()
        (call,) = [block for block in message.content if block.type == "tool_use"]
        assert (call.name, call.input) == ("weather", {"city": "Zürich"})
        assert workload.mode(url) == "WorkloadIdentity"
    (token,) = workload.tokens()
    assert {credential for credential, _ in workload.messages()} == {token}
    request = tenant.vendor.requests[-1]
    assert request.header("authorization") == f"Bearer {token}"
    assert "oauth-2025-04-20" in (request.header("anthropic-beta") or "")
    assert request.header("x-api-key") is None
    (exchange,) = [request for request in tenant.vendor.requests if request.path == TOKENS]
    assertion = json.loads(exchange.body)["assertion"]
    shown = tenant.cluster.kubectl("get", "llmprovider/anthropic", "-n", tenant.namespace, "-o", "yaml")
    assert token not in shown
    assert assertion not in shown


def test_a_rule_that_does_not_fit_is_told_by_field_and_a_correction_serves_at_once(
    tenant: Tenant, workload: Workload, issuer: str
) -> None:
    workload.let_the_operator_mint()
    workload.apply(wait=False, organizationId="org-9")
    said = tenant.wait_reason("llmprovider/anthropic", "CredentialsReady", "FederationRefused")
    assert "spec.auth.workloadIdentity.organizationId: org-9 is not the organization of rule fdrl_1" in said["message"]
    assert f"trust issuer {issuer} with subject system:serviceaccount:{tenant.namespace}:caller" in said["message"]
    assert workload.exchanges == ["organization_mismatch"]
    workload.apply()
    assert workload.exchanges == ["organization_mismatch", None]
    assert workload.mode() == "WorkloadIdentity"


def test_a_revoked_token_is_exchanged_anew_once_for_twenty_requests_on_both_proxies(
    tenant: Tenant, workload: Workload
) -> None:
    workload.let_the_operator_mint()
    workload.apply()
    (old,) = workload.tokens()
    urls = list(tenant.headgate.urls().values())
    assert {workload.mode(url) for url in urls} == {"WorkloadIdentity"}
    tenant.vendor.oauth_tokens[old] = TokenState.REVOKED
    token = tenant.token()

    with ThreadPoolExecutor(20) as pool:
        asking = [pool.submit(tenant.message, token=token, url=urls[number % 2]) for number in range(20)]
        answers = [one.result() for one in asking]

    assert [answer.status_code for answer in answers] == [200] * 20
    assert {answer.headers["x-headgate-auth-mode"] for answer in answers} == {"WorkloadIdentity"}
    assert workload.exchanges == [None, None]
    assert workload.messages().count((workload.tokens()[-1], 200)) == 20
    tenant.wait("llmprovider/anthropic")


@pytest.mark.timeout(300)
def test_tokens_are_renewed_and_an_outage_of_the_vendor_lasts_until_the_last_one_ends(
    tenant: Tenant, workload: Workload
) -> None:
    workload.let_the_operator_mint()
    workload.federation.lifetime = timedelta(seconds=60)
    workload.apply(key=True, fallback={"expired": "Allow"})
    urls = list(tenant.headgate.urls().values())
    revision = tenant.cluster.get("llmprovider/anthropic", "-n", tenant.namespace)["status"]["revision"]
    eventually("a renewal", lambda: len(workload.exchanges) == 2)
    tenant.vendor.add_fault(Fault(kind=FaultKind.SERVER_ERROR, status=503, path=TOKENS, times=None))
    newest = workload.tokens()[-1]
    for url in urls:
        eventually("the proxy uses the new token", partial(_uses, workload, url, newest))
    status = tenant.cluster.get("llmprovider/anthropic", "-n", tenant.namespace)["status"]
    assert status["revision"] == revision, "a renewal is no change"

    eventually("the trouble's message", lambda: "The present one serves until" in _message(tenant))
    assert "tried again at" in _message(tenant)
    assert {workload.mode(url) for url in urls} == {"WorkloadIdentity"}
    for url in urls:
        eventually("the last token's end", partial(workload.goes_by, "APIKey", url), timeout=90)
    answer = tenant.message()
    assert answer.headers["x-headgate-fallback-reason"] == "Expired"

    tenant.vendor.clear_faults()
    for url in urls:
        eventually("the next token", partial(workload.goes_by, "WorkloadIdentity", url), timeout=120)


def test_a_service_account_that_goes_and_comes_again(tenant: Tenant, workload: Workload) -> None:
    workload.let_the_operator_mint()
    workload.apply(key=True, fallback={"revoked": "Allow"})
    tenant.cluster.kubectl("delete", "serviceaccount", "-n", tenant.namespace, "caller")
    assert workload.mode() == "WorkloadIdentity", "what the vendor issued is the vendor's to end"

    tenant.vendor.oauth_tokens[workload.tokens()[0]] = TokenState.REVOKED
    for url in tenant.headgate.urls().values():
        assert workload.mode(url) == "APIKey"
    eventually("the condition's message", lambda: "caller does not exist" in _message(tenant))
    workload.create_account()
    eventually("the next exchange", lambda: workload.exchanges == [None, None], timeout=90)
    for url in tenant.headgate.urls().values():
        eventually("the proxy uses the new token", partial(workload.goes_by, "WorkloadIdentity", url))


def test_a_rollout_of_the_settings_leaves_stable_traffic_on_its_own_token(tenant: Tenant, workload: Workload) -> None:
    workload.let_the_operator_mint()
    workload.apply()
    (stable,) = workload.tokens()
    guard = Guard.create(tenant, TESTERS, APPROVAL, ALL)
    guard.change(auth=workload.settings(federationRuleId="fdrl_9"))
    tenant.wait_reason("llmprovider/anthropic", "CredentialsReady", "FederationRefused")
    assert workload.mode() == "WorkloadIdentity"
    assert workload.messages()[-1] == (stable, 200)

    workload.federation.rules["fdrl_2"] = replace(workload.federation.rules["fdrl_1"], id="fdrl_2")
    guard.change(auth=workload.settings(federationRuleId="fdrl_2"))
    guard.awaiting(1)
    candidate = workload.tokens()[-1]
    assert candidate != stable
    guard.ask(5)
    assert {credential for credential, _ in workload.messages()[-5:]} == {stable}
    guard.ask(5, "tester")
    assert {credential for credential, _ in workload.messages()[-5:]} == {candidate}

    tenant.vendor.oauth_tokens[stable] = TokenState.REVOKED
    assert workload.mode() == "WorkloadIdentity"
    assert [(a.rule, a.denied) for a in workload.federation.attempts][-1] == ("fdrl_1", None)
    again = workload.tokens()[-1]
    assert workload.messages()[-1] == (again, 200)

    guard.approve()
    guard.wait("condition=Promoted")
    for url in tenant.headgate.urls().values():
        eventually("the promoted settings' token", partial(_uses, workload, url, candidate))


def _uses(workload: Workload, url: str, token: str) -> bool:
    assert workload.mode(url) == "WorkloadIdentity"
    return workload.messages()[-1] == (token, 200)


def _message(tenant: Tenant) -> str:
    return str(tenant.condition("llmprovider/anthropic", "CredentialsReady")["message"])
