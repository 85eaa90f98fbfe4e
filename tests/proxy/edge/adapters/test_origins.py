"""One vendor's tokens never reach another's endpoints: each mode has its own origin and credential (S3.8)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from headgate_dev.emulator import Emulator, Fault, FaultKind, TokenState
from headgate_dev.emulator.openai.vendor import OpenAI

from .vendors import ACCOUNT_ID, API_KEY, GPT, OAUTH

CODEX = {
    "model": GPT,
    "instructions": "be brief",
    "input": [{"role": "user", "content": "hi"}],
    "store": False,
    "stream": True,
}
ALLOW = dict.fromkeys(("expired", "revoked", "rateLimited", "quotaExhausted", "unavailable"), "Allow")


@pytest.fixture
async def plans() -> AsyncIterator[Emulator]:
    """Run where plans are served, apart from where keys are."""
    async with Emulator(vendor=OpenAI(), oauth_tokens=[OAUTH]) as emulator:
        yield emulator


def serve(gate: Any, plans: Emulator, *, bound: str | None = None, **auth: Any) -> None:
    gate.provider(
        "llm",
        protocol="OpenAI",
        apis=["Chat", "Responses", "Codex"],
        models=[{"name": GPT}],
        auth={
            "modes": ["Subscription", "APIKey"],
            "apiKey": {},
            "subscription": {"endpoint": f"{plans.url}/backend-api"},
            **auth,
        },
    )
    gate.account(provider="llm")
    origin = plans.url if bound is None else bound
    gate.hold("team-a/subscriptionaccounts/max/access", OAUTH, origins=(origin,), account_id=ACCOUNT_ID)


async def post(gate: Any, body: Any = CODEX, path: str = "/v1/responses") -> Any:
    async with gate.http.post(gate.url + path, json=body, headers=gate.headers()) as response:
        await response.read()
        return response


def everything_sent_to(emulator: Emulator) -> str:
    return repr([(request.target, request.headers, request.body) for request in emulator.requests])


async def test_each_credential_goes_to_its_modes_own_endpoint(gate: Any, plans: Emulator) -> None:
    serve(gate, plans, fallback=ALLOW)
    assert (await post(gate)).headers["x-headgate-auth-mode"] == "Subscription"
    plans.oauth_tokens[OAUTH] = TokenState.REVOKED
    assert (await post(gate)).headers["x-headgate-auth-mode"] == "APIKey"

    assert [request.path for request in plans.requests] == ["/backend-api/codex/responses"] * 2
    assert [request.path for request in gate.emu.requests] == ["/v1/responses"]
    assert API_KEY not in everything_sent_to(plans)
    for foreign in (OAUTH, ACCOUNT_ID, "chatgpt-account-id", "experimental"):
        assert foreign not in everything_sent_to(gate.emu)


@pytest.mark.parametrize("kind", [FaultKind.CUT_BEFORE_HEADERS, FaultKind.RATE_LIMITED, FaultKind.OVERLOADED])
async def test_no_failure_leads_a_credential_astray(gate: Any, plans: Emulator, kind: FaultKind) -> None:
    serve(gate, plans, fallback=ALLOW)
    plans.add_fault(Fault(kind=kind, times=None, seconds=30))
    gate.emu.add_fault(Fault(kind=kind, times=None, seconds=30))
    await post(gate)
    assert API_KEY not in everything_sent_to(plans)
    assert OAUTH not in everything_sent_to(gate.emu)
    assert plans.requests
    assert gate.emu.requests


async def test_a_token_that_is_bound_to_the_endpoint_of_keys_is_not_sent_to_that_of_plans(
    gate: Any, plans: Emulator
) -> None:
    serve(gate, plans, bound=gate.emu.url)
    response = await post(gate)
    assert response.status == 503
    assert plans.requests == []
    assert gate.emu.requests == []


async def test_a_key_is_not_sent_to_the_endpoint_of_plans(gate: Any, plans: Emulator) -> None:
    serve(gate, plans, fallback=ALLOW)
    gate.hold("team-a/llmproviders/llm/api-key", API_KEY, origins=(plans.url,))
    plans.oauth_tokens[OAUTH] = TokenState.REVOKED
    response = await post(gate)
    assert response.status == 502
    assert API_KEY not in everything_sent_to(plans)
    assert gate.emu.requests == []


async def test_an_endpoint_of_plans_that_the_fleet_does_not_allow_is_never_asked(gate: Any, plans: Emulator) -> None:
    gate.fleet["allowances"] = {"plainHTTP": False, "privateAddresses": True}
    serve(gate, plans)
    gate.provider(
        "llm",
        protocol="OpenAI",
        endpoint="https://api.vendor.example",
        apis=["Codex"],
        models=[{"name": GPT}],
        auth={"modes": ["Subscription"], "subscription": {"endpoint": plans.url}},
    )
    async with gate.http.post(gate.url + "/v1/responses", json=CODEX, headers=gate.headers()) as response:
        assert response.status == 502
        assert "auth.subscription.endpoint is plain http" in await response.text()
    assert plans.requests == []


async def test_a_redirect_to_another_vendor_is_not_followed(gate: Any, plans: Emulator) -> None:
    serve(gate, plans)
    location = f"{gate.emu.url}/v1/responses"
    plans.add_fault(Fault(kind=FaultKind.REDIRECT, location=location, status=308))
    response = await post(gate)
    assert response.status == 502
    assert "location" not in response.headers
    assert gate.emu.requests == []
