"""``POST /v1/refresh`` as proxies see it: who may ask, for what, and what each answer means."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import aiohttp
import pytest
from aiohttp import web
from tests.operator.credentials.objects import ACCOUNT, PROVIDER, START, account, provider
from tests.operator.credentials.world import Faults, MemoryKube, MemoryVault

from headgate_api.clock import ManualClock
from headgate_api.reasons import ConditionReason
from headgate_api.refresh import REFRESH_PATH
from headgate_api.resources import LLMProvider
from headgate_operator.broker.authentication import Authenticator
from headgate_operator.broker.refreshing import RefreshEndpoint
from headgate_operator.credentials.store import Store
from headgate_operator.engine.keys import Key
from headgate_operator.federation.memory import Memory
from headgate_operator.federation.settings import federation_of
from headgate_operator.refresh.executor import Renewed, Result
from headgate_operator.refresh.verdict import Rest
from headgate_runtime.vault import VaultCause

if TYPE_CHECKING:
    from headgate_runtime.kube import Kube

PATH = "team/subscriptionaccounts/ada/access"
OAUTH = {"tokenEndpoint": "https://auth.vendor.example/token", "clientId": "c"}
RENEWED = Renewed(2, 7, datetime(2026, 11, 1, 20, tzinfo=UTC))
ASK = {"fleet": "default", "pod": "p1", "path": PATH, "generation": 1}


class Reviewed(MemoryKube):
    async def token_review(self, token: str, audiences: Sequence[str]) -> dict[str, Any]:
        user = {
            "username": f"system:serviceaccount:headgate-system:headgate-proxy-{token}",
            "extra": {"authentication.kubernetes.io/pod-name": ["p1"]},
        }
        return {"authenticated": token != "bad", "audiences": list(audiences), "user": user}


@dataclass
class Broker:
    http: aiohttp.ClientSession
    kube: MemoryKube
    vault: MemoryVault
    clock: ManualClock
    leads: bool = True
    asked: list[tuple[Key, str, int | None]] = field(default_factory=list)
    result: Result = RENEWED
    memory: Memory = field(default_factory=Memory)

    async def ask(self, key: Key, origin: str, refused: int | None) -> Result:
        self.asked.append((key, origin, refused))
        return self.result

    async def post(self, body: Any = None, who: str = "default") -> tuple[int, dict[str, Any], str | None]:
        headers = {"authorization": f"Bearer {who}"} if who else {}
        async with self.http.post(REFRESH_PATH, json=ASK if body is None else body, headers=headers) as answer:
            return answer.status, await answer.json(), answer.headers.get("retry-after")


@pytest.fixture
async def broker() -> AsyncIterator[Broker]:
    faults, clock = Faults(), ManualClock(START)
    kube, vault = Reviewed(faults), MemoryVault(faults)
    for name, namespaces in (("default", ["team"]), ("other", ["elsewhere"])):
        kube.put(
            {
                "apiVersion": "headgate.dev/v1alpha1",
                "kind": "ProxyFleet",
                "metadata": {"namespace": "headgate-system", "name": name},
                "spec": {"image": "h", "allowedNamespaces": namespaces},
            }
        )
    kube.put(account(oauth=OAUTH))
    record = {"origins": [], "access_token": "not-real-access", "grant_id": "g", "generation": 3}
    for _ in range(4):
        vault.put(PATH, record)
    async with aiohttp.ClientSession() as unused:
        made = Broker(unused, kube, vault, clock)
    endpoint = RefreshEndpoint(
        cast("Kube", kube),
        Store(vault),
        made,
        Authenticator(cast("Kube", kube), clock),
        made.memory,
        namespace="headgate-system",
        leads=lambda: made.leads,
        clock=clock,
    )
    app = web.Application()
    app.router.add_post(REFRESH_PATH, endpoint.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}") as http:
        made.http = http
        yield made
    await runner.cleanup()


async def test_the_answer_names_the_version_to_read(broker: Broker) -> None:
    status, body, _ = await broker.post()
    assert (status, body) == (200, {"path": PATH, "version": 7, "generation": 2, "expiresAt": "2026-11-01T20:00:00Z"})
    assert broker.asked == [(ACCOUNT, "https://auth.vendor.example", 1)]
    assert "not-real" not in repr(body)


async def test_a_version_that_is_no_longer_the_latest_is_answered_from_vault(broker: Broker) -> None:
    by_version = {k: v for k, v in ASK.items() if k != "generation"} | {"version": 3}
    assert (await broker.post(by_version))[:2] == (200, {"path": PATH, "version": 4, "generation": 3})
    assert broker.asked == []
    await broker.post(by_version | {"version": 4})
    assert broker.asked == [(ACCOUNT, "https://auth.vendor.example", 3)]


@pytest.mark.parametrize(
    ("change", "token", "status", "says"),
    [
        ({}, "", 401, "audience headgate-broker"),
        ({}, "bad", 401, "does not accept this token"),
        ({}, "other", 403, "may not"),
        ({"pod": "p2"}, "default", 403, "pod p2"),
        ({"fleet": "other"}, "other", 403, "does not serve namespace team"),
        ({"path": "team/subscriptionaccounts/ada/grant"}, "default", 400, "path: "),
        ({"path": "team/subscriptionaccounts/../access"}, "default", 400, "path: "),
        ({"path": "team/subscriptionaccounts/a/b/access"}, "default", 400, "path: "),
        ({"path": "te%2Fam/subscriptionaccounts/ada/access"}, "default", 400, "path: "),
        ({"path": "team/llmproviders/claude/api-key"}, "default", 400, "path: "),
        ({"path": "team/llmproviders/claude/federated"}, "default", 400, "path: "),
        ({"path": "team/llmproviders/claude/federated/UPPER-CASE"}, "default", 400, "path: "),
        ({"path": "team/llmproviders/../federated/0123456789abcdef"}, "default", 400, "path: "),
        ({"path": "team/llmproviders/nobody/federated/0123456789abcdef"}, "default", 404, "does not exist"),
        ({"path": "team/subscriptionaccounts/nobody/access"}, "default", 404, "does not exist"),
        ({"path": 7}, "default", 400, "path: "),
        ({"generation": None}, "default", 400, "name the version"),
        ({"generation": 0}, "default", 400, "generation: "),
    ],
)
async def test_who_asks_for_what_they_may_not_learns_why(
    broker: Broker, change: dict[str, Any], token: str, status: int, says: str
) -> None:
    answered, body, _ = await broker.post(ASK | change, token)
    assert answered == status
    assert says in body["error"]["message"]
    assert broker.asked == []


async def test_what_a_proxy_may_do_next_is_in_the_status(broker: Broker) -> None:
    broker.result = Rest(None, False, ConditionReason.REAUTHENTICATION_REQUIRED, "ada signs in again")
    assert await broker.post() == (
        409,
        {"error": {"reason": "ReauthenticationRequired", "message": "ada signs in again"}},
        None,
    )
    broker.result = Rest(START + timedelta(seconds=40), None, ConditionReason.VENDOR_UNAVAILABLE, "it answers 503")
    status, body, retry = await broker.post()
    assert (status, body["error"]["reason"], retry) == (503, "VendorUnavailable", "40")
    assert body["error"]["until"] == "2026-11-01T12:00:40Z"
    broker.result = Renewed(2, None, None)
    assert (await broker.post())[0] == 503


async def test_only_the_leader_answers(broker: Broker) -> None:
    broker.leads = False
    status, body, _ = await broker.post()
    assert (status, body["error"]["reason"]) == (503, "NotLeader")


async def test_an_account_without_a_profile_cannot_be_refreshed(broker: Broker) -> None:
    broker.kube.put(account())
    status, body, _ = await broker.post()
    assert (status, body["error"]["reason"]) == (409, "NoOAuthProfile")


async def test_vault_away_is_said(broker: Broker) -> None:
    broker.vault.away = VaultCause.SEALED
    status, body, retry = await broker.post({k: v for k, v in ASK.items() if k != "generation"} | {"version": 3})
    assert (status, body["error"]["reason"], retry) == (503, "VaultUnavailable", "5")


async def test_what_is_no_request_is_refused(broker: Broker) -> None:
    assert (await broker.post([]))[0] == 400
    headers = {"authorization": "Bearer default"}
    async with broker.http.post(REFRESH_PATH, data=b"{", headers=headers) as answer:
        assert answer.status == 400


async def test_a_federated_token_is_asked_for_by_its_own_path(broker: Broker) -> None:
    wanted = {
        "serviceAccountName": "caller",
        "audience": "https://api.vendor.example",
        "federationRuleId": "fdrl_1",
        "organizationId": "org-1",
        "serviceAccountId": "svac_1",
    }
    body = provider(modes=("WorkloadIdentity",))
    body["spec"]["auth"]["workloadIdentity"] = wanted
    broker.kube.put(body)
    federation = federation_of("team", "claude", LLMProvider.from_wire(body).spec)
    assert federation is not None
    ask = {"fleet": "default", "pod": "p1", "path": federation.path, "version": 1}
    status, said, _ = await broker.post(ask)
    assert (status, said["error"]["reason"]) == (503, "Pending"), "a new leader has yet to look at the provider"

    broker.memory.want(PROVIDER, [federation])
    status, said, _ = await broker.post(ask)
    assert (status, said["error"]["reason"]) == (409, "CredentialNotFound")
    record = {
        "origins": [],
        "access_token": "not-real",
        "grant_id": federation.grant_id,
        "generation": 4,
        "obtained_at": "2026-11-01T12:00:00Z",
    }
    broker.vault.put(federation.path, record)
    assert (await broker.post(ask))[:2] == (
        200,
        {"path": federation.path, "version": 7, "generation": 2, "expiresAt": "2026-11-01T20:00:00Z"},
    )
    assert broker.asked == [(federation.key, "https://api.vendor.example", 4)]
    broker.vault.put(federation.path, record | {"generation": 5})
    assert (await broker.post(ask))[1]["version"] == 2, "a token that is replaced already is answered from Vault"
    assert len(broker.asked) == 1
