"""A caller with nothing but its ServiceAccount token talks to the vendor, and neither side notices the gate."""

import asyncio
import gzip
import io
import json
from typing import Any

import pytest

from headgate_dev.emulator import Fault, FaultKind

STREAMED = (
    b'{ "model":"claude-sonnet-5-5",\n "max_tokens": 50, "stream":true,'
    b'"messages":[{"role":"user","content":"r\\u00edo \xf0\x9f\x8c\x8a"}] }'
)


@pytest.fixture
def gate(gate: Any) -> Any:
    gate.provider()
    return gate


@pytest.mark.parametrize("path", ["/v1/messages", "/claude/v1/messages"])
async def test_bytes_pass_unchanged_both_ways(gate: Any, path: str) -> None:
    async with gate.http.post(gate.url + path + "?beta=true", data=STREAMED, headers=gate.headers()) as response:
        received = await response.read()

    sent = gate.emu.requests[0]
    assert response.status == 200
    assert sent.body == STREAMED
    assert sent.target == "/v1/messages?beta=true"
    assert received == sent.response_body
    assert received.startswith(b"event: message_start")
    assert response.headers["x-headgate-auth-mode"] == "APIKey"
    assert response.headers["x-headgate-provider"] == "team-a/claude"
    assert "x-headgate-fallback-reason" not in response.headers
    assert response.headers["request-id"] == dict(sent.response_headers)["request-id"]
    outcome = gate.trace.outcomes[0]
    assert outcome.streaming
    assert not outcome.truncated
    assert outcome.facts.usage.output_tokens > 0
    assert outcome.response_bytes == len(received)


async def test_answers_that_are_not_streamed_keep_their_length(gate: Any, body: Any) -> None:
    async with gate.http.post(gate.url + "/v1/messages", json=body(), headers=gate.headers()) as response:
        received = await response.read()

    assert response.headers["content-length"] == str(len(received))
    assert received == gate.emu.requests[0].response_body
    assert gate.trace.outcomes[0].facts.stop_reason == "end_turn"
    assert gate.trace.outcomes[0].facts.usage.input_tokens > 0


async def test_the_official_sdk_streams_tools_in_an_agent_loop(gate: Any) -> None:
    tools = [
        {"name": "look", "input_schema": {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}}
    ]
    messages: list[dict[str, Any]] = [{"role": "user", "content": "use tool look"}]
    async with gate.sdk() as sdk:
        for _ in range(2):
            async with sdk.messages.stream(
                model="claude-sonnet-5-5", max_tokens=200, messages=messages, tools=tools
            ) as stream:
                final = await stream.get_final_message()
            messages.append({"role": "assistant", "content": [block.model_dump() for block in final.content]})
            results = [
                {"type": "tool_result", "tool_use_id": block.id, "content": "found it"}
                for block in final.content
                if block.type == "tool_use"
            ]
            if results:
                messages.append({"role": "user", "content": results})
    assert [m["role"] for m in messages] == ["user", "assistant", "user", "assistant"]
    assert "found it" in final.content[0].text


async def test_only_the_model_value_is_rewritten_where_the_vendor_names_it_differently(gate: Any) -> None:
    gate.provider(models=[{"name": "house", "aliases": ["h"], "upstreamName": "claude-sonnet-5-5"}])
    request = (
        b'{"messages":[{"role":"user","content":"{\\"model\\":\\"house\\"}"}], "model" :  "h","max_tokens":9,'
        b'"metadata":{"user_id":"model"}}'
    )
    async with gate.http.post(gate.url + "/v1/messages", data=request, headers=gate.headers()) as response:
        assert response.status == 200
    assert gate.emu.requests[0].body == request.replace(b'"h"', b'"claude-sonnet-5-5"')


async def test_models_and_token_counts(gate: Any, body: Any) -> None:
    async with gate.sdk() as sdk:
        assert [m.id async for m in sdk.models.list()] == ["claude-sonnet-5-5"]
        counted = await sdk.messages.count_tokens(model="claude-sonnet-5-5", messages=body()["messages"])
    assert counted.input_tokens > 0
    assert gate.emu.requests[0].path == "/v1/messages/count_tokens"


