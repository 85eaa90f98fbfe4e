"""An identity profile on the wire: the vendor sees it in subscription mode, the client never, and no other mode knows of it."""

import io
import json
from typing import Any

import pytest

from headgate_api import acknowledgement
from headgate_dev.emulator import Fault, FaultKind, TokenState

BOTH = ("Subscription", "APIKey")
ALLOW = dict.fromkeys(("expired", "revoked", "rateLimited", "quotaExhausted", "unavailable"), "Allow")
OAUTH = "emulated-oauth-token"
KEY = "emulated-api-key"
PREAMBLE = 'You work in the "Acme" build farm.'
PROFILE = {
    "type": "Profile",
    "headers": {"X-Acme-Farm": "north", "User-Agent": "acme-farm/1.0", "anthropic-beta": "acme-2026-01-01"},
    "systemPreamble": PREAMBLE,
    "toolNames": {"read": "AcmeRead", "shell": "AcmeShell"},
}
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
TOOLS = [{"name": "read", "input_schema": SCHEMA}, {"name": "shell", "input_schema": SCHEMA}]


def present(
    gate: Any,
    *,
    modes: tuple[str, ...] = BOTH,
    fallback: dict[str, str] | None = None,
    text_version: str = acknowledgement.TEXT_VERSION,
    **identity: Any,
) -> None:
    """Publish a provider whose subscription requests present the profile."""
    subscription = {
        "identity": PROFILE | identity,
        "acknowledgement": {"by": "ann", "at": "2026-11-21T08:00:00Z", "textVersion": text_version},
    }
    auth = {"modes": list(modes), "fallback": fallback or {}, "subscription": subscription}
    gate.provider(auth=auth | ({"apiKey": {}} if "APIKey" in modes else {}))
    gate.account()


async def ask(gate: Any, body: dict[str, Any] | bytes, path: str = "/v1/messages", **headers: str) -> Any:
    """Send a request and return (response, its whole body)."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with gate.http.post(gate.url + path, data=io.BytesIO(data), headers=gate.headers() | headers) as response:
        return response, await response.read()


def received(gate: Any, number: int = -1) -> Any:
    return json.loads(gate.emu.requests[number].body)


def own(answer: bytes) -> bytes:
    """What the client must see of the vendor's bytes: in these answers, no text holds such a name in quotes."""
    return answer.replace(b'"AcmeRead"', b'"read"').replace(b'"AcmeShell"', b'"shell"')


async def test_an_agent_loop_with_parallel_tools_streams_under_the_clients_own_names(gate: Any) -> None:
    present(gate)
    prompt = "use tools AcmeRead and AcmeShell, then use tool AcmeRead"
    messages: list[dict[str, Any]] = [{"role": "user", "content": prompt}]
    called: list[list[str]] = []
    async with gate.sdk() as sdk:
        for _ in range(3):
            async with sdk.messages.stream(
                model="claude-sonnet-5-5", max_tokens=400, messages=messages, tools=TOOLS, system="Be brief."
            ) as stream:
                final = await stream.get_final_message()
            calls = [block for block in final.content if block.type == "tool_use"]
            called.append([call.name for call in calls])
            assert all(call.input == {"name": 'Füße 世界 😀 "quoted" \\ done'} for call in calls)
            messages.append({"role": "assistant", "content": [block.model_dump() for block in final.content]})
            results = [{"type": "tool_result", "tool_use_id": call.id, "content": "AcmeRead"} for call in calls]
            messages.append({"role": "user", "content": results or "thanks"})

    assert called == [["read", "shell"], ["read"], []]
    assert final.content[0].text == "Tool results: AcmeRead"
    for request in gate.emu.requests:
        assert request.header("authorization") == f"Bearer {OAUTH}"
        sent = json.loads(request.body)
        assert sent["system"] == [{"type": "text", "text": PREAMBLE}, {"type": "text", "text": "Be brief."}]
        assert [tool["name"] for tool in sent["tools"]] == ["AcmeRead", "AcmeShell"]
    history = [block for turn in received(gate)["messages"] for block in turn["content"] if isinstance(block, dict)]
    assert [block["name"] for block in history if block["type"] == "tool_use"] == ["AcmeRead", "AcmeShell", "AcmeRead"]


