"""OpenAI's official Python SDK talks to the emulator as to the vendor, and finds its own types in every answer."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import openai
import pytest
from openai.types import Model
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent

from headgate_dev.emulator import Emulator, Fault, FaultKind
from headgate_dev.emulator.openai.vendor import OpenAI

from .conftest import API_KEY, OAUTH_TOKEN
from .shapes import checked

MODEL = "gpt-5.4"
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": ["string", "null"]}, "days": {"type": "integer"}},
    "required": ["city", "days"],
}
FLAT: Any = [{"type": "function", "name": name, "parameters": SCHEMA, "strict": True} for name in ("weather", "news")]
NESTED: Any = [{"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in ("weather", "news")]
LOOP = 'use tools weather and news, then use tool news with {"city": "Zürich", "days": 3}'
SAMPLE = {"city": 'Füße 世界 😀 "quoted" \\ done', "days": 1234567}


@pytest.fixture
async def emu() -> AsyncIterator[Emulator]:
    async with Emulator(vendor=OpenAI(), api_keys=[API_KEY], oauth_tokens=[OAUTH_TOKEN]) as emulator:
        yield emulator


@pytest.fixture
async def sdk(emu: Emulator) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(api_key=API_KEY, base_url=f"{emu.url}/v1", max_retries=0) as client:
        yield client


@pytest.fixture
async def http(emu: Emulator) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(emu.url, headers={"authorization": f"Bearer {API_KEY}"}) as session:
        yield session


async def post(http: aiohttp.ClientSession, path: str, body: dict[str, Any]) -> bytes:
    async with http.post(path, json=body) as response:
        assert response.status == 200, await response.text()
        return await response.read()


RESPONSES: dict[str, dict[str, Any]] = {
    "text": {},
    "items": {"input": [{"role": "developer", "content": "be brief"}, {"role": "user", "content": "grüß 世界"}]},
    "tool": {"tools": FLAT, "input": "use tool weather"},
    "parallel tools": {"tools": FLAT, "input": "use tools weather and news"},
    "forced tool": {"tools": FLAT, "tool_choice": {"type": "function", "name": "news"}},
    "reasoning": {"reasoning": {"effort": "high", "summary": "auto"}, "include": ["reasoning.encrypted_content"]},
    "silent reasoning": {"reasoning": {"effort": "low"}},
    "cut off": {"input": "write 40 words", "max_output_tokens": 16},
}
CHATS: dict[str, dict[str, Any]] = {
    "text": {},
    "parts": {"messages": [{"role": "user", "content": [{"type": "text", "text": "grüß 世界"}]}]},
    "tool": {"tools": NESTED, "messages": [{"role": "user", "content": "use tool weather"}]},
    "parallel tools": {"tools": NESTED, "messages": [{"role": "user", "content": "use tools weather and news"}]},
    "forced tool": {"tools": NESTED, "tool_choice": "required"},
    "reasoning": {"reasoning_effort": "low"},
    "stop": {"stop": "hello"},
    "cut off": {"max_completion_tokens": 2, "messages": [{"role": "user", "content": "write 10 words"}]},
}


def events(raw: bytes) -> list[dict[str, Any]]:
    found = []
    for number, part in enumerate(raw.decode().removesuffix("\n\n").split("\n\n")):
        name, data = part.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        assert event["sequence_number"] == number
        found.append(event)
    return found


@pytest.mark.parametrize("case", RESPONSES)
async def test_a_response_and_its_events_are_the_sdks_types_and_add_up(http: aiohttp.ClientSession, case: str) -> None:
    body = {"model": MODEL, "input": "hello there", **RESPONSES[case]}
    whole = json.loads(await post(http, "/v1/responses", body))
    checked(Response, json.dumps(whole).encode())
    streamed = events(await post(http, "/v1/responses", body | {"stream": True}))
    for event in streamed:
        checked(ResponseStreamEvent, json.dumps(event).encode())
    assert [event["type"] for event in streamed[:2]] == ["response.created", "response.in_progress"]
    assert streamed[-1]["type"] == f"response.{whole['status']}"
    last = json.dumps(streamed[-1]["response"]).replace("000002", "000001")
    assert json.loads(last) | {"created_at": 0, "completed_at": 0} == whole | {"created_at": 0, "completed_at": 0}
    done = [event["item"] for event in streamed if event["type"] == "response.output_item.done"]
    assert done == streamed[-1]["response"]["output"]
    for index, item in enumerate(done):
        mine = [event for event in streamed if event.get("output_index") == index]
        texts = "".join(event["delta"] for event in mine if event["type"] == "response.output_text.delta")
        pieces = [event["delta"] for event in mine if event["type"] == "response.function_call_arguments.delta"]
        if item["type"] == "message":
            assert texts == item["content"][0]["text"]
        if item["type"] == "function_call":
            assert "".join(pieces) == item["arguments"]
            assert len(pieces) > 2
            assert json.loads(item["arguments"]) == SAMPLE


@pytest.mark.parametrize("case", CHATS)
async def test_a_completion_and_its_chunks_are_the_sdks_types_and_add_up(
    http: aiohttp.ClientSession, case: str
) -> None:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "hello there"}], **CHATS[case]}
    whole = json.loads(await post(http, "/v1/chat/completions", body))
    checked(ChatCompletion, json.dumps(whole).encode())
    raw = await post(http, "/v1/chat/completions", body | {"stream": True, "stream_options": {"include_usage": True}})
    *parts, end = raw.decode().removesuffix("\n\n").split("\n\n")
    assert end == "data: [DONE]"
    chunks = [checked(ChatCompletionChunk, part.removeprefix("data: ").encode()) for part in parts]
    assert chunks[-1].choices == []
    assert chunks[-1].usage.model_dump(exclude_none=True) == whole["usage"]
    message, text, calls = whole["choices"][0]["message"], "", dict[int, dict[str, str]]()
    for chunk in chunks[:-1]:
        assert chunk.usage is None
        text += chunk.choices[0].delta.content or ""
        for call in chunk.choices[0].delta.tool_calls or ():
            known = calls.setdefault(call.index, {"name": "", "arguments": ""})
            known["name"] += call.function.name or ""
            known["arguments"] += call.function.arguments or ""
    assert text == (message["content"] or "")
    assert list(calls.values()) == [call["function"] for call in message.get("tool_calls", [])]
    assert chunks[-2].choices[0].finish_reason == whole["choices"][0]["finish_reason"]


async def test_usage_is_only_streamed_when_asked_for(http: aiohttp.ClientSession) -> None:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "hello"}], "stream": True}
    assert b"usage" not in await post(http, "/v1/chat/completions", body)


async def test_an_agent_loop_over_responses(sdk: openai.AsyncOpenAI) -> None:
    items: Any = [{"role": "user", "content": LOOP}]
    rounds = []
    for _ in range(3):
        async with sdk.responses.stream(model=MODEL, input=items, tools=FLAT, reasoning={"effort": "low"}) as stream:
            response = await stream.get_final_response()
        calls = [item for item in response.output if item.type == "function_call"]
        if not calls:
            break
        rounds.append([(call.name, json.loads(call.arguments)) for call in calls])
        items += [item.model_dump(exclude={"parsed_arguments"}, exclude_none=True) for item in response.output]
        items += [
            {"type": "function_call_output", "call_id": call.call_id, "output": f"{call.name} is fine"}
            for call in calls
        ]
    assert rounds == [[("weather", SAMPLE), ("news", SAMPLE)], [("news", {"city": "Zürich", "days": 3})]]
    assert response.output_text == "Tool results: news is fine"
    assert response.usage is not None
    assert response.usage.output_tokens_details.reasoning_tokens > 0


async def test_a_conversation_that_the_vendor_remembers(sdk: openai.AsyncOpenAI, emu: Emulator) -> None:
    first = await sdk.responses.create(model=MODEL, input="use tool weather", tools=FLAT)
    call: Any = first.output[0]
    answer: Any = [{"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}]
    second = await sdk.responses.create(model=MODEL, input=answer, tools=FLAT, previous_response_id=first.id)
    assert second.output_text == "Tool results: sunny"
    emu.reset()
    with pytest.raises(openai.BadRequestError, match="not found"):
        await sdk.responses.create(model=MODEL, input="and?", previous_response_id=first.id)


async def test_an_agent_loop_over_chat(sdk: openai.AsyncOpenAI) -> None:
    messages: Any = [{"role": "user", "content": LOOP}]
    rounds = []
    for _ in range(3):
        async with sdk.chat.completions.stream(model=MODEL, messages=messages, tools=NESTED) as stream:
            completion = await stream.get_final_completion()
        message = completion.choices[0].message
        if not message.tool_calls:
            break
        rounds.append([(call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls])
        messages.append(message.model_dump(exclude_none=True))
        messages += [
            {"role": "tool", "tool_call_id": call.id, "content": f"{call.function.name} is fine"}
            for call in message.tool_calls
        ]
    assert rounds == [[("weather", SAMPLE), ("news", SAMPLE)], [("news", {"city": "Zürich", "days": 3})]]
    assert message.content == "Tool results: news is fine"


async def test_a_long_prompt_is_cached_without_being_asked(sdk: openai.AsyncOpenAI) -> None:
    async def cached(first: str, last: str) -> tuple[int, int]:
        items: Any = [{"role": "developer", "content": first * 2000}, {"role": "user", "content": last}]
        usage = (await sdk.responses.create(model=MODEL, input=items)).usage
        assert usage is not None
        return usage.input_tokens_details.cached_tokens, usage.input_tokens

    assert (await cached("stable ", "one"))[0] == 0
    again, total = await cached("stable ", "two")
    assert again % 128 == 0
    assert total - 256 < again < total
    assert (await cached("Stable ", "two"))[0] == 0


async def test_models(sdk: openai.AsyncOpenAI, http: aiohttp.ClientSession) -> None:
    listed = [model.id async for model in sdk.models.list()]
    assert MODEL in listed
    assert (await sdk.models.retrieve("gpt-5")).id == "gpt-5-2025-08-07"
    with pytest.raises(openai.NotFoundError, match="gpt-unheard-of"):
        await sdk.models.retrieve("gpt-unheard-of")
    async with http.get("/v1/models") as answer:
        for model in (await answer.json())["data"]:
            checked(Model, json.dumps(model).encode())


@pytest.mark.parametrize(("key", "says"), [("unknown", "Incorrect API key"), (OAUTH_TOKEN, "Missing scopes")])
async def test_who_is_not_let_in(emu: Emulator, key: str, says: str) -> None:
    async with openai.AsyncOpenAI(api_key=key, base_url=f"{emu.url}/v1", max_retries=0) as sdk:
        with pytest.raises(openai.AuthenticationError, match=says) as caught:
            await sdk.responses.create(model=MODEL, input="hello")
    assert key not in str(caught.value)


CALLED = {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "fine"}
ASSISTANT = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}],
}
USER = {"role": "user", "content": "hello"}


@pytest.mark.parametrize(
    ("path", "change", "says"),
    [
        ("responses", {"surprise": 1}, "unknown_parameter"),
        ("responses", {"model": None}, "missing_required_parameter"),
        ("responses", {"model": "gpt-unheard-of"}, "model_not_found"),
        ("responses", {"input": []}, "empty array"),
        ("responses", {"input": None}, "missing_required_parameter"),
        ("responses", {"input": [{"role": "robot", "content": "x"}]}, "robot"),
        ("responses", {"input": [USER, CALLED]}, "No tool output found for function call call_1"),
        ("responses", {"input": [USER, OUTPUT]}, "No tool call found for function call output with call_id call_1"),
        ("responses", {"input": [{"type": "reasoning", "summary": [], "encrypted_content": "x"}]}, "encrypted_content"),
        ("responses", {"max_output_tokens": 1}, "integer_below_min_value"),
        ("responses", {"tools": [{"name": "a"}]}, "tools[0].type"),
        ("responses", {"tool_choice": {"type": "function", "name": "a"}}, "Tool choice 'a' not found"),
        ("chat/completions", {"input": "x"}, "unknown_parameter"),
        ("chat/completions", {"messages": []}, "empty array"),
        ("chat/completions", {"messages": [{"role": "user"}]}, "messages[0].content"),
        ("chat/completions", {"messages": [USER, ASSISTANT, USER]}, "did not have response messages: call_1"),
        ("chat/completions", {"messages": [{"role": "tool", "tool_call_id": "x", "content": "y"}]}, "preceeding"),
        ("chat/completions", {"stream_options": {"include_usage": True}}, "stream_options"),
    ],
)
async def test_bad_bodies(http: aiohttp.ClientSession, path: str, change: dict[str, Any], says: str) -> None:
    good = {"model": MODEL} | ({"input": "hello"} if path == "responses" else {"messages": [USER]})
    async with http.post(f"/v1/{path}", json=good | change) as answer:
        assert answer.status == 400
        error = (await answer.json())["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert says in f"{error['code']}: {error['message']}"


@pytest.mark.parametrize(
    ("kind", "error", "code"),
    [
        (FaultKind.UNAUTHORIZED, openai.AuthenticationError, "invalid_api_key"),
        (FaultKind.OAUTH_EXPIRED, openai.AuthenticationError, "token_expired"),
        (FaultKind.OAUTH_REVOKED, openai.AuthenticationError, "token_invalidated"),
        (FaultKind.OAUTH_UNSUPPORTED, openai.PermissionDeniedError, None),
        (FaultKind.SUSPENDED, openai.AuthenticationError, "account_deactivated"),
        (FaultKind.RATE_LIMITED, openai.RateLimitError, "rate_limit_exceeded"),
        (FaultKind.QUOTA_EXHAUSTED, openai.RateLimitError, "insufficient_quota"),
        (FaultKind.OVERLOADED, openai.InternalServerError, "server_is_overloaded"),
        (FaultKind.SERVER_ERROR, openai.InternalServerError, None),
        (FaultKind.BAD_GATEWAY, openai.InternalServerError, None),
        (FaultKind.CUT_BEFORE_HEADERS, openai.APIConnectionError, None),
    ],
)
async def test_faults_raise_the_sdks_exceptions(
    emu: Emulator, sdk: openai.AsyncOpenAI, kind: FaultKind, error: type[Exception], code: str | None
) -> None:
    emu.add_fault(Fault(kind=kind))
    with pytest.raises(error) as caught:
        await sdk.responses.create(model=MODEL, input="hello")
    if code is not None:
        assert getattr(caught.value, "code", None) == code
    await sdk.responses.create(model=MODEL, input="hello")


async def test_a_rate_limit_says_until_when(emu: Emulator, http: aiohttp.ClientSession) -> None:
    emu.add_fault(Fault(kind=FaultKind.RATE_LIMITED, seconds=90.5))
    async with http.post("/v1/responses", json={"model": MODEL, "input": "hello"}) as answer:
        assert (answer.status, answer.headers["retry-after"]) == (429, "91")
        assert answer.headers["x-ratelimit-remaining-requests"] == "0"
        assert answer.headers["x-ratelimit-reset-requests"] == "1m30.5s"


async def test_an_error_in_the_middle_of_a_response(emu: Emulator, sdk: openai.AsyncOpenAI) -> None:
    emu.add_fault(Fault(kind=FaultKind.STREAM_ERROR, after_events=6))
    stream = await sdk.responses.create(model=MODEL, input="hello there", stream=True)
    seen = [event async for event in stream]
    assert [event.sequence_number for event in seen] == list(range(7))
    checked(ResponseStreamEvent, seen[-1].model_dump_json().encode())
    assert seen[-1].type == "response.failed"
    assert seen[-1].response.error is not None
    assert seen[-1].response.error.code == "server_error"


async def test_an_error_in_the_middle_of_a_completion(emu: Emulator, sdk: openai.AsyncOpenAI) -> None:
    emu.add_fault(Fault(kind=FaultKind.STREAM_ERROR, after_events=2, message="gone"))
    stream = await sdk.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "hello"}], stream=True
    )
    with pytest.raises(openai.APIError, match="gone"):
        async for _ in stream:
            pass
