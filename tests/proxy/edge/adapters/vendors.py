"""Each adapter as its clients use it: the vendor's own SDK through the gate, and what the emulated vendor says in it."""

import json
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anthropic
import httpx
import openai
from google import genai
from google.genai import types

from headgate_dev.emulator.anthropic.vendor import Anthropic
from headgate_dev.emulator.gemini.vendor import Gemini
from headgate_dev.emulator.openai.vendor import OpenAI
from headgate_dev.emulator.vendor import Vendor

API_KEY = "emulated-api-key"
OAUTH = "emulated-oauth-token"
ACCOUNT_ID = "emulated-account"
SCHEMA: Any = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
}
TOOLS = ("weather", "news")
USE = "use tools weather and news"
SAMPLE = {"city": 'Füße 世界 😀 "quoted" \\ done', "days": 1234567}
"""What the emulated model gives a tool: awkward to split into pieces."""

Said = tuple[str, list[tuple[str, dict[str, Any]]]]
"""The text of an answer, and the tools it calls with their input."""
Ask = Callable[[Any, str, bool], Coroutine[Any, Any, Said]]
"""Ask with a prompt through a gate, with tools or without."""


@dataclass(frozen=True)
class Adapter:
    """One adapter: ``modes`` in their order, ``asks`` by kind of request; ``spec`` is the provider's, ``{emu}`` the vendor."""

    name: str
    vendor: Callable[[], Vendor]
    modes: tuple[str, ...]
    spec: Mapping[str, Any]
    asks: Mapping[str, Ask]
    subscription: Mapping[str, Any]

    def __str__(self) -> str:
        return self.name


def _said(text: str, calls: list[tuple[str, Any]]) -> Said:
    return text, [(name, json.loads(given) if isinstance(given, str) else given) for name, given in calls]


# -- Anthropic ---------------------------------------------------------------------------------------------------------------

_CLAUDE: Any = {"model": "claude-sonnet-5-5", "max_tokens": 200}
_CLAUDE_TOOLS: Any = [{"name": name, "input_schema": SCHEMA} for name in TOOLS]


def _messages(prompt: str, tools: bool) -> Any:
    return _CLAUDE | {"messages": [{"role": "user", "content": prompt}]} | ({"tools": _CLAUDE_TOOLS} if tools else {})


def _of_message(message: anthropic.types.Message) -> Said:
    text = "".join(block.text for block in message.content if block.type == "text")
    return _said(text, [(block.name, block.input) for block in message.content if block.type == "tool_use"])


async def _claude(gate: Any, prompt: str, tools: bool) -> Said:
    async with gate.sdk() as sdk:
        return _of_message(await sdk.messages.create(**_messages(prompt, tools)))


async def _claude_streamed(gate: Any, prompt: str, tools: bool) -> Said:
    async with gate.sdk() as sdk, sdk.messages.stream(**_messages(prompt, tools)) as stream:
        return _of_message(await stream.get_final_message())


# -- OpenAI ------------------------------------------------------------------------------------------------------------------

