"""Every failure of an auth mode, before the first byte: who answers, with which reason, and what is never spent."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from headgate_api.clock import SystemClock
from headgate_api.reasons import SkipReason
from headgate_dev.emulator import Fault, FaultKind, TokenState

BOTH = ("Subscription", "APIKey")
ALLOW = dict.fromkeys(("expired", "revoked", "rateLimited", "quotaExhausted", "unavailable"), "Allow")
OAUTH = "emulated-oauth-token"
KEY = "emulated-api-key"


async def ask(gate: Any, body: Any, **more: Any) -> Any:
    """Send one streamed request and return (response, its whole body)."""
    async with gate.http.post(
        gate.url + "/v1/messages", json=body(stream=True), headers=gate.headers(**more.pop("token", {})) | more
    ) as response:
        return response, await response.read()


def sent_by(gate: Any) -> list[str]:
    return [request.credential_kind for request in gate.emu.requests]


async def test_a_subscription_goes_by_bearer_with_its_beta_and_the_clients(gate: Any, body: Any) -> None:
    gate.provider(modes=BOTH)
    gate.account()
    response, _ = await ask(gate, body, **{"anthropic-beta": "fine-2025-01-01"})

    sent = gate.emu.requests[0]
    assert response.status == 200
    assert response.headers["x-headgate-auth-mode"] == "Subscription"
    assert sent.header("authorization") == f"Bearer {OAUTH}"
    assert sent.header("x-api-key") is None
    assert sent.header("anthropic-beta") == "fine-2025-01-01,oauth-2025-04-20"
    assert gate.verdicts.observations()[0].valid


ROWS = [
    (FaultKind.UNAUTHORIZED, "revoked", "Revoked"),
    (FaultKind.OAUTH_REVOKED, "revoked", "Revoked"),
    (FaultKind.OAUTH_EXPIRED, "expired", "Expired"),
    (FaultKind.OAUTH_UNSUPPORTED, "unavailable", "Unsupported"),
    (FaultKind.RATE_LIMITED, "rateLimited", "RateLimited"),
    (FaultKind.OVERLOADED, "unavailable", "Overloaded"),
    (FaultKind.SERVER_ERROR, "unavailable", "Unavailable"),
    (FaultKind.BAD_GATEWAY, "unavailable", "Unavailable"),
    (FaultKind.CUT_BEFORE_HEADERS, "unavailable", "Unreachable"),
]


@pytest.mark.parametrize(("kind", "row", "reason"), ROWS)
async def test_a_failure_falls_back_where_its_row_allows_it(
    gate: Any, body: Any, kind: Any, row: str, reason: str
) -> None:
    gate.provider(modes=BOTH, fallback={row: "Allow"})
    gate.account()
    gate.emu.add_fault(Fault(kind=kind, credential=OAUTH, seconds=60))

    response, received = await ask(gate, body)

    assert response.status == 200
    assert received.startswith(b"event: message_start")
    assert response.headers["x-headgate-auth-mode"] == "APIKey"
    assert response.headers["x-headgate-fallback-reason"] == reason
    assert sent_by(gate) == ["oauth", "api_key"]
    second = gate.emu.requests[1]
    assert second.header("authorization") is None
    assert second.header("anthropic-beta") is None
    assert [(f.from_mode, f.to_mode, f.reason) for f in gate.trace.fallbacks] == [("Subscription", "APIKey", reason)]
    assert [(f.provider, f.to_mode, f.reason) for f in gate.verdicts.fallbacks()] == [("claude", "APIKey", reason)]


@pytest.mark.parametrize(("kind", "row", "reason"), ROWS)
async def test_what_the_table_does_not_allow_is_never_spent(
    gate: Any, body: Any, kind: Any, row: str, reason: str
) -> None:
    others = {name: "Allow" for name in ALLOW if name != row}
    gate.provider(modes=BOTH, fallback=others)
    gate.account()
    gate.emu.add_fault(Fault(kind=kind, credential=OAUTH, seconds=60))

    response, received = await ask(gate, body)

    assert sent_by(gate) == ["oauth"]
    assert gate.trace.fallbacks[0].to_mode is None
    if kind in (FaultKind.RATE_LIMITED, FaultKind.OVERLOADED, FaultKind.SERVER_ERROR, FaultKind.BAD_GATEWAY):
        upstream = gate.emu.requests[0]
        assert (response.status, received) == (upstream.status, upstream.response_body)
    else:
        assert response.status == 502
        assert reason in received.decode()
        assert "spec.auth.fallback does not allow" in received.decode()
    assert OAUTH not in received.decode()


async def test_a_limit_passes_on_with_the_vendors_own_headers(gate: Any, body: Any) -> None:
    gate.provider()
    gate.emu.add_fault(Fault(kind=FaultKind.RATE_LIMITED, seconds=17, times=2))
    for _ in range(2):  # remembered as limited, the only key is tried all the same: the vendor says 429, not the gate
        response, received = await ask(gate, body)
        assert response.status == 429
        assert response.headers["retry-after"] == "17"
        assert b"rate_limit_error" in received
    response, _ = await ask(gate, body)
    assert response.status == 200


async def test_a_remembered_limit_is_not_run_into_again(gate: Any, body: Any) -> None:
    gate.provider(modes=BOTH, fallback=ALLOW)
    gate.account()
    gate.emu.add_fault(Fault(kind=FaultKind.RATE_LIMITED, credential=OAUTH, seconds=60))
    await ask(gate, body)
    response, _ = await ask(gate, body)
    assert response.headers["x-headgate-fallback-reason"] == "RateLimited"
    assert sent_by(gate) == ["oauth", "api_key", "api_key"]
    (limited,) = gate.verdicts.limits.news()
    assert (limited.path, limited.reason) == ("team-a/subscriptionaccounts/max/access", SkipReason.RATE_LIMITED)
    assert limited.limited_until is not None


async def test_after_a_401_a_newer_version_is_used_once_in_the_same_mode(gate: Any, body: Any) -> None:
    gate.provider(modes=BOTH, fallback=ALLOW)
    gate.account(token="revoked-token")
    gate.emu.oauth_tokens["revoked-token"] = TokenState.REVOKED
    path = "team-a/subscriptionaccounts/max/access"
    old = gate.credentials.held[path]
    gate.hold(path, OAUTH, version=2)
    gate.credentials.vault[path] = gate.credentials.held[path]
    gate.credentials.held[path] = old

    response, _ = await ask(gate, body)

    assert response.status == 200
    assert response.headers["x-headgate-auth-mode"] == "Subscription"
    assert "x-headgate-fallback-reason" not in response.headers
    assert [r.credential for r in gate.emu.requests] == ["revoked-token", OAUTH]


async def test_a_newer_version_that_is_refused_too_ends_the_mode(gate: Any, body: Any) -> None:
    gate.provider(modes=BOTH, fallback=ALLOW)
    gate.account(token="one")
    path = "team-a/subscriptionaccounts/max/access"
    old = gate.credentials.held[path]
    gate.hold(path, "two", version=2)
    gate.credentials.vault[path] = gate.credentials.held[path]
    gate.credentials.held[path] = old

    response, _ = await ask(gate, body)

    assert response.headers["x-headgate-auth-mode"] == "APIKey"
    assert [r.credential for r in gate.emu.requests] == ["one", "two", KEY]
    assert gate.credentials.rereads == 1


async def test_a_refused_version_is_left_alone_until_a_new_one_comes(gate: Any, body: Any) -> None:
    gate.provider(modes=BOTH, fallback=ALLOW)
    gate.account(token="revoked-token")
    gate.emu.oauth_tokens["revoked-token"] = TokenState.REVOKED
    for _ in range(3):
        await ask(gate, body)
    assert [r.credential for r in gate.emu.requests] == ["revoked-token", KEY, KEY, KEY]
    assert [(o.valid, o.reason) for o in gate.verdicts.observations() if not o.valid] == [(False, SkipReason.REVOKED)]

    gate.account(token=OAUTH, version=2)
    response, _ = await ask(gate, body)
    assert response.headers["x-headgate-auth-mode"] == "Subscription"
    assert gate.verdicts.fallbacks() == ()
    assert all(o.valid for o in gate.verdicts.observations())


async def test_another_account_comes_before_another_mode(gate: Any, body: Any) -> None:
    gate.provider(modes=BOTH)
    gate.account("first", token="unknown", priority=5)
    gate.account("second")
    response, _ = await ask(gate, body)
    assert response.headers["x-headgate-auth-mode"] == "Subscription"
    assert "x-headgate-fallback-reason" not in response.headers
    assert [str(s) for s in gate.trace.decisions[-1].skipped] == ["Subscription/first=Revoked"]


NOT_THEIRS = [
    {"acknowledged": False},
    {"owner": {"email": "a@example.test", "subjects": [{"name": "somebody-else"}]}},
    {"provider": "other"},
]


@pytest.mark.parametrize("account", NOT_THEIRS)
async def test_who_has_no_subscription_goes_by_the_first_mode_there_is(gate: Any, body: Any, account: Any) -> None:
    gate.provider(modes=BOTH)  # every fallback denied: this is none
    gate.account(**account)
    response, _ = await ask(gate, body)
    assert response.headers["x-headgate-auth-mode"] == "APIKey"
    assert "x-headgate-fallback-reason" not in response.headers
    assert gate.verdicts.fallbacks() == ()


async def test_an_expired_token_is_not_even_tried(gate: Any, body: Any) -> None:
    gate.provider(modes=BOTH, fallback={"expired": "Allow"})
    gate.account(expires_at=SystemClock().now() - timedelta(seconds=1))
    response, _ = await ask(gate, body)
    assert response.headers["x-headgate-fallback-reason"] == "Expired"
    assert sent_by(gate) == ["api_key"]


async def test_no_credential_at_all_is_explained(gate: Any, body: Any) -> None:
    gate.provider(modes=BOTH, key=None, fallback=ALLOW)
    gate.account(suspend=True)
    response, received = await ask(gate, body)
    assert response.status == 503
    assert "Subscription/max: Suspended" in received.decode()
    assert "APIKey: Missing" in received.decode()
    assert gate.emu.requests == []


async def test_a_credential_is_sent_to_its_own_origin_only(gate: Any, body: Any) -> None:
    gate.provider()
    gate.hold("team-a/llmproviders/claude/api-key", KEY, origins=("https://api.anthropic.com",))
    response, received = await ask(gate, body)
    assert response.status == 503
    assert "OriginNotBound" in received.decode()
    assert gate.emu.requests == []


async def test_a_refused_key_is_the_gates_trouble_not_the_clients_login(gate: Any, body: Any) -> None:
    gate.provider(key="wrong-key")
    response, received = await ask(gate, body)
    assert response.status == 502
    assert b'"api_error"' in received
    assert b"Revoked" in received
    assert b"wrong-key" not in received


async def test_redirects_are_not_followed_nor_passed_on(gate: Any, body: Any) -> None:
    gate.provider()
    gate.emu.add_fault(Fault(kind=FaultKind.REDIRECT, location="http://127.0.0.1:1/steal"))
    response, received = await ask(gate, body)
    assert response.status == 502
    assert "location" not in response.headers
    assert b"redirect" in received
    assert len(gate.emu.requests) == 1


async def test_an_upstream_that_never_answers_times_out(gate: Any, body: Any) -> None:
    gate.provider(timeouts={"firstByteSeconds": 1})
    gate.emu.add_fault(Fault(kind=FaultKind.HOLD))
    response, received = await ask(gate, body)
    assert response.status == 504
    assert b"timeout_error" in received


async def test_an_upstream_that_is_not_there(gate: Any, body: Any) -> None:
    gate.provider(endpoint="http://127.0.0.1:1")
    gate.hold("team-a/llmproviders/claude/api-key", KEY, origins=("http://127.0.0.1:1",))
    response, received = await ask(gate, body)
    assert response.status == 502
    assert b"no connection" in received


async def test_the_clients_own_mistakes_pass_through_byte_for_byte(gate: Any, body: Any) -> None:
    gate.provider(modes=BOTH, fallback=ALLOW)
    gate.account()
    async with gate.http.post(gate.url + "/v1/messages", json=body(max_tokens=-1), headers=gate.headers()) as response:
        assert response.status == 400
        assert await response.read() == gate.emu.requests[0].response_body
    assert sent_by(gate) == ["oauth"]


async def test_many_requests_at_once_on_a_revoked_token_all_succeed(gate: Any, body: Any) -> None:
    gate.provider(modes=BOTH, fallback=ALLOW)
    gate.account(token="revoked-token")
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(ask(gate, body)) for _ in range(30)]
    assert {task.result()[0].headers["x-headgate-auth-mode"] for task in tasks} == {"APIKey"}
