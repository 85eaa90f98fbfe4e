"""What the last prompt asks the emulated model to do: the small language by which tests and demos steer an answer.

- ``use tool NAME`` or ``use tools A and B`` (parallel), each optionally ``with {json}`` (a list: one input per tool);
  several such phrases in one prompt are turns of an agent loop, one after each round of tool results;
- ``write N words``: a text of N words;
- anything else is echoed.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from headgate_dev.emulator.anthropic.blocks import JsonObject, as_blocks, text_of

_USE = re.compile(r"\buse tools? ([\w-]+(?:(?:, | and )[\w-]+)*)( with (?=[\[{]))?")
_WRITE = re.compile(r"\bwrite (\d+) words\b")
_WORDS = ("head", "gate", "río", "Wasser", "水門", "🌊")


@dataclass(frozen=True)
class ToolCall:
    """One tool the model decides to call."""

    name: str
    input: JsonObject


@dataclass(frozen=True)
class Intent:
    """What the model does in this turn: calls when there are any, else ``text``."""

    text: str
    calls: tuple[ToolCall, ...] = ()


def intent(request: JsonObject) -> Intent:
    """Return what the emulated model does in answer to ``request`` (one that passed the checks)."""
    messages: list[JsonObject] = request["messages"]
    offered = {tool["name"]: tool for tool in request.get("tools", [])}
    choice: JsonObject = request.get("tool_choice") or {"type": "auto"}
    if choice["type"] in {"tool", "any"}:
        name = choice.get("name") or next(iter(offered))
        return Intent("", (ToolCall(name, sample_input(offered[name])),))
    prompt, rounds = _prompt(messages)
    steps = _steps(prompt, offered) if offered and choice["type"] != "none" else []
    if rounds < len(steps):
        calls = steps[rounds][:1] if choice.get("disable_parallel_tool_use") else steps[rounds]
        return Intent("", calls)
    if results := _results(messages):
        return Intent("Tool results: " + " | ".join(results))
    if asked := _WRITE.search(prompt):
        return Intent(" ".join(_WORDS[number % len(_WORDS)] for number in range(int(asked[1]))))
    return Intent(f"You said: {prompt}")


def sample_input(tool: JsonObject) -> JsonObject:
    """Return the smallest input that ``tool``'s schema allows, with characters and numbers that are awkward to split."""
    value = _sample(tool.get("input_schema") or {"type": "object"})
    return value if isinstance(value, dict) else {}


def _prompt(messages: list[JsonObject]) -> tuple[str, int]:
    """Return the person's last prompt and the rounds of tool use since."""
    rounds = 0
    for message in reversed(messages):
        kinds = {block.get("type") for block in as_blocks(message.get("content"))}
        if message.get("role") == "assistant" and "tool_use" in kinds:
            rounds += 1
        elif message.get("role") == "user" and "tool_result" not in kinds:
            texts = [block for block in as_blocks(message["content"]) if block.get("type") == "text"]
            return (str(texts[-1]["text"]) if texts else ""), rounds
    return "", rounds


def _steps(prompt: str, offered: dict[str, JsonObject]) -> list[tuple[ToolCall, ...]]:
    steps = []
    for found in _USE.finditer(prompt):
        names = [name for name in re.split(r", | and ", found[1]) if name in offered]
        given: Any = json.JSONDecoder().raw_decode(prompt, found.end())[0] if found[2] else None
        inputs = given if isinstance(given, list) else [given] * len(names)
        calls = tuple(
            ToolCall(name, sample_input(offered[name]) if value is None else value)
            for name, value in zip(names, inputs, strict=False)
        )
        if calls:
            steps.append(calls)
    return steps


def _results(messages: list[JsonObject]) -> list[str]:
    """Return the tool results of the last user turn; a system turn may follow it (mid-conversation system messages)."""
    last = next((message for message in reversed(messages) if message["role"] != "system"), messages[-1])
    return [
        ("error: " if block.get("is_error") else "") + text_of(block.get("content"))
        for block in as_blocks(last.get("content"))
        if block.get("type") == "tool_result"
    ]


def _sample(schema: JsonObject) -> Any:
    for fixed in ("const", "default"):
        if fixed in schema:
            return schema[fixed]
    if schema.get("enum"):
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            properties = schema.get("properties", {})
            return {name: _sample(properties.get(name, {})) for name in schema.get("required", [])}
        case "array":
            return [_sample(schema.get("items", {})) for _ in range(max(1, schema.get("minItems", 1)))]
        case "integer":
            return int(schema.get("minimum", 1234567))
        case "number":
            return float(schema.get("minimum", 12345.678e-3))
        case "boolean":
            return True
        case _:
            return 'Füße 世界 😀 "quoted" \\ done'