@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_every_other_byte_of_a_stream_is_the_vendors(gate: Any, body: Any, size: int) -> None:
    present(gate)
    gate.emu.add_fault(Fault(kind=FaultKind.DRIBBLE, chunk_bytes=size))

    response, got = await ask(gate, body("use tools AcmeRead and AcmeShell", tools=TOOLS, stream=True))

    upstream = gate.emu.requests[0].response_body
    assert response.status == 200
    assert upstream.count(b'"AcmeRead"') == upstream.count(b'"AcmeShell"') == 1
    assert got == own(upstream)
    facts = gate.trace.outcomes[0].facts
    assert (facts.stop_reason, facts.usage.output_tokens > 0) == ("tool_use", True)
    assert gate.trace.outcomes[0].response_bytes == len(got)


async def test_a_whole_answer_comes_back_with_its_length_made_anew(gate: Any, body: Any) -> None:
    present(gate)
    response, got = await ask(gate, body("use tool AcmeRead", tools=TOOLS))

    assert got == own(gate.emu.requests[0].response_body) != gate.emu.requests[0].response_body
    assert response.headers.get("content-length") in (None, str(len(got)))
    assert json.loads(got)["content"][0]["name"] == "read"


async def test_tokens_are_counted_for_what_would_be_sent(gate: Any, body: Any) -> None:
    present(gate)
    asked = body(tools=TOOLS)
    del asked["max_tokens"]
    response, _ = await ask(gate, asked, "/v1/messages/count_tokens")
    assert response.status == 200
    assert received(gate)["system"] == [{"type": "text", "text": PREAMBLE}]


async def test_the_profiles_headers_replace_the_clients_and_its_betas_stay(gate: Any, body: Any) -> None:
    present(gate)
    await ask(gate, body(), **{"user-agent": "own/1.0", "x-app": "own", "anthropic-beta": "own-2026-01-01"})

    sent = gate.emu.requests[0]
    assert sent.header_values("user-agent") == ["acme-farm/1.0"]
    assert sent.header("x-acme-farm") == "north"
    assert sent.header("x-app") == "own"
    assert sent.header("anthropic-beta") == "own-2026-01-01,acme-2026-01-01,oauth-2025-04-20"


async def test_a_fallback_sends_what_the_client_sent(gate: Any, body: Any) -> None:
    present(gate, fallback=ALLOW)
    gate.emu.oauth_tokens[OAUTH] = TokenState.REVOKED
    asked = json.dumps(body("use tool read", tools=TOOLS, stream=True, system="own"), indent=1).encode()

    response, got = await ask(gate, asked, **{"user-agent": "own/1.0", "anthropic-beta": "own-2026-01-01"})

    first, second = gate.emu.requests
    assert json.loads(first.body)["tools"][0]["name"] == "AcmeRead"
    assert response.headers["x-headgate-auth-mode"] == "APIKey"
    assert second.body == asked
    assert second.header("user-agent") == "own/1.0"
    assert second.header("x-acme-farm") is None
    assert second.header("anthropic-beta") == "own-2026-01-01"
    assert got == second.response_body
    assert b'"name":"read"' in got.replace(b'": "', b'":"')


async def test_other_modes_and_pass_through_send_the_very_bytes(gate: Any, body: Any) -> None:
    asked = json.dumps(body("use tool read", tools=TOOLS, system="own"), indent=1).encode()
    present(gate, modes=("APIKey", "Subscription"))
    await ask(gate, asked)
    gate.provider(modes=("Subscription",))
    await ask(gate, asked)

    assert [request.credential_kind for request in gate.emu.requests] == ["api_key", "oauth"]
    assert [request.body for request in gate.emu.requests] == [asked, asked]
    assert gate.emu.requests[0].header("x-acme-farm") is None


