"""The official Python SDK talks to the emulator as to the vendor."""

from typing import Any

import anthropic
import pytest

from headgate_dev.emulator import Emulator, Fault, FaultKind

from .conftest import OAUTH_TOKEN

MODEL = "claude-sonnet-4-6"
HELLO: Any = [{"role": "user", "content": "hällo world"}]
TOOL: Any = {
    "name": "weather",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city", "days"],
    },
}


async def test_a_message(sdk: anthropic.AsyncAnthropic) -> None:
    message = await sdk.messages.create(model=MODEL, max_tokens=50, messages=HELLO)
    assert message.content[0].model_dump()["text"] == "You said: hällo world"
    assert message.stop_reason == "end_turn"


async def test_a_stream_arrives_word_by_word(sdk: anthropic.AsyncAnthropic) -> None:
    async with sdk.messages.stream(model=MODEL, max_tokens=50, messages=HELLO) as stream:
        words = [word async for word in stream.text_stream]
    assert words == ["You ", "said: ", "hällo ", "world"]


async def test_an_agent_loop_with_parallel_tools_over_two_rounds(sdk: anthropic.AsyncAnthropic) -> None:
    tools: Any = [TOOL, {**TOOL, "name": "news"}]
    prompt = 'use tools weather and news, then use tool news with {"city": "Zürich", "days": 3}'
    messages: Any = [{"role": "user", "content": prompt}]
    rounds: list[list[tuple[str, object]]] = []
    for _ in range(3):
        async with sdk.messages.stream(model=MODEL, max_tokens=50, messages=messages, tools=tools) as stream:
            message = await stream.get_final_message()
        calls = [block for block in message.content if block.type == "tool_use"]
        if not calls:
            break
        assert message.stop_reason == "tool_use"
        rounds.append([(call.name, call.input) for call in calls])
        results = [{"type": "tool_result", "tool_use_id": call.id, "content": f"{call.name} is fine"} for call in calls]
        messages += [{"role": "assistant", "content": message.content}, {"role": "user", "content": results}]
    sample = {"city": 'Füße 世界 😀 "quoted" \\ done', "days": 1234567}
    assert rounds == [[("weather", sample), ("news", sample)], [("news", {"city": "Zürich", "days": 3})]]
    assert message.content[0].model_dump()["text"] == "Tool results: news is fine"


async def test_thinking_goes_back_with_its_signature(sdk: anthropic.AsyncAnthropic) -> None:
    thinking: Any = {"type": "enabled", "budget_tokens": 1024}
    first = await sdk.messages.create(model=MODEL, max_tokens=2000, messages=HELLO, thinking=thinking)
    again: Any = [*HELLO, {"role": "assistant", "content": first.content}, {"role": "user", "content": "and now?"}]
    second = await sdk.messages.create(model=MODEL, max_tokens=2000, messages=again, thinking=thinking)
    assert second.content[1].model_dump()["text"] == "You said: and now?"
    forged = first.content[0].model_dump() | {"signature": "Zm9yZ2Vk"}
    again[1] = {"role": "assistant", "content": [forged]}
    with pytest.raises(anthropic.BadRequestError, match="Invalid `signature`"):
        await sdk.messages.create(model=MODEL, max_tokens=2000, messages=again, thinking=thinking)


