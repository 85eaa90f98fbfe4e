"""The main job: a provider applied with kubectl serves a streamed message to an agent that holds only its own token."""

import asyncio
import json
import subprocess
from pathlib import Path

import anthropic
import httpx
import pytest

from headgate_dev.clients import ClientUnavailable, claude_code
from headgate_dev.cluster import Cluster
from headgate_dev.otlp import OTLPSinkThread

from .tenant import MODEL, Tenant

WEATHER: anthropic.types.ToolParam = {
    "name": "weather",
    "description": "The weather of a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}


def sdk(tenant: Tenant) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=tenant.headgate.url(), auth_token=tenant.token(), max_retries=0)


def test_the_sdk_streams_through_a_proxy_pod_with_nothing_but_a_service_account_token(tenant: Tenant) -> None:
    tenant.with_api_key()

    with (
        sdk(tenant) as client,
        client.messages.stream(
            model=MODEL, max_tokens=64, messages=[{"role": "user", "content": "write 12 words"}]
        ) as stream,
    ):
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
        headers = stream.response.headers

    assert len(text.split()) == 12
    assert final.stop_reason == "end_turn"
    assert headers["x-headgate-auth-mode"] == "APIKey"
    assert "x-headgate-fallback-reason" not in headers
    request = tenant.vendor.requests[-1]
    assert (request.credential_kind, request.credential) == ("api_key", tenant.api_key)
    assert request.response_body.count(b"event: message_start") == 1


def test_an_agent_loop_with_parallel_tools_works_streamed(tenant: Tenant) -> None:
    tenant.with_api_key()
    clock: anthropic.types.ToolParam = {"name": "clock", "input_schema": {"type": "object", "properties": {}}}
    messages: list[anthropic.types.MessageParam] = [{"role": "user", "content": "use tools weather and clock"}]

    with sdk(tenant) as client:
        with client.messages.stream(model=MODEL, max_tokens=200, messages=messages, tools=[WEATHER, clock]) as stream:
            first = stream.get_final_message()
        calls = [block for block in first.content if block.type == "tool_use"]
        results: list[anthropic.types.ToolResultBlockParam] = [
            {"type": "tool_result", "tool_use_id": call.id, "content": f"{call.name} says 21"} for call in calls
        ]
        messages += [{"role": "assistant", "content": first.content}, {"role": "user", "content": results}]
        with client.messages.stream(model=MODEL, max_tokens=200, messages=messages, tools=[WEATHER, clock]) as stream:
            last = stream.get_final_text()

    assert first.stop_reason == "tool_use"
    assert [call.name for call in calls] == ["weather", "clock"]
    assert "weather says 21" in last
    assert "clock says 21" in last


