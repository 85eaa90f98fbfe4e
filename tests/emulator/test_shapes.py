"""The emulator's answers, held strictly against the vendor's own SDK types."""

import json
from typing import Any

import aiohttp
import pytest
from anthropic.types import Message, MessageTokensCount, ModelInfo, RawMessageStreamEvent

from .shapes import checked

MODEL = "claude-sonnet-4-6"
TOOLS = [
    {"name": name, "input_schema": {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}}
    for name in ("search", "fetch")
]
LONG = {"type": "text", "text": "a long shared preamble", "cache_control": {"type": "ephemeral", "ttl": "1h"}}

REQUESTS: dict[str, dict[str, Any]] = {
    "text": {},
    "blocks": {"messages": [{"role": "user", "content": [{"type": "text", "text": "grüß 世界"}]}]},
    "tool": {"tools": TOOLS, "messages": [{"role": "user", "content": "use tool search"}]},
    "parallel tools": {"tools": TOOLS, "messages": [{"role": "user", "content": "use tools search and fetch"}]},
    "forced tool": {"tools": TOOLS, "tool_choice": {"type": "any"}},
    "thinking": {"max_tokens": 4000, "thinking": {"type": "enabled", "budget_tokens": 1024}},
    "omitted thinking": {"thinking": {"type": "adaptive", "display": "omitted"}},
    "cached": {"system": [LONG]},
    "stop sequence": {"stop_sequences": ["said"]},
    "max tokens": {"max_tokens": 2, "messages": [{"role": "user", "content": "write 10 words"}]},
}


def body(case: str, **more: Any) -> dict[str, Any]:
    plain = {"model": MODEL, "max_tokens": 500, "messages": [{"role": "user", "content": "hello there"}]}
    return {**plain, **REQUESTS[case], **more}


def sse(raw: bytes) -> list[dict[str, Any]]:
    events = []
    for frame in raw.decode().removesuffix("\n\n").split("\n\n"):
        name, data = frame.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        events.append(event)
    return events


async def post(http: aiohttp.ClientSession, value: dict[str, Any], path: str = "/v1/messages") -> bytes:
    async with http.post(path, json=value) as response:
        assert response.status == 200, await response.text()
        return await response.read()


@pytest.mark.parametrize("case", REQUESTS)
async def test_a_whole_message_is_the_sdks_message(http: aiohttp.ClientSession, case: str) -> None:
    message = checked(Message, await post(http, body(case)))
    assert message.model == MODEL
    assert message.stop_reason is not None


@pytest.mark.parametrize("case", REQUESTS)
async def test_every_stream_event_is_the_sdks_event(http: aiohttp.ClientSession, case: str) -> None:
    events = sse(await post(http, body(case, stream=True)))
    for event in events:
        if event != {"type": "ping"}:
            checked(RawMessageStreamEvent, json.dumps(event).encode())


@pytest.mark.parametrize("case", REQUESTS)
async def test_stream_events_come_in_the_vendors_order(http: aiohttp.ClientSession, case: str) -> None:
    kinds = [event["type"] for event in sse(await post(http, body(case, stream=True)))]
    assert kinds[:3] == ["message_start", "content_block_start", "ping"]
    assert kinds[-2:] == ["message_delta", "message_stop"]
    open_blocks = 0
    for kind in kinds:
        open_blocks += {"content_block_start": 1, "content_block_stop": -1}.get(kind, 0)
        assert open_blocks == (1 if kind == "content_block_delta" else open_blocks)
        assert 0 <= open_blocks <= 1
    assert open_blocks == 0


@pytest.mark.parametrize("case", REQUESTS)
async def test_a_stream_adds_up_to_the_whole_message(http: aiohttp.ClientSession, case: str) -> None:
    whole = json.loads(await post(http, body(case)))
    events = sse(await post(http, body(case, stream=True)))
    blocks: list[dict[str, Any]] = []
    for event in events:
        if event["type"] == "content_block_start":
            blocks.append(dict(event["content_block"], json=""))
        elif event["type"] == "content_block_delta":
            kind, block = event["delta"]["type"], blocks[event["index"]]
            name = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}.get(kind)
            if name:
                block[name] += event["delta"][name]
            else:
                block["json"] += event["delta"]["partial_json"]
    for block in blocks:
        text = block.pop("json")
        if block["type"] == "tool_use":
            block["input"] = json.loads(text)
    unlike = {"id"}
    assert [{k: v for k, v in block.items() if k not in unlike} for block in blocks] == [
        {k: v for k, v in block.items() if k not in unlike} for block in whole["content"]
    ]
    assert events[-2]["delta"]["stop_reason"] == whole["stop_reason"]
    assert events[-2]["usage"]["output_tokens"] == whole["usage"]["output_tokens"]


async def test_tokens_and_models_are_the_sdks_types(http: aiohttp.ClientSession) -> None:
    count = {name: value for name, value in body("tool").items() if name != "max_tokens"}
    counted = checked(MessageTokensCount, await post(http, count, "/v1/messages/count_tokens"))
    assert counted.input_tokens > 0
    async with http.get("/v1/models", params={"limit": 2}) as response:
        page = await response.json()
    assert page["has_more"] is True
    assert [item["id"] for item in page["data"]] == [page["first_id"], page["last_id"]]
    for item in page["data"]:
        checked(ModelInfo, json.dumps(item).encode())