GPT = "gpt-5.5"
_NESTED: Any = [{"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in TOOLS]
_FLAT: Any = [{"type": "function", "name": name, "parameters": SCHEMA, "strict": False} for name in TOOLS]


def openai_sdk(gate: Any, base: str = "/v1") -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(api_key=gate.cluster.token(), base_url=gate.url + base, max_retries=0)


def _chat(prompt: str, tools: bool) -> Any:
    asked: Any = {"model": GPT, "messages": [{"role": "user", "content": prompt}]}
    return asked | ({"tools": _NESTED} if tools else {})


async def _completion(gate: Any, prompt: str, tools: bool) -> Said:
    async with openai_sdk(gate) as sdk:
        message = (await sdk.chat.completions.create(**_chat(prompt, tools))).choices[0].message
    return _said(message.content or "", [(c.function.name, c.function.arguments) for c in message.tool_calls or ()])


async def _completion_streamed(gate: Any, prompt: str, tools: bool) -> Said:
    text = ""
    calls: dict[int, tuple[str, str]] = {}
    async with openai_sdk(gate, "/openai/v1") as sdk:
        stream = await sdk.chat.completions.create(
            **_chat(prompt, tools), stream=True, stream_options={"include_usage": True}
        )
        async for chunk in stream:
            for choice in chunk.choices:
                text += choice.delta.content or ""
                for call in choice.delta.tool_calls or ():
                    name, given = calls.get(call.index, ("", ""))
                    calls[call.index] = (name + (call.function.name or ""), given + (call.function.arguments or ""))
    return _said(text, list(calls.values()))


def _of_response(response: Any) -> Said:
    return _said(response.output_text, [(i.name, i.arguments) for i in response.output if i.type == "function_call"])


def _response(prompt: str, tools: bool) -> Any:
    return {"model": GPT, "input": prompt} | ({"tools": _FLAT} if tools else {})


async def _responses(gate: Any, prompt: str, tools: bool) -> Said:
    async with openai_sdk(gate) as sdk:
        return _of_response(await sdk.responses.create(**_response(prompt, tools)))


async def _responses_streamed(gate: Any, prompt: str, tools: bool) -> Said:
    async with openai_sdk(gate) as sdk, sdk.responses.stream(**_response(prompt, tools)) as stream:
        return _of_response(await stream.get_final_response())


async def _codex(gate: Any, prompt: str, tools: bool) -> Said:
    """Ask as Codex does: by stream, nothing stored, the system text as instructions."""
    said: Said | None = None
    asked: Any = _response(prompt, tools) | {
        "input": [{"role": "user", "content": prompt}],
        "instructions": "be brief",
        "store": False,
        "stream": True,
    }
    async with openai_sdk(gate, "/backend-api/codex") as sdk:
        async for event in await sdk.responses.create(**asked):
            if event.type == "response.completed":
                said = _of_response(event.response)
    assert said is not None
    return said


# -- Gemini ------------------------------------------------------------------------------------------------------------------

GEMINI = "gemini-2.5-flash"
_DECLARED: Any = [{"function_declarations": [{"name": name, "parameters_json_schema": SCHEMA} for name in TOOLS]}]


@asynccontextmanager
async def gemini_sdk(gate: Any) -> AsyncIterator[genai.client.AsyncClient]:
    async with httpx.AsyncClient() as inner:  # the SDK's other choice, aiohttp, warns of the SDK's own making
        options = types.HttpOptions(base_url=gate.url, httpx_async_client=inner)
        async with genai.Client(api_key=gate.cluster.token(), http_options=options).aio as sdk:
            yield sdk


def _contents(prompt: str, tools: bool) -> Any:
    no_loop: Any = {"automatic_function_calling": {"disable": True}}
    return {"model": GEMINI, "contents": prompt, "config": no_loop | ({"tools": _DECLARED} if tools else {})}


def _parts(response: Any) -> Any:
    return response.candidates[0].content.parts


def _of_parts(parts: Any) -> Said:
    text = "".join(part.text or "" for part in parts if not part.thought)
    return _said(text, [(part.function_call.name, part.function_call.args) for part in parts if part.function_call])


async def _generate(gate: Any, prompt: str, tools: bool) -> Said:
    async with gemini_sdk(gate) as sdk:
        response = await sdk.models.generate_content(**_contents(prompt, tools))
    return _of_parts(_parts(response))


async def _generate_streamed(gate: Any, prompt: str, tools: bool) -> Said:
    parts: list[Any] = []
    async with gemini_sdk(gate) as sdk:
        async for piece in await sdk.models.generate_content_stream(**_contents(prompt, tools)):
            parts += _parts(piece)
    return _of_parts(parts)


ADAPTERS = (
    Adapter(
        "anthropic-key",
        Anthropic,
        ("APIKey",),
        {"protocol": "Anthropic", "models": [{"name": "claude-sonnet-5-5"}]},
        {"plain": _claude, "streamed": _claude_streamed},
        {},
    ),
    Adapter(
        "anthropic-plan",
        Anthropic,
        ("Subscription", "APIKey"),
        {"protocol": "Anthropic", "models": [{"name": "claude-sonnet-5-5"}]},
        {"plain": _claude, "streamed": _claude_streamed},
        {},
    ),
    Adapter(
        "openai-chat",
        OpenAI,
        ("APIKey",),
        {"protocol": "OpenAI", "models": [{"name": GPT}]},
        {"plain": _completion, "streamed": _completion_streamed},
        {},
    ),
    Adapter(
        "openai-responses",
        OpenAI,
        ("APIKey",),
        {"protocol": "OpenAI", "models": [{"name": GPT}]},
        {"plain": _responses, "streamed": _responses_streamed},
        {},
    ),
    Adapter(
        "codex",
        OpenAI,
        ("Subscription", "APIKey"),
        {"protocol": "OpenAI", "apis": ["Responses", "Codex"], "models": [{"name": GPT}]},
        {"streamed": _codex},
        {"endpoint": "{emu}/backend-api"},
    ),
    Adapter(
        "gemini-key",
        Gemini,
        ("APIKey",),
        {"protocol": "Gemini", "models": [{"name": GEMINI}]},
        {"plain": _generate, "streamed": _generate_streamed},
        {},
    ),
    Adapter(
        "gemini-plan",
        Gemini,
        ("Subscription", "APIKey"),
        {"protocol": "Gemini", "models": [{"name": GEMINI}]},
        {"plain": _generate, "streamed": _generate_streamed},
        {},
    ),
)
KINDS = [(adapter, kind) for adapter in ADAPTERS for kind in adapter.asks]
"""Every adapter with every way to ask it; the plan's backend of OpenAI answers by stream alone."""