async def test_without_the_profiles_tools_the_answer_keeps_its_length(gate: Any, body: Any) -> None:
    present(gate)
    response, got = await ask(gate, body())
    assert response.headers["content-length"] == str(len(got))
    assert got == gate.emu.requests[0].response_body


CLASH = [{"name": "read", "input_schema": SCHEMA}, {"name": "AcmeRead", "input_schema": SCHEMA}]


async def test_two_tools_that_would_have_one_name_are_refused_before_anything_is_sent(gate: Any, body: Any) -> None:
    present(gate)
    response, got = await ask(gate, body(tools=CLASH))

    assert (response.status, response.headers["x-should-retry"]) == (400, "false")
    error = json.loads(got)["error"]
    assert error["type"] == "invalid_request_error"
    assert "tools[1].name" in error["message"]
    assert "'read'" in error["message"]
    assert "'AcmeRead'" in error["message"]
    assert gate.emu.requests == []


async def test_such_a_request_may_go_by_another_mode_where_the_spec_allows_it(gate: Any, body: Any) -> None:
    present(gate, fallback={"unavailable": "Allow"})
    response, _ = await ask(gate, body(tools=CLASH))
    assert response.status == 200
    assert response.headers["x-headgate-fallback-reason"] == "RequestUnsupported"
    assert [tool["name"] for tool in received(gate)["tools"]] == ["read", "AcmeRead"]


@pytest.mark.parametrize("unavailable", ["Deny", "Allow"])
async def test_a_profile_acknowledged_in_an_older_text_is_not_presented_nor_left_off(
    gate: Any, body: Any, unavailable: str
) -> None:
    present(gate, fallback={"unavailable": unavailable}, text_version="2020-01-01")
    response, got = await ask(gate, body())

    assert [request.credential_kind for request in gate.emu.requests] == ["api_key"] * (unavailable == "Allow")
    if unavailable == "Allow":
        assert response.headers["x-headgate-fallback-reason"] == "IdentityNotAcknowledged"
    else:
        assert response.status == 503
        assert "spec.auth.subscription.acknowledgement" in json.loads(got)["error"]["message"]


async def test_errors_pass_as_the_vendor_wrote_them(gate: Any, body: Any) -> None:
    present(gate)
    asked = body(tools=[{"name": "read", "input_schema": {"type": "string"}}], max_tokens=-1)
    response, got = await ask(gate, asked)
    assert response.status == 400
    assert got == gate.emu.requests[0].response_body


async def test_a_stream_that_breaks_ends_with_an_error_event(gate: Any, body: Any) -> None:
    present(gate)
    gate.emu.add_fault(Fault(kind=FaultKind.CUT_MID_EVENT, after_events=3))
    _, got = await ask(gate, body("use tool AcmeRead", tools=TOOLS, stream=True))
    upstream = gate.emu.requests[0].response_body
    whole = upstream[: upstream.rindex(b"\n\n") + 2]
    assert got.startswith(own(whole))
    assert b'event: error\ndata: {"type":"error"' in got[len(own(whole)) :]
    assert gate.trace.outcomes[0].truncated


async def test_a_compressed_answer_is_not_passed_on(gate: Any, body: Any) -> None:
    present(gate)
    gate.emu.add_fault(Fault(kind=FaultKind.GZIP))
    response, got = await ask(gate, body("use tool AcmeRead", tools=TOOLS))
    assert response.status == 502
    assert "gzip" in json.loads(got)["error"]["message"]


async def test_long_requests_are_presented_too(gate: Any, body: Any) -> None:
    present(gate)
    prompt = 'print("x")\n' * 100_000 + "use tool AcmeRead"
    _, got = await ask(gate, body(prompt, tools=TOOLS))
    assert json.loads(got)["content"][0]["name"] == "read"
    sent = received(gate)
    assert sent["messages"][0]["content"] == prompt
    assert sent["tools"][0]["name"] == "AcmeRead"
