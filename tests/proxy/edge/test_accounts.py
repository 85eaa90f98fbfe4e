"""Several accounts behind one provider: who gets which, what a limit moves, and what another account cannot mend."""

from datetime import timedelta
from typing import Any

import pytest

from headgate_api.clock import SystemClock
from headgate_dev.emulator import Fault, FaultKind, TokenState
from headgate_dev.emulator.plans import Plan, Window
from headgate_proxy.credentials.refreshing import RefreshOutcome

BOTH = ("Subscription", "APIKey")
ALLOW = dict.fromkeys(("expired", "revoked", "rateLimited", "quotaExhausted", "unavailable"), "Allow")
NAMES = [f"plan-{n}" for n in range(6)]
KEY = "emulated-api-key"
PROFILE = {"tokenEndpoint": "https://auth.vendor.example/token", "clientId": "not-a-real-client"}


async def ask(gate: Any, body: Any, session: str = "s", **token: Any) -> Any:
    headers = gate.headers(**token) | {"x-headgate-session": session}
    async with gate.http.post(gate.url + "/v1/messages", json=body(), headers=headers) as response:
        return response, await response.read()


def pool(gate: Any, strategy: str = "Spread", **spec: Any) -> None:
    auth = {"modes": list(BOTH), "fallback": ALLOW, "apiKey": {}, "subscription": {"strategy": strategy}}
    gate.provider(auth=auth)
    for name in NAMES:
        gate.emu.oauth_tokens[f"emulated-{name}"] = TokenState.VALID
        gate.account(name, token=f"emulated-{name}", sharing="Pool", **spec)


def used(gate: Any) -> list[str]:
    return [request.credential for request in gate.emu.requests]


async def test_a_session_keeps_its_account_and_moves_when_that_is_at_its_limit(gate: Any, body: Any) -> None:
    pool(gate)
    sessions = [f"session-{n}" for n in range(24)]
    for session in sessions * 2:
        await ask(gate, body, session)
    homes = used(gate)
    assert homes[:24] == homes[24:]
    assert len(set(homes)) > 3
    full = homes[0]
    gate.emu.credentials.plans[full] = Plan().used_up(SystemClock().now() + timedelta(hours=1))
    gate.emu.requests.clear()

    answers = [await ask(gate, body, session) for session in sessions]

    assert {response.headers["x-headgate-auth-mode"] for response, _ in answers} == {"Subscription"}
    assert used(gate).count(full) == 1  # met once, then passed over
    gate.emu.requests.clear()
    for session in sessions:
        await ask(gate, body, session)
    assert [u for u, home in zip(used(gate), homes, strict=False) if home != full] == [
        home for home in homes[:24] if home != full
    ]
    assert full not in used(gate)


async def test_the_least_used_account_is_told_by_the_answers_own_headers(gate: Any, body: Any) -> None:
    pool(gate, "LeastUsed")
    for number, name in enumerate(NAMES):
        gate.emu.credentials.plans[f"emulated-{name}"] = Plan(five_hours=Window(used_percent=95 - 15 * number))
    for number in range(40):
        await ask(gate, body, f"session-{number}")
    gate.emu.requests.clear()
    for number in range(10):
        await ask(gate, body, f"session-{number}")
    assert set(used(gate)) == {f"emulated-{NAMES[-1]}"}


@pytest.mark.parametrize("kind", [FaultKind.OVERLOADED, FaultKind.CUT_BEFORE_HEADERS])
async def test_a_vendor_in_trouble_is_not_asked_by_account_after_account(gate: Any, body: Any, kind: FaultKind) -> None:
    pool(gate, "FillFirst")
    gate.emu.add_fault(Fault(kind=kind, times=None))
    await ask(gate, body)
    assert used(gate) == ["emulated-plan-0", KEY]


async def test_a_server_error_may_be_one_accounts_and_others_are_tried_first(gate: Any, body: Any) -> None:
    pool(gate, "FillFirst")
    gate.emu.add_fault(Fault(kind=FaultKind.SERVER_ERROR, credential="emulated-plan-0"))
    response, _ = await ask(gate, body)
    assert response.headers["x-headgate-auth-mode"] == "Subscription"
    assert used(gate) == ["emulated-plan-0", "emulated-plan-1"]


async def test_when_all_are_at_their_limit_the_vendor_says_so_once(gate: Any, body: Any) -> None:
    auth = {"modes": ["Subscription"], "subscription": {}}
    pool(gate, "FillFirst")
    gate.provider(auth=auth, key=None)
    until = SystemClock().now() + timedelta(hours=1)
    gate.emu.credentials.plans |= {f"emulated-{name}": Plan().used_up(until) for name in NAMES}
    first, _ = await ask(gate, body)
    assert (first.status, len(used(gate))) == (429, len(NAMES))
    gate.emu.requests.clear()
    second, _ = await ask(gate, body)
    assert second.status == 429
    assert second.headers["anthropic-ratelimit-unified-status"] == "rejected"
    assert used(gate) == ["emulated-plan-0"]


async def test_a_refresh_token_that_is_spent_names_its_owner_as_the_one_to_act(gate: Any, body: Any) -> None:
    gate.provider(modes=BOTH, fallback={"revoked": "Allow"})
    gate.account(oauth=PROFILE)
    gate.emu.oauth_tokens["emulated-oauth-token"] = TokenState.REVOKED

    async def spent(_path: str, _version: int) -> RefreshOutcome:
        return RefreshOutcome.REAUTHENTICATION_REQUIRED

    gate.control_plane.renews = spent
    for _ in range(2):
        response, _ = await ask(gate, body)
        assert response.headers["x-headgate-auth-mode"] == "APIKey"
        assert response.headers["x-headgate-fallback-reason"] == "ReauthenticationRequired"
    assert used(gate) == ["emulated-oauth-token", KEY, KEY]
    assert [o.reason for o in gate.verdicts.observations() if not o.valid] == ["ReauthenticationRequired"]


async def test_a_plan_that_the_vendor_disabled_never_looks_like_the_callers_mistake(gate: Any, body: Any) -> None:
    gate.provider(auth={"modes": ["Subscription"], "subscription": {}}, key=None)
    gate.account()
    gate.emu.add_fault(Fault(kind=FaultKind.SUSPENDED, times=None))
    response, received = await ask(gate, body)
    assert response.status == 502
    assert response.headers["x-should-retry"] == "false"
    assert b"PlanSuspended" in received
