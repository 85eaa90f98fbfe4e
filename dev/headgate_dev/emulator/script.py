"""What the last prompt asks the emulated model to do: the small language by which tests and demos steer an answer.

- ``use tool NAME`` or ``use tools A and B`` (parallel), each optionally ``with {json}`` (a list: one input per tool);
  several such phrases in one prompt are turns of an agent loop, one after each round of tool results;
- ``write N words``: a text of N words;
- anything else is echoed.

It knows no vendor: each vendor's package tells it the conversation as a ``Turn``.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any

JsonObject = dict[str, Any]

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


@dataclass(frozen=True)
class Turn:
    """A conversation as far as it steers the answer.

    ``rounds``: rounds of tool use since ``prompt``, the person's last words. ``results``: what the tools answered in the
    last round. ``offered``: tool name to the JSON schema of its input. ``forced``: the tool that has to be called now.
    """

    prompt: str
    rounds: int = 0
    results: tuple[str, ...] = ()
    offered: dict[str, JsonObject] = field(default_factory=dict)
    forced: str | None = None
    tools_allowed: bool = True
    parallel: bool = True


def intent(turn: Turn) -> Intent:
    """Return what the emulated model does in ``turn``."""
    if turn.forced is not None:
        return Intent("", (ToolCall(turn.forced, sample_input(turn.offered[turn.forced])),))
    steps = _steps(turn.prompt, turn.offered) if turn.offered and turn.tools_allowed else []
    if turn.rounds < len(steps):
        return Intent("", steps[turn.rounds] if turn.parallel else steps[turn.rounds][:1])
    if turn.results:
        return Intent("Tool results: " + " | ".join(turn.results))
    if asked := _WRITE.search(turn.prompt):
        return Intent(" ".join(_WORDS[number % len(_WORDS)] for number in range(int(asked[1]))))
    return Intent(f"You said: {turn.prompt}")


def sample_input(schema: JsonObject) -> JsonObject:
    """Return the smallest input that ``schema`` allows, with characters and numbers that are awkward to split."""
    value = _sample(schema)
    return value if isinstance(value, dict) else {}


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


def _sample(schema: JsonObject) -> Any:
    for fixed in ("const", "default"):
        if fixed in schema:
            return schema[fixed]
    if schema.get("enum"):
        return schema["enum"][0]
    match _kind(schema):
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


def _kind(schema: JsonObject) -> str:
    """Return the schema's type in lower case (Google writes it in capitals), the first of several (strict schemas)."""
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((each for each in kind if each != "null"), None)
    return str(kind).lower()
