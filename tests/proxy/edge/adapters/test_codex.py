"""Plans at the Codex backend: what its requests carry, what it cannot take, and what that may cost."""

import json
from collections.abc import Callable
from typing import Any

import openai
import pytest

from headgate_dev.emulator import Fault, FaultKind

from .vendors import ACCOUNT_ID, API_KEY, GPT, OAUTH, openai_sdk

GOOD: dict[str, Any] = {
    "model": GPT,
    "instructions": "be brief",
    "input": [{"role": "user", "content": "hi"}],
    "store": False,
    "stream": True,
}


async def post(gate: Any, body: dict[str, Any], path: str = "/v1/responses", **headers: str) -> tuple[Any, bytes]:
    sent = {"authorization": f"Bearer {gate.cluster.token()}", "content-type": "application/json"} | headers
    async with gate.http.post(gate.url + path, json=body, headers=sent) as response:
        return response, await response.read()


async def test_a_request_carries_the_accounts_own_id_and_the_clients_identity(
    gate: Any, codex: Callable[..., None]
) -> None:
    codex("Subscription")
    identity = {"originator": "my_agent", "user-agent": "my-agent/1.0", "session_id": "s-1", "conversation_id": "c-1"}
    theirs = {"chatgpt-account-id": "somebody-else", "openai-organization": "org-x", "openai-beta": "other=v1"}
    response, _ = await post(gate, GOOD, **identity, **theirs)

    assert response.status == 200
    sent = gate.emu.requests[0]
    assert sent.path == "/backend-api/codex/responses"
    assert sent.header("authorization") == f"Bearer {OAUTH}"
    assert sent.header("chatgpt-account-id") == ACCOUNT_ID
    assert sent.header("openai-beta") == "other=v1,responses=experimental"
    assert sent.header("openai-organization") is None
    assert {name: sent.header(name) for name in identity} == identity


async def test_no_identity_is_made_up_for_a_client_that_has_none(gate: Any, codex: Callable[..., None]) -> None:
    codex("Subscription")
    await post(gate, GOOD, **{"user-agent": "curl/8"})
    sent = gate.emu.requests[0]
    assert sent.header("user-agent") == "curl/8"
    assert sent.header("originator") is None
    assert sent.header("session_id") is None


UNFIT = [
    ({"store": True}, "store", "send false"),
    ({"store": None}, "store", "send false"),
    ({"stream": False}, "stream", "send true"),
    ({"max_output_tokens": 50}, "max_output_tokens", "leave it out"),
    ({"instructions": None}, "instructions", "put the system text there"),
]


@pytest.mark.parametrize(("change", "field", "mend"), UNFIT)
async def test_what_the_backend_cannot_take_is_refused_by_name_and_not_altered(
    gate: Any, codex: Callable[..., None], change: dict[str, Any], field: str, mend: str
) -> None:
    codex("Subscription", apis=("Codex",))
    body = {name: value for name, value in (GOOD | change).items() if value is not None}
    async with openai_sdk(gate) as sdk:
        with pytest.raises(openai.BadRequestError) as refused:
            await sdk.responses.create(**body)
    error: Any = refused.value.body
    assert error["type"] == "invalid_request_error"
    assert f"{field}: " in error["message"]
    assert mend in error["message"]
    assert "LLMProvider team-a/llm" in error["message"]
    assert gate.emu.requests == []


@pytest.mark.parametrize(("change", "field", "mend"), UNFIT)
async def test_it_goes_by_key_where_the_table_allows_that_and_says_so(
    gate: Any, codex: Callable[..., None], change: dict[str, Any], field: str, mend: str
) -> None:
    codex(fallback={"unavailable": "Allow"})
    body = {name: value for name, value in (GOOD | change).items() if value is not None}
    response, _ = await post(gate, body)
    assert response.status == 200
    assert response.headers["x-headgate-auth-mode"] == "APIKey"
    assert response.headers["x-headgate-fallback-reason"] == "RequestUnsupported"
    assert [(sent.path, sent.credential) for sent in gate.emu.requests] == [("/v1/responses", API_KEY)]
    assert json.loads(gate.emu.requests[0].body) == body