async def test_nothing_the_caller_authenticates_with_goes_upstream(gate: Any, body: Any) -> None:
    token = gate.cluster.token()
    headers = [
        ("authorization", f"Bearer {token}"),
        ("X-Api-Key", token),
        ("anthropic-version", "2023-06-01"),
        ("anthropic-beta", "one-2025-01-01"),
        ("anthropic-beta", "two-2025-01-01, one-2025-01-01"),
        ("cookie", f"session={token}"),
        ("x-my-secret", token),
        ("x-auth-request-access-token", token),
        ("x-forwarded-for", "10.1.2.3"),
        ("x-headgate-session", "s"),
        ("connection", "x-one-hop"),
        ("x-one-hop", token),
        ("user-agent", "claude-cli/9"),
        ("x-app", "cli"),
        ("x-stainless-lang", "js"),
        ("accept-encoding", "gzip, br"),
        ("traceparent", "00-11111111111111111111111111111111-2222222222222222-01"),
    ]
    async with gate.http.post(
        gate.url + f"/v1/messages?beta=true&api_key={token}", json=body(), headers=headers
    ) as response:
        assert response.status == 200

    sent = gate.emu.requests[0]
    everything = sent.target + repr(sent.headers)
    assert token not in everything
    assert sent.target == "/v1/messages?beta=true"
    assert sent.header_values("anthropic-beta") == ["one-2025-01-01,two-2025-01-01"]
    assert sent.header_values("x-api-key") == ["emulated-api-key"]
    assert sent.header("authorization") is None
    assert sent.header("x-forwarded-for") is None
    assert sent.header("accept-encoding") == "identity"
    assert sent.header("traceparent") == gate.trace.traceparent
    assert (sent.header("user-agent"), sent.header("x-app"), sent.header("x-stainless-lang")) == (
        "claude-cli/9",
        "cli",
        "js",
    )


async def test_cookies_of_the_vendor_reach_nobody(gate: Any, body: Any) -> None:
    gate.emu.add_fault(
        Fault(
            kind=FaultKind.OVERLOADED, headers={"set-cookie": "a=b", "alt-svc": "h3", "x-headgate-provider": "forged"}
        )
    )
    for _ in range(2):
        async with gate.http.post(gate.url + "/v1/messages", json=body(), headers=gate.headers()) as response:
            assert "set-cookie" not in response.headers
            assert "alt-svc" not in response.headers
            assert response.headers.getall("x-headgate-provider") == ["team-a/claude"]
    assert gate.emu.requests[1].header("cookie") is None


