"""Idle accounts are asked about at their own vendor, seldom, and never where the token may not go."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from headgate_api import names
from headgate_api.acknowledgement import TEXT_VERSION
from headgate_api.clock import ManualClock
from headgate_api.redaction import Redactor
from headgate_api.resources.limits import LimitObservation, LimitWindow
from headgate_api.vault import AccessRecord
from headgate_dev.emulator import throwaway_tls
from headgate_operator.credentials.store import Store
from headgate_operator.engine.keys import Key
from headgate_operator.limits.answers import NotUsage, windows
from headgate_operator.limits.asking import PollOutcome, UsageAsker
from headgate_operator.limits.http import UsageHttp
from headgate_operator.limits.schedule import LONGEST, SPREAD, due_at
from headgate_operator.refresh.subject import Subjects
from headgate_runtime.kube_kinds import Kind
from headgate_runtime.listening import listening_socket, port_of
from headgate_runtime.vault import VaultRecord

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SOON = NOW + timedelta(minutes=90)
ADA = Key("SubscriptionAccount", "team", "ada")
PATH = "team/subscriptionaccounts/ada/access"
TOKEN = "emulated-" + "access-token"
TLS = throwaway_tls(("127.0.0.1",))

ANTHROPIC = {
    "five_hour": {"utilization": 37.0, "resets_at": SOON.isoformat()},
    "seven_day": {"utilization": 100, "resets_at": "2026-11-23T12:00:00Z"},
    "seven_day_oauth_apps": None,
    "seven_day_opus": {"utilization": 5, "resets_at": None},
    "extra_usage": {"is_enabled": False, "utilization": None},
}
CODEX = {
    "plan_type": "pro",
    "rate_limit": {
        "primary_window": {"used_percent": 12, "limit_window_seconds": 18000, "reset_at": int(SOON.timestamp())},
        "secondary_window": None,
    },
}


def test_each_vendors_answer_is_read_in_its_own_form() -> None:
    five, seven, opus = windows("Anthropic", json.dumps(ANTHROPIC).encode())
    assert (five.name, five.used_percent, five.resets_at, five.exhausted) == ("5h", 37, SOON, False)
    assert (seven.name, seven.exhausted) == ("7d", True)
    assert (opus.name, opus.resets_at) == ("7d_opus", None)
    (primary,) = windows("OpenAI", json.dumps(CODEX).encode())
    assert (primary.name, primary.used_percent, primary.resets_at) == ("primary", 12, SOON)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.sampled_from([1e308, -1, 10**30]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["five_hour", "utilization", "resets_at", "rate_limit", "primary_window", "used_percent", "reset_at"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    st.sampled_from(["Anthropic", "OpenAI", "Gemini"]), json_values.map(lambda v: json.dumps(v).encode()) | st.binary()
)
def test_whatever_an_endpoint_answers_is_read_or_refused(protocol: str, content: bytes) -> None:
    try:
        assert all(0 <= (w.used_percent or 0) <= 1000 for w in windows(protocol, content))
    except NotUsage as error:
        assert len(str(error)) < 200


INTERVAL = timedelta(minutes=15)
moments = st.none() | st.integers(-10_000, 10_000).map(lambda s: NOW + timedelta(seconds=s))


@given(st.text(max_size=8), moments, moments, st.integers(0, 100))
def test_an_account_is_due_after_its_interval_and_failures_make_it_rarer(
    name: str, heard: datetime | None, tried: datetime | None, failures: int
) -> None:
    due = due_at(name, INTERVAL, heard, NOW, tried, failures)
    if heard is not None:
        assert due >= heard + INTERVAL
    else:
        assert due >= NOW
    if tried is not None:
        assert due >= tried + min(INTERVAL * 2 ** min(failures, 4), LONGEST)
    latest = [m + max(INTERVAL, LONGEST) * (1 + SPREAD) for m in (heard, tried, NOW) if m is not None]
    assert due <= max(latest)


def test_a_thousand_accounts_that_nobody_knows_of_begin_one_by_one() -> None:
    due = sorted(due_at(f"a{n}", INTERVAL, None, NOW, None, 0) for n in range(1000))
    assert due[0] >= NOW and due[-1] < NOW + INTERVAL
    busiest = max(sum(start <= moment < start + timedelta(minutes=1) for moment in due) for start in due)
    assert busiest < 110  # 67 on average


@dataclass
class Vendor:
    """A usage endpoint by TLS."""

    status: int = 200
    body: Any = field(default_factory=lambda: ANTHROPIC)
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[web.BaseRequest] = field(default_factory=list)
    url: str = ""

    async def answer(self, request: web.BaseRequest) -> web.Response:
        self.asked.append(request)
        return web.json_response(self.body, status=self.status, headers=self.headers)


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    found = Vendor()
    runner = web.ServerRunner(web.Server(found.answer))
    await runner.setup()
    listening = listening_socket(0, "127.0.0.1")
    found.url = f"https://127.0.0.1:{port_of(listening)}"
    await web.SockSite(runner, listening, ssl_context=TLS.server_context()).start()
    yield found
    await runner.cleanup()


class World:
    """An API server and a Vault that hold one account."""

    def __init__(self, vendor: Vendor, **spec: Any) -> None:
        self.clock = ManualClock(NOW)
        self.known: LimitObservation | None = None
        usage = {"endpoint": vendor.url + "/api/oauth/usage", "interval": "15m"}
        self.provider: dict[str, Any] = {
            "apiVersion": names.API_VERSION,
            "kind": "LLMProvider",
            "metadata": {"namespace": "team", "name": "claude"},
            "spec": {
                "protocol": "Anthropic",
                "endpoint": vendor.url,
                "models": [{"name": "m"}],
                "tls": {"caBundle": TLS.ca_pem},
                "auth": {"modes": ["Subscription"], "subscription": {"usage": usage}},
            },
        }
        self.account: dict[str, Any] = {
            "apiVersion": names.API_VERSION,
            "kind": "SubscriptionAccount",
            "metadata": {"namespace": "team", "name": "ada"},
            "spec": {
                "providerRef": {"name": "claude"},
                "owner": {"email": "ada@team.example"},
                "sharing": "Pool",
                "acknowledgement": {"by": "ada", "at": "2026-11-01T08:00:00Z", "textVersion": TEXT_VERSION},
            }
            | spec,
        }
        self.allowances: dict[str, Any] = {"privateAddresses": True}
        self.access = AccessRecord.model_validate(
            {
                "access_token": TOKEN,
                "origins": [vendor.url],
                "grant_id": "g",
                "generation": 1,
                "account_id": "acct-1",
                "expires_at": NOW + timedelta(hours=1),
            }
        )

    async def get(self, kind: Kind, _namespace: str, _name: str) -> dict[str, Any]:
        return self.provider if kind.kind == "LLMProvider" else self.account

    async def list(self, _kind: Kind, _namespace: str) -> list[dict[str, Any]]:
        spec = {"image": "headgate", "allowedNamespaces": ["*"], "allowances": self.allowances}
        metadata = {"namespace": "headgate-system", "name": "default"}
        return [{"apiVersion": names.API_VERSION, "kind": "ProxyFleet", "metadata": metadata, "spec": spec}]

    async def read_for_update(self, path: str) -> tuple[VaultRecord | None, int]:
        assert path == PATH
        return VaultRecord(self.access.to_vault(), 3), 3

    async def ask(self) -> tuple[PollOutcome, LimitObservation | None, str | None]:
        kube, redactor = cast("Any", self), Redactor()
        asker = UsageAsker(
            kube,
            Subjects(kube, redactor, fleet_namespace="headgate-system"),
            Store(cast("Any", self)),
            UsageHttp(deadline_seconds=5),
            known=lambda _path, _grant: self.known,
            clock=self.clock,
            redactor=redactor,
        )
        polled = await asker.ask(ADA)
        assert TOKEN not in str(polled)
        return polled.outcome, polled.seen, polled.problem


async def test_an_account_is_asked_about_with_its_own_token_as_headgate(vendor: Vendor) -> None:
    outcome, seen, _ = await World(vendor).ask()
    assert outcome is PollOutcome.OBSERVED
    assert seen is not None
    assert (seen.path, seen.grant, seen.at, len(seen.windows)) == (PATH, "g", NOW, 3)
    (asked,) = vendor.asked
    assert (asked.method, asked.path) == ("GET", "/api/oauth/usage")
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"
    assert asked.headers["anthropic-beta"] == "oauth-2025-04-20"
    assert asked.headers["user-agent"] == "headgate"
    assert "chatgpt-account-id" not in asked.headers


async def test_a_codex_account_names_itself_and_is_read_as_codex(vendor: Vendor) -> None:
    world = World(vendor)
    world.provider["spec"] |= {"protocol": "OpenAI", "apis": ["Codex"]}
    vendor.body = CODEX
    outcome, seen, _ = await world.ask()
    assert outcome is PollOutcome.OBSERVED
    assert seen is not None
    assert seen.windows == (LimitWindow(name="primary", used_percent=12, resets_at=SOON),)
    assert vendor.asked[0].headers["chatgpt-account-id"] == "acct-1"
    assert "anthropic-beta" not in vendor.asked[0].headers


async def test_a_suspended_unacknowledged_or_expired_account_is_not_asked_about(vendor: Vendor) -> None:
    expired = World(vendor)
    expired.access = expired.access.model_copy(update={"expires_at": NOW})
    leaving = World(vendor)
    leaving.account["metadata"] |= {"deletionTimestamp": "2026-11-20T11:00:00Z", "finalizers": [names.FINALIZER]}
    heard = World(vendor)
    heard.known = LimitObservation(path=PATH, grant="g", at=NOW - timedelta(minutes=14))
    for world in (World(vendor, suspend=True), World(vendor, acknowledgement=None), expired, leaving, heard):
        assert (await world.ask())[0] is PollOutcome.NOT_NEEDED
    assert vendor.asked == []


async def test_a_token_goes_to_no_origin_that_it_is_not_bound_to(vendor: Vendor) -> None:
    unbound = World(vendor)
    unbound.access = unbound.access.model_copy(update={"origins": ("https://api.anthropic.com",)})
    private = World(vendor)
    private.allowances = {}
    plain = World(vendor)
    plain.provider["spec"]["auth"]["subscription"]["usage"]["endpoint"] = vendor.url.replace("https", "http")
    for world, told in ((unbound, "not bound"), (private, "private"), (plain, "plain HTTP")):
        outcome, _, problem = await world.ask()
        assert outcome is PollOutcome.NOT_SENT
        assert told in str(problem)
    assert vendor.asked == []


async def test_redirects_are_not_followed_and_refusals_are_told_apart(vendor: Vendor) -> None:
    world = World(vendor)
    for status, outcome in (
        (302, PollOutcome.NOT_USAGE),
        (401, PollOutcome.REFUSED),
        (403, PollOutcome.REFUSED),
        (429, PollOutcome.RATE_LIMITED),
        (500, PollOutcome.NOT_USAGE),
    ):
        vendor.status, vendor.headers = status, {"location": vendor.url + "/elsewhere", "retry-after": "60"}
        assert (await world.ask())[0] is outcome
    assert len(vendor.asked) == 5
    vendor.status, vendor.body = 200, {"padding": "x" * 100_000}
    assert (await world.ask())[0] is PollOutcome.NOT_SENT
    vendor.body = CODEX  # another vendor's answer is none
    assert (await world.ask())[0] is PollOutcome.NOT_USAGE