async def test_the_system_text_may_come_as_a_message_of_the_developer(gate: Any, codex: Callable[..., None]) -> None:
    """Codex itself sends it so since 0.169."""
    codex("Subscription")
    spoken = {"input": [{"role": "developer", "content": "be brief"}, *GOOD["input"]]}
    body = {name: value for name, value in (GOOD | spoken).items() if name != "instructions"}
    response, _ = await post(gate, body)
    assert response.status == 200


async def test_what_the_backend_itself_does_not_take_goes_by_key_where_that_is_allowed(
    gate: Any, codex: Callable[..., None]
) -> None:
    codex(fallback={"unavailable": "Allow"})
    response, _ = await post(gate, GOOD | {"temperature": 1.0})
    assert response.status == 200
    assert response.headers["x-headgate-fallback-reason"] == "RequestUnsupported"
    assert [sent.status for sent in gate.emu.requests] == [400, 200]
    codex("Subscription")
    response, body = await post(gate, GOOD | {"temperature": 1.0})
    assert (response.status, json.loads(body)) == (400, {"detail": "Unsupported parameter: temperature"})


async def test_money_is_never_spent_for_it_where_the_table_denies_that(gate: Any, codex: Callable[..., None]) -> None:
    others = dict.fromkeys(("expired", "revoked", "rateLimited", "quotaExhausted"), "Allow")
    codex(fallback=others)
    response, body = await post(gate, GOOD | {"store": True})
    assert response.status == 400
    assert b"does not allow the next mode after RequestUnsupported" in body
    assert gate.emu.requests == []


async def test_chat_completions_never_reach_the_backend(gate: Any, codex: Callable[..., None]) -> None:
    codex()
    chat = {"model": GPT, "messages": [{"role": "user", "content": "hi"}]}
    response, body = await post(gate, chat, "/v1/chat/completions")
    assert response.status == 400
    assert b"Subscription does not serve /v1/chat/completions; ask at /v1/responses" in body
    codex(fallback={"unavailable": "Allow"})
    response, _ = await post(gate, chat, "/v1/chat/completions")
    assert response.status == 200
    assert [sent.path for sent in gate.emu.requests] == ["/v1/chat/completions"]


async def test_one_request_that_does_not_fit_says_nothing_of_the_next(gate: Any, codex: Callable[..., None]) -> None:
    codex(fallback={"unavailable": "Allow"})
    await post(gate, GOOD | {"store": True})
    assert gate.verdicts.fallbacks() == ()
    response, _ = await post(gate, GOOD)
    assert response.headers["x-headgate-auth-mode"] == "Subscription"
    assert "x-headgate-fallback-reason" not in response.headers


async def test_a_plan_at_its_limit_is_left_alone_until_it_resets(gate: Any, codex: Callable[..., None]) -> None:
    codex(fallback={"quotaExhausted": "Allow", "rateLimited": "Allow"})
    gate.emu.add_fault(Fault(kind=FaultKind.RATE_LIMITED, credential=OAUTH, seconds=600))
    for _ in range(2):
        response, _ = await post(gate, GOOD)
        assert response.status == 200
        assert response.headers["x-headgate-auth-mode"] == "APIKey"
        assert response.headers["x-headgate-fallback-reason"] == "QuotaExhausted"
    assert [sent.credential for sent in gate.emu.requests] == [OAUTH, API_KEY, API_KEY]


async def test_the_vendors_own_words_pass_where_nothing_else_may_serve(gate: Any, codex: Callable[..., None]) -> None:
    codex("Subscription")
    gate.emu.add_fault(Fault(kind=FaultKind.RATE_LIMITED, credential=OAUTH, seconds=600))
    response, body = await post(gate, GOOD)
    assert response.status == 429
    assert json.loads(body)["error"]["type"] == "usage_limit_reached"
    assert response.headers["x-codex-primary-used-percent"] == "100"


async def test_the_same_backend_path_is_served_to_clients_that_know_it(gate: Any, codex: Callable[..., None]) -> None:
    codex("Subscription")
    response, _ = await post(gate, GOOD, "/backend-api/codex/responses")
    assert response.status == 200