async def test_bodies_up_to_the_limit_pass_and_larger_ones_are_refused_before_they_are_read(
    gate: Any, body: Any
) -> None:
    size = 32 * 1024 * 1024
    filler = json.dumps(body("")).encode()
    full = json.dumps(body("x" * (size - len(filler)))).encode()
    assert len(full) == size
    async with gate.http.post(gate.url + "/v1/messages", data=io.BytesIO(full), headers=gate.headers()) as response:
        assert response.status in (200, 400, 413)  # the emulated vendor's own business
    assert gate.emu.requests[0].body == full

    reader, writer = await asyncio.open_connection("127.0.0.1", gate.edge.port)
    head = f"POST /v1/messages HTTP/1.1\r\nhost: x\r\nauthorization: {gate.headers()['authorization']}\r\n"
    writer.write(f"{head}content-length: {size + 1}\r\nexpect: 100-continue\r\n\r\n".encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 413")
    writer.close()
    await writer.wait_closed()
    assert len(gate.emu.requests) == 1


async def test_chunked_bodies_over_the_limit_are_refused(gate: Any) -> None:
    gate.fleet["limits"] = {"maxRequestBytes": 2048}
    gate.publish()

    async def pieces() -> Any:
        for _ in range(40):
            yield b"x" * 100

    async with gate.http.post(gate.url + "/v1/messages", data=pieces(), headers=gate.headers()) as response:
        assert response.status == 413
        assert (await response.json())["error"]["type"] == "request_too_large"


async def test_expect_continue_is_answered(gate: Any, body: Any) -> None:
    async with gate.http.post(
        gate.url + "/v1/messages", json=body(), headers=gate.headers(), expect100=True
    ) as response:
        assert response.status == 200


async def test_a_body_that_dribbles_in_is_given_up(emu: Any, gate: Any) -> None:
    await gate.edge.close()
    await gate.start(body_seconds=0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", gate.edge.port)
    head = f"POST /v1/messages HTTP/1.1\r\nhost: x\r\nauthorization: {gate.headers()['authorization']}\r\n"
    writer.write(f"{head}content-length: 1000\r\n\r\n{{".encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 408")
    writer.close()
    await writer.wait_closed()


BAD = [
    ("/v1/messages", "POST", b"{not json", 400, "invalid_request_error", "valid JSON"),
    ("/v1/messages", "POST", b"[]", 400, "invalid_request_error", "JSON object"),
    ("/v1/messages", "POST", b"{}", 400, "invalid_request_error", "model:"),
    ("/v1/messages", "POST", b'{"model": 5}', 400, "invalid_request_error", "model:"),
    ("/v1/messages", "POST", b'{"model": "m", "stream": "yes"}', 400, "invalid_request_error", "stream:"),
    ("/v1/messages", "POST", b'{"model":"m","x":' + b"[" * 100000, 400, "invalid_request_error", ""),
    ("/v1/messages", "POST", b'{"model": "gpt"}', 404, "not_found_error", "claude-sonnet-5-5"),
    ("/v1/messages", "GET", b"", 405, "invalid_request_error", "POST"),
    ("/v1/complete", "POST", b"{}", 404, "not_found_error", "/v1/messages"),
]


@pytest.mark.parametrize(("path", "method", "sent", "status", "kind", "says"), BAD)
async def test_refusals_are_strict_envelopes(
    gate: Any, path: str, method: str, sent: bytes, status: int, kind: str, says: str
) -> None:
    async with gate.http.request(method, gate.url + path, data=sent, headers=gate.headers()) as response:
        answer = await response.json()
    assert response.status == status
    assert answer["type"] == "error"
    assert set(answer) == {"type", "error", "request_id"}
    assert answer["error"]["type"] == kind
    assert says in answer["error"]["message"]
    assert response.headers["request-id"] == response.headers["x-headgate-request-id"] == answer["request_id"]
    assert gate.trace.outcomes[0].status == status
    assert gate.emu.requests == []


async def test_compressed_request_bodies_are_refused_clearly(gate: Any, body: Any) -> None:
    packed = gzip.compress(json.dumps(body()).encode())
    headers = gate.headers() | {"content-encoding": "gzip"}
    async with gate.http.post(gate.url + "/v1/messages", data=packed, headers=headers) as response:
        assert response.status == 400
        assert "content-encoding" in (await response.json())["error"]["message"]


async def test_no_token_or_a_foreign_namespace(gate: Any, body: Any) -> None:
    async with gate.http.post(gate.url + "/v1/messages", json=body()) as response:
        assert response.status == 401
        assert "audience headgate" in (await response.json())["error"]["message"]
    async with gate.http.post(gate.url + "/v1/messages", json=body(), headers=gate.headers(namespace="x")) as response:
        assert response.status == 403


async def test_before_the_first_snapshot_callers_are_told_to_come_back(gate: Any, body: Any) -> None:
    gate.live.routing = None
    async with gate.http.post(gate.url + "/v1/messages", json=body(), headers=gate.headers()) as response:
        assert response.status == 503


async def test_another_namespaces_provider_needs_its_grant(gate: Any, body: Any) -> None:
    async with gate.http.post(
        gate.url + "/v1/messages", json=body(), headers=gate.headers(namespace="team-b")
    ) as response:
        assert response.status == 404
        assert "claude-sonnet" not in (await response.json())["error"]["message"].replace(
            "'claude-sonnet-5-5' is not", ""
        )
    gate.provider(allowedNamespaces=["team-b"])
    async with gate.http.post(
        gate.url + "/v1/messages", json=body(), headers=gate.headers(namespace="team-b")
    ) as response:
        assert response.status == 200
