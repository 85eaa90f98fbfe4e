"""A subscription's token that the vendor refuses: the request succeeds once the control plane has a newer one, or falls back."""

import asyncio
from typing import Any

import pytest

from headgate_api.secret import Secret
from headgate_dev.emulator import Fault, FaultKind, TokenState
from headgate_proxy.credentials.refreshing import RefreshOutcome
from headgate_proxy.selection.states import Held

BOTH = ("Subscription", "APIKey")
ALLOW = dict.fromkeys(("expired", "revoked", "unavailable"), "Allow")
OLD, NEW, KEY = "emulated-oauth-token", "emulated-newer-token", "emulated-api-key"
PATH = "team-a/subscriptionaccounts/max/access"
PROFILE = {"tokenEndpoint": "https://auth.vendor.example/token", "clientId": "not-a-real-client"}


async def ask(gate: Any, body: Any) -> Any:
    async with gate.http.post(gate.url + "/v1/messages", json=body(), headers=gate.headers()) as response:
        return response, await response.read()


def sent(gate: Any) -> list[str]:
    return [request.credential for request in gate.emu.requests]


@pytest.fixture
def refused(gate: Any) -> Any:
    """A gate whose account's token the vendor refuses."""
    gate.provider(modes=BOTH, fallback=ALLOW)
    gate.account(oauth=PROFILE)
    gate.emu.oauth_tokens[OLD] = TokenState.EXPIRED
    return gate


def renew(gate: Any) -> None:
    """Let the vendor issue a token, and Vault hold it."""
    gate.emu.oauth_tokens[NEW] = TokenState.VALID
    gate.credentials.vault[PATH] = Held(Secret(NEW), frozenset({gate.emu.url}), PATH, 2)


@pytest.mark.parametrize("state", [TokenState.EXPIRED, TokenState.REVOKED])
async def test_the_same_request_succeeds_after_one_refresh(refused: Any, body: Any, state: TokenState) -> None:
    refused.emu.oauth_tokens[OLD] = state

    async def renews(_path: str, _version: int) -> RefreshOutcome:
        renew(refused)
        return RefreshOutcome.RENEWED

    refused.control_plane.renews = renews
    response, _ = await ask(refused, body)

    assert response.status == 200
    assert response.headers["x-headgate-auth-mode"] == "Subscription"
    assert "x-headgate-fallback-reason" not in response.headers
    assert sent(refused) == [OLD, NEW]
    assert refused.control_plane.asked == [(PATH, 1)]
    assert refused.trace.refreshes == [RefreshOutcome.RENEWED]
    assert all(seen.valid for seen in refused.verdicts.observations())


async def test_requests_that_come_during_a_refresh_wait_for_it_too(refused: Any, body: Any) -> None:
    asked, go = asyncio.Event(), asyncio.Event()

    async def renews(_path: str, _version: int) -> RefreshOutcome:
        asked.set()
        await go.wait()
        renew(refused)
        return RefreshOutcome.RENEWED

    refused.control_plane.renews = renews
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        first = group.create_task(ask(refused, body))
        await asked.wait()
        later = group.create_task(ask(refused, body))
        await refused.emu.wait_until(lambda: len(refused.emu.requests) == 2)
        go.set()
        answers = [await first, await later]
    assert [response.headers["x-headgate-auth-mode"] for response, _ in answers] == ["Subscription"] * 2
    assert sorted(sent(refused)) == sorted([OLD, OLD, NEW, NEW])


@pytest.mark.parametrize(
    "outcome", [RefreshOutcome.REFUSED, RefreshOutcome.LATER, RefreshOutcome.TIMED_OUT, RefreshOutcome.NO_BROKER]
)
async def test_without_a_newer_token_the_table_decides_and_the_old_one_is_left_alone(
    refused: Any, body: Any, outcome: RefreshOutcome
) -> None:
    async def renews(_path: str, _version: int) -> RefreshOutcome:
        return outcome

    refused.control_plane.renews = renews
    for _ in range(2):
        response, _ = await ask(refused, body)
        assert response.status == 200
        assert response.headers["x-headgate-auth-mode"] == "APIKey"
        assert response.headers["x-headgate-fallback-reason"] == "Expired"
    assert sent(refused) == [OLD, KEY, KEY]
    assert len(refused.control_plane.asked) == 1


async def test_what_vault_has_by_then_serves_whatever_the_broker_says(refused: Any, body: Any) -> None:
    renew(refused)
    response, _ = await ask(refused, body)
    assert response.headers["x-headgate-auth-mode"] == "Subscription"
    assert sent(refused) == [OLD, NEW]


async def test_a_new_token_that_is_refused_too_ends_the_mode(refused: Any, body: Any) -> None:
    async def renews(_path: str, _version: int) -> RefreshOutcome:
        renew(refused)
        refused.emu.oauth_tokens[NEW] = TokenState.REVOKED
        return RefreshOutcome.RENEWED

    refused.control_plane.renews = renews
    response, _ = await ask(refused, body)
    assert response.headers["x-headgate-auth-mode"] == "APIKey"
    assert sent(refused) == [OLD, NEW, KEY]
    assert len(refused.control_plane.asked) == 1


async def test_unsupported_never_asks(gate: Any, body: Any) -> None:
    gate.provider(modes=BOTH, fallback=ALLOW)
    gate.account(oauth=PROFILE)
    gate.emu.add_fault(Fault(kind=FaultKind.OAUTH_UNSUPPORTED))
    response, _ = await ask(gate, body)
    assert response.headers["x-headgate-fallback-reason"] == "Unsupported"
    assert gate.control_plane.asked == []


async def test_an_account_without_a_profile_and_an_api_key_never_ask(gate: Any, body: Any) -> None:
    gate.provider(modes=BOTH, fallback=ALLOW)
    gate.account()
    gate.emu.oauth_tokens[OLD] = TokenState.EXPIRED
    gate.emu.api_keys.clear()
    response, _ = await ask(gate, body)
    assert response.status == 502
    assert sent(gate) == [OLD, KEY]
    assert gate.control_plane.asked == []
