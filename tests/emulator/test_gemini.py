"""Google's official Python SDK talks to the emulator as to the vendor, and finds its own types in every answer."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import httpx
import pytest
from google import genai
from google.genai import errors, types

from headgate_dev.emulator import Emulator, Fault, FaultKind, TokenState
from headgate_dev.emulator.gemini.vendor import Gemini

from .conftest import API_KEY, OAUTH_TOKEN

MODEL = "gemini-2.5-flash"
SIGNING = "gemini-3-pro-preview"
SCHEMA = {
    "type": "OBJECT",
    "properties": {"city": {"type": "STRING"}, "days": {"type": "INTEGER"}},
    "required": ["city", "days"],
}
TOOLS: Any = [{"functionDeclarations": [{"name": name, "parameters": SCHEMA} for name in ("weather", "news")]}]
LOOP = 'use tools weather and news, then use tool news with {"city": "Zürich", "days": 3}'
SAMPLE = {"city": 'Füße 世界 😀 "quoted" \\ done', "days": 1234567}


@pytest.fixture
async def emu() -> AsyncIterator[Emulator]:
    async with Emulator(vendor=Gemini(), api_keys=[API_KEY], oauth_tokens=[OAUTH_TOKEN]) as emulator:
        yield emulator


@pytest.fixture
async def sdk(emu: Emulator) -> AsyncIterator[genai.client.AsyncClient]:
    async with httpx.AsyncClient() as inner:  # the SDK's other choice, aiohttp, warns of the SDK's own making
        options = types.HttpOptions(base_url=emu.url, httpx_async_client=inner)
        async with genai.Client(api_key=API_KEY, http_options=options).aio as client:
            yield client


@pytest.fixture
async def http(emu: Emulator) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(emu.url, headers={"x-goog-api-key": API_KEY}) as session:
        yield session


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "parts": [{"text": text}]}


REQUESTS: dict[str, dict[str, Any]] = {
    "text": {},
    "system": {"systemInstruction": {"parts": [{"text": "be brief"}]}, "contents": [user("grüß 世界")]},
    "snake case": {"system_instruction": {"parts": [{"text": "x"}]}, "generation_config": {"max_output_tokens": 2}},
    "tool": {"tools": TOOLS, "contents": [user("use tool weather")]},
    "parallel tools": {"tools": TOOLS, "contents": [user("use tools weather and news")]},
    "forced tool": {
        "tools": TOOLS,
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["news"]}},
    },
    "thoughts": {"generationConfig": {"thinkingConfig": {"includeThoughts": True}}},
    "silent thoughts": {"generationConfig": {"thinkingConfig": {"thinkingBudget": 512}}},
    "stop": {"generationConfig": {"stopSequences": ["there"]}},
    "cut off": {"generationConfig": {"maxOutputTokens": 2}, "contents": [user("write 10 words")]},
}


async def post(http: aiohttp.ClientSession, method: str, body: dict[str, Any], model: str = MODEL) -> bytes:
    async with http.post(f"/v1beta/models/{model}:{method}", json=body) as response:
        assert response.status == 200, await response.text()
        return await response.read()


def sse(raw: bytes) -> list[Any]:
    return [json.loads(part.removeprefix(b"data: ")) for part in raw.removesuffix(b"\r\n\r\n").split(b"\r\n\r\n")]


def joined(responses: list[dict[str, Any]]) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    for response in responses:
        for part in response["candidates"][0]["content"]["parts"]:
            if parts and "text" in part and "text" in parts[-1] and parts[-1].get("thought") == part.get("thought"):
                parts[-1] = {**parts[-1], "text": parts[-1]["text"] + part["text"]}
            else:
                parts.append(part)
    return json.loads(json.dumps(parts).replace("000002", "000001").replace("000003", "000001"))  # type: ignore[no-any-return]


@pytest.mark.parametrize("case", REQUESTS)
@pytest.mark.parametrize("model", [MODEL, SIGNING])
async def test_an_answer_and_its_streams_are_the_sdks_types_and_add_up(
    http: aiohttp.ClientSession, case: str, model: str
) -> None:
    body = {"contents": [user("hello there")], **REQUESTS[case]}
    whole = json.loads(await post(http, "generateContent", body, model))
    events = sse(await post(http, "streamGenerateContent?alt=sse", body, model))
    array = json.loads(await post(http, "streamGenerateContent", body, model))
    for response in [whole, *events, *array]:
        types.GenerateContentResponse.model_validate_json(
            json.dumps(response), strict=False
        )  # extra fields are forbidden
    assert joined(events) == joined(array) == whole["candidates"][0]["content"]["parts"]
    for streamed in (events, array):
        assert streamed[-1]["usageMetadata"] == whole["usageMetadata"]
        assert streamed[-1]["candidates"][0]["finishReason"] == whole["candidates"][0]["finishReason"]
        assert all("finishReason" not in response["candidates"][0] for response in streamed[:-1])
    usage = whole["usageMetadata"]
    parts = ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount")
    assert usage["totalTokenCount"] == sum(usage.get(name, 0) for name in parts)


@pytest.mark.parametrize("model", [MODEL, SIGNING])
async def test_an_agent_loop_with_parallel_tools_over_two_rounds(sdk: genai.client.AsyncClient, model: str) -> None:
    config = types.GenerateContentConfig(
        tools=TOOLS, automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True)
    )
    contents: Any = [types.Content(role="user", parts=[types.Part(text=LOOP)])]
    rounds = []
    for _ in range(3):
        parts: list[types.Part] = []
        async for response in await sdk.models.generate_content_stream(model=model, contents=contents, config=config):
            assert response.candidates is not None
            content = response.candidates[0].content
            assert content is not None
            parts += content.parts or []
        calls = [part.function_call for part in parts if part.function_call is not None]
        if not calls:
            break
        rounds.append([(call.name, call.args) for call in calls])
        answers = [
            types.Part(
                function_response=types.FunctionResponse(
                    id=call.id, name=call.name, response={"result": f"{call.name} is fine"}
                )
            )
            for call in calls
        ]
        contents += [types.Content(role="model", parts=parts), types.Content(role="user", parts=answers)]
    assert rounds == [[("weather", SAMPLE), ("news", SAMPLE)], [("news", {"city": "Zürich", "days": 3})]]
    assert "".join(part.text or "" for part in parts) == "Tool results: news is fine"


async def test_counting_and_models(sdk: genai.client.AsyncClient, http: aiohttp.ClientSession) -> None:
    counted = await sdk.models.count_tokens(model=MODEL, contents="hello")
    answered = await sdk.models.generate_content(model=MODEL, contents="hello")
    assert answered.text == "You said: hello"
    assert answered.usage_metadata is not None
    assert counted.total_tokens == answered.usage_metadata.prompt_token_count
    listed = [model.name async for model in await sdk.models.list(config={"page_size": 2})]
    assert f"models/{MODEL}" in listed
    assert len(set(listed)) == len(listed) > 2
    assert (await sdk.models.get(model=MODEL)).input_token_limit == 1_048_576
    with pytest.raises(errors.ClientError, match="NOT_FOUND"):
        await sdk.models.get(model="gemini-unheard-of")
    wrapped = {"generateContentRequest": {"model": f"models/{MODEL}", "contents": [user("hello")]}}
    assert json.loads(await post(http, "countTokens", wrapped))["totalTokens"] == counted.total_tokens


async def test_a_long_prompt_is_cached_without_being_asked(sdk: genai.client.AsyncClient) -> None:
    async def cached(system: str) -> int | None:
        config = types.GenerateContentConfig(system_instruction=system * 2000)
        usage = (await sdk.models.generate_content(model=MODEL, contents="hello", config=config)).usage_metadata
        assert usage is not None
        return usage.cached_content_token_count

    assert await cached("stable ") is None
    assert (await cached("stable ") or 0) > 1024
    assert await cached("Stable ") is None


@pytest.mark.parametrize(
    ("headers", "status", "reason"),
    [
        ({}, 403, None),
        ({"x-goog-api-key": "unknown"}, 400, "API_KEY_INVALID"),
        ({"authorization": "Bearer unknown"}, 401, "ACCESS_TOKEN_TYPE_UNSUPPORTED"),
        ({"authorization": f"Bearer {API_KEY}"}, 401, "ACCESS_TOKEN_TYPE_UNSUPPORTED"),
        ({"authorization": f"Bearer {OAUTH_TOKEN}", "x-goog-api-key": API_KEY}, 400, None),
    ],
)
async def test_who_is_not_let_in(emu: Emulator, headers: dict[str, str], status: int, reason: str | None) -> None:
    async with aiohttp.request("GET", f"{emu.url}/v1beta/models", headers=headers) as answer:
        assert answer.status == status
        error = (await answer.json())["error"]
    assert error["code"] == status
    assert [detail["reason"] for detail in error.get("details", [])] == ([reason] if reason else [])


async def test_a_token_and_a_key_in_the_query_are_let_in(emu: Emulator) -> None:
    headers = {"authorization": f"Bearer {OAUTH_TOKEN}", "x-goog-user-project": "some-project"}
    async with aiohttp.request("GET", f"{emu.url}/v1beta/models", headers=headers) as answer:
        assert answer.status == 200
    assert (emu.requests[-1].credential_kind, emu.requests[-1].credential) == ("oauth", OAUTH_TOKEN)
    async with aiohttp.request("GET", f"{emu.url}/v1beta/models?key={API_KEY}") as answer:
        assert answer.status == 200
    assert (emu.requests[-1].credential_kind, emu.requests[-1].credential) == ("api_key", API_KEY)


@pytest.mark.parametrize(
    ("state", "reason"),
    [(TokenState.EXPIRED, "ACCESS_TOKEN_EXPIRED"), (TokenState.REVOKED, "ACCESS_TOKEN_TYPE_UNSUPPORTED")],
)
async def test_tokens_that_no_longer_work(emu: Emulator, state: TokenState, reason: str) -> None:
    emu.oauth_tokens[OAUTH_TOKEN] = state
    headers = {"authorization": f"Bearer {OAUTH_TOKEN}"}
    async with aiohttp.request("GET", f"{emu.url}/v1beta/models", headers=headers) as answer:
        assert answer.status == 401
        error = (await answer.json())["error"]
    assert (error["status"], error["details"][0]["reason"]) == ("UNAUTHENTICATED", reason)


CALLED = {"role": "model", "parts": [{"functionCall": {"name": "weather", "args": {}}}]}
ANSWERED = {"role": "user", "parts": [{"functionResponse": {"name": "weather", "response": {"result": "fine"}}}]}


@pytest.mark.parametrize(
    ("model", "change", "says"),
    [
        (MODEL, {"surprise": 1}, 'Unknown name "surprise"'),
        (MODEL, {"contents": []}, "contents is not specified"),
        (MODEL, {"contents": [{"role": "robot", "parts": [{"text": "x"}]}]}, "valid role"),
        (MODEL, {"contents": [{"role": "user", "parts": []}]}, "parts must not be empty"),
        (MODEL, {"contents": [user("hello"), ANSWERED]}, "number of function response parts"),
        (MODEL, {"contents": [user("hello"), CALLED, user("hello")]}, "number of function response parts"),
        (MODEL, {"tools": [{"functionDeclarations": [{"name": "not good"}]}]}, "Invalid function name"),
        (SIGNING, {"contents": [user("hello"), CALLED, ANSWERED]}, "missing a thought_signature"),
    ],
)
async def test_bad_bodies(http: aiohttp.ClientSession, model: str, change: dict[str, Any], says: str) -> None:
    async with http.post(
        f"/v1beta/models/{model}:generateContent", json={"contents": [user("hello")]} | change
    ) as answer:
        assert answer.status == 400
        error = (await answer.json())["error"]
    assert error["status"] == "INVALID_ARGUMENT"
    assert says in error["message"]


@pytest.mark.parametrize(
    "path", ["/v1beta/models/gemini-2.5-flash:dance", "/v1beta/other", "/v1beta/models/x:countTokens"]
)
async def test_what_is_not_there(http: aiohttp.ClientSession, path: str) -> None:
    async with http.post(path, json={"contents": [user("hello")]}) as answer:
        assert (answer.status, (await answer.json())["error"]["status"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("kind", "error", "code"),
    [
        (FaultKind.UNAUTHORIZED, errors.ClientError, 400),
        (FaultKind.OAUTH_EXPIRED, errors.ClientError, 401),
        (FaultKind.OAUTH_REVOKED, errors.ClientError, 401),
        (FaultKind.OAUTH_UNSUPPORTED, errors.ClientError, 403),
        (FaultKind.SUSPENDED, errors.ClientError, 403),
        (FaultKind.RATE_LIMITED, errors.ClientError, 429),
        (FaultKind.QUOTA_EXHAUSTED, errors.ClientError, 429),
        (FaultKind.OVERLOADED, errors.ServerError, 503),
        (FaultKind.SERVER_ERROR, errors.ServerError, 500),
        (FaultKind.BAD_GATEWAY, errors.ServerError, 502),
    ],
)
async def test_faults_raise_the_sdks_exceptions(
    emu: Emulator, sdk: genai.client.AsyncClient, kind: FaultKind, error: type[errors.APIError], code: int
) -> None:
    emu.add_fault(Fault(kind=kind))
    with pytest.raises(error) as caught:
        await sdk.models.generate_content(model=MODEL, contents="hello")
    assert caught.value.code == code
    await sdk.models.generate_content(model=MODEL, contents="hello")


async def test_a_rate_limit_says_until_when_and_a_days_quota_does_not(
    emu: Emulator, http: aiohttp.ClientSession
) -> None:
    async def details(kind: FaultKind) -> dict[str, Any]:
        emu.add_fault(Fault(kind=kind, seconds=34.5))
        async with http.post(f"/v1beta/models/{MODEL}:generateContent", json={}) as answer:
            error = (await answer.json())["error"]
        assert (error["code"], error["status"]) == (429, "RESOURCE_EXHAUSTED")
        return {detail["@type"].rpartition(".")[2]: detail for detail in error["details"]}

    limited = await details(FaultKind.RATE_LIMITED)
    assert limited["RetryInfo"]["retryDelay"] == "34.5s"
    assert "PerMinute" in limited["QuotaFailure"]["violations"][0]["quotaId"]
    exhausted = await details(FaultKind.QUOTA_EXHAUSTED)
    assert set(exhausted) == {"QuotaFailure"}


async def test_an_error_in_the_middle_of_a_stream(emu: Emulator, sdk: genai.client.AsyncClient) -> None:
    emu.add_fault(Fault(kind=FaultKind.STREAM_ERROR, after_events=2))
    words = []
    with pytest.raises(errors.ServerError, match="overloaded"):
        async for response in await sdk.models.generate_content_stream(model=MODEL, contents="hello there"):
            words.append(response.text)
    assert words == ["You ", "said: "]


async def test_an_error_in_the_middle_of_an_array(emu: Emulator, http: aiohttp.ClientSession) -> None:
    emu.add_fault(Fault(kind=FaultKind.STREAM_ERROR, after_events=2, status=500))
    array = json.loads(await post(http, "streamGenerateContent", {"contents": [user("hello there")]}))
    assert [list(each) for each in array[-1:]] == [["error"]]
    assert (len(array), array[-1]["error"]["status"]) == (3, "INTERNAL")