async def test_a_prompt_prefix_is_written_to_the_cache_and_then_read(sdk: anthropic.AsyncAnthropic) -> None:
    def system(text: str) -> Any:
        return [
            {"type": "text", "text": text, "cache_control": {"type": "ephemeral"}},
            {"type": "text", "text": "daily", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        ]

    async def usage(text: str) -> anthropic.types.Usage:
        answer = await sdk.messages.create(model=MODEL, max_tokens=50, messages=HELLO, system=system(text))
        return answer.usage

    first, second, changed = await usage("stable"), await usage("stable"), await usage("Stable")
    assert first.cache_creation is not None
    assert first.cache_creation.ephemeral_5m_input_tokens > 0
    assert first.cache_creation.ephemeral_1h_input_tokens > 0
    assert first.cache_read_input_tokens == 0
    assert (second.cache_read_input_tokens, second.cache_creation_input_tokens) == (
        first.cache_creation_input_tokens,
        0,
    )
    assert second.input_tokens == first.input_tokens
    assert changed.cache_read_input_tokens == 0


async def test_counting_and_models(sdk: anthropic.AsyncAnthropic) -> None:
    counted = await sdk.messages.count_tokens(model=MODEL, messages=HELLO)
    answered = await sdk.messages.create(model=MODEL, max_tokens=50, messages=HELLO)
    assert counted.input_tokens == answered.usage.input_tokens
    listed = [model.id async for model in sdk.models.list(limit=3)]
    assert MODEL in listed
    assert len(set(listed)) == len(listed) > 3
    assert (await sdk.models.retrieve("claude-sonnet-4-5")).id == "claude-sonnet-4-5-20250929"
    with pytest.raises(anthropic.NotFoundError):
        await sdk.models.retrieve("claude-unheard-of")


async def test_an_oauth_token_is_a_bearer_with_its_beta(emu: Emulator) -> None:
    async with anthropic.AsyncAnthropic(auth_token=OAUTH_TOKEN, base_url=emu.url, max_retries=0) as sdk:
        with pytest.raises(anthropic.AuthenticationError, match="OAuth authentication is currently not supported"):
            await sdk.messages.create(model=MODEL, max_tokens=50, messages=HELLO)
        beta = {"anthropic-beta": "oauth-2025-04-20"}
        await sdk.messages.create(model=MODEL, max_tokens=50, messages=HELLO, extra_headers=beta)
    assert emu.requests[-1].credential_kind == "oauth"
    assert dict(emu.requests[-1].response_headers)["anthropic-ratelimit-unified-status"] == "allowed"


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (FaultKind.UNAUTHORIZED, anthropic.AuthenticationError),
        (FaultKind.OAUTH_EXPIRED, anthropic.AuthenticationError),
        (FaultKind.OAUTH_REVOKED, anthropic.PermissionDeniedError),
        (FaultKind.OAUTH_UNSUPPORTED, anthropic.PermissionDeniedError),
        (FaultKind.RATE_LIMITED, anthropic.RateLimitError),
        (FaultKind.OVERLOADED, anthropic.InternalServerError),
        (FaultKind.SERVER_ERROR, anthropic.InternalServerError),
        (FaultKind.BAD_GATEWAY, anthropic.InternalServerError),
        (FaultKind.CUT_BEFORE_HEADERS, anthropic.APIConnectionError),
    ],
)
async def test_faults_raise_the_sdks_exceptions(
    emu: Emulator, sdk: anthropic.AsyncAnthropic, kind: FaultKind, error: type[Exception]
) -> None:
    emu.add_fault(Fault(kind=kind))
    with pytest.raises(error):
        await sdk.messages.create(model=MODEL, max_tokens=50, messages=HELLO)
    await sdk.messages.create(model=MODEL, max_tokens=50, messages=HELLO)


async def test_the_sdk_retries_past_a_fault_that_passes(emu: Emulator) -> None:
    emu.add_fault(Fault(kind=FaultKind.OVERLOADED, headers={"retry-after-ms": "1"}))
    async with anthropic.AsyncAnthropic(api_key="emulated-api-key", base_url=emu.url, max_retries=1) as sdk:
        await sdk.messages.create(model=MODEL, max_tokens=50, messages=HELLO)
    assert [request.status for request in emu.requests] == [529, 200]


async def test_an_error_in_the_middle_of_a_stream(emu: Emulator, sdk: anthropic.AsyncAnthropic) -> None:
    emu.add_fault(Fault(kind=FaultKind.STREAM_ERROR, after_events=5))
    words = []
    with pytest.raises(anthropic.APIStatusError, match="overloaded_error"):
        async with sdk.messages.stream(model=MODEL, max_tokens=50, messages=HELLO) as stream:
            words.extend([word async for word in stream.text_stream])
    assert emu.requests[-1].response_body.count(b"\nevent: content_block_delta") == 2