def test_claude_code_runs_a_tool_through_a_proxy_pod(tenant: Tenant, tmp_path: Path) -> None:
    try:
        claude = claude_code()
    except ClientUnavailable as missing:
        pytest.skip(str(missing))
    tenant.with_api_key(models=[{"name": m} for m in (MODEL, "claude-haiku-5-5", "claude-opus-5-5")])
    environment = {
        "PATH": f"{claude.parent}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "ANTHROPIC_BASE_URL": tenant.headgate.url() + "/claude",
        "ANTHROPIC_API_KEY": tenant.token(),
        "ANTHROPIC_MODEL": MODEL,
        "ANTHROPIC_SMALL_FAST_MODEL": MODEL,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
    }

    done = subprocess.run(
        [str(claude), "-p", 'use tool Bash with {"command":"echo headgate-$((40+2))","description":"d"}', "--allowedTools", "Bash"],
        env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert "headgate-42" in done.stdout
    assert {r.credential for r in tenant.vendor.requests if r.path.endswith("/messages")} == {tenant.api_key}


def test_kubectl_get_shows_what_an_operator_wants_to_know(tenant: Tenant, cluster: Cluster) -> None:
    tenant.with_subscription({"revoked": "Allow"})

    # The fleet says Delivering while it takes up a change, and tells so after the provider does.
    cluster.wait_for("proxyfleet/default", "condition=Ready", namespace="headgate-system")
    provider = cluster.kubectl("get", "llmproviders", "-n", tenant.namespace).splitlines()
    account = cluster.kubectl("get", "subscriptionaccounts", "-n", tenant.namespace).splitlines()
    fleet = cluster.kubectl("get", "proxyfleets", "-n", "headgate-system").splitlines()

    assert provider[0].split()[:6] == ["NAME", "PROTOCOL", "ENDPOINT", "MODES", "READY", "REASON"]
    assert provider[1].split()[:6] == [
        "anthropic",
        "Anthropic",
        tenant.vendor.url,
        "Subscription,APIKey",
        "True",
        "Ready",
    ]
    assert account[1].split()[:6] == ["alice", "anthropic", "alice@example.com", "OwnerOnly", "True", "Ready"]
    assert fleet[1].split()[:4] == ["default", "2/2", "True", "Ready"]


def test_a_new_provider_that_is_ready_serves_on_every_proxy_at_once(tenant: Tenant) -> None:
    tenant.with_api_key()

    answers = {pod: tenant.message(url=url).status_code for pod, url in tenant.headgate.urls().items()}

    assert len(answers) == 2
    assert set(answers.values()) == {200}


def test_the_trace_continues_the_callers_and_tells_the_mode(tenant: Tenant, sink: OTLPSinkThread) -> None:
    tenant.with_api_key()
    trace_id = "0af7651916cd43dd8448eb211c" + tenant.namespace[-6:].encode().hex()[:6]
    client = anthropic.Anthropic(
        base_url=tenant.headgate.url(),
        auth_token=tenant.token(),
        default_headers={"traceparent": f"00-{trace_id}-b7ad6b7169203331-01"},
    )

    with client:
        client.messages.create(model=MODEL, max_tokens=16, messages=[{"role": "user", "content": "hi"}])
    spans = sink.wait_for_trace(trace_id, spans=3, timeout=20)

    server, select, upstream = (
        next(s for s in spans if s.name.startswith(prefix)) for prefix in ("chat ", "headgate.select", "POST")
    )
    assert server.parent_id == "b7ad6b7169203331"
    assert server.attributes["gen_ai.request.model"] == MODEL
    assert server.attributes["headgate.auth.mode"] == "APIKey"
    assert select.parent_id == server.span_id
    assert upstream.parent_id == server.span_id
    received = tenant.vendor.requests[-1].header("traceparent")
    assert received is not None
    assert received.split("-")[1:3] == [trace_id, upstream.span_id]


def test_many_agents_at_once_each_get_their_own_answer(tenant: Tenant) -> None:
    tenant.with_api_key()
    url, token = tenant.headgate.url(), tenant.token()

    async def all_of_them() -> list[str]:
        async with anthropic.AsyncAnthropic(base_url=url, auth_token=token, max_retries=0) as client:

            async def ask(number: int) -> str:
                prompt = f"agent number {number}"
                async with client.messages.stream(
                    model=MODEL, max_tokens=64, messages=[{"role": "user", "content": prompt}]
                ) as stream:
                    return await stream.get_final_text()

            return list(await asyncio.gather(*(ask(n) for n in range(50))))

    answers = asyncio.run(all_of_them())

    assert answers == [f"You said: agent number {n}" for n in range(50)]


def test_the_model_list_names_what_the_caller_may_use(tenant: Tenant) -> None:
    tenant.with_api_key()

    with sdk(tenant) as client:
        assert [model.id for model in client.models.list()] == [MODEL]


def test_bytes_pass_both_ways_as_they_are(tenant: Tenant) -> None:
    tenant.with_api_key()
    odd = '{"max_tokens" :  16,"model":"MODEL", "messages":[{"role":"user","content":"\\u00e9 é \\ud83d\\ude00"}] }\n'
    odd = odd.replace("MODEL", MODEL)

    response = post_bytes(tenant, odd.encode())
    tenant.vendor.wait_until(lambda: tenant.vendor.requests[-1].done)

    assert response == tenant.vendor.requests[-1].response_body
    assert tenant.vendor.requests[-1].body == odd.encode()
    assert json.loads(response)["type"] == "message"


def post_bytes(tenant: Tenant, body: bytes) -> bytes:
    headers = {"x-api-key": tenant.token(), "anthropic-version": "2023-06-01", "content-type": "application/json"}
    return httpx.post(f"{tenant.headgate.url()}/claude/v1/messages", headers=headers, content=body, timeout=30).content
