"""Server-sent events as a client of Anthropic's API meets them: reading, and whether their order is the promised one."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its ``event:`` field, and its data (None when that is no JSON object)."""

    name: str
    data: dict[str, Any] | None


def parse(text: str) -> list[Event]:
    """Return the events of a whole stream; a last one without its blank line counts as cut, and is left out."""
    found = []
    blocks = text.replace("\r\n", "\n").split("\n\n")
    for block in blocks[:-1]:
        fields = [line.partition(":") for line in block.split("\n") if line and not line.startswith(":")]
        names = [value.strip() for field, _, value in fields if field == "event"]
        data = "\n".join(value.removeprefix(" ") for field, _, value in fields if field == "data")
        if names or data:
            found.append(Event(names[-1] if names else "", _object(data)))
    return found


def _object(data: str) -> dict[str, Any] | None:
    try:
        value = json.loads(data)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def problems(events: Iterable[Event]) -> list[str]:
    """Return what is wrong with a stream: message_start, blocks one after another, message_delta, message_stop."""
    found, open_block, expected, begun = [], None, 0, False
    stage = "message_start"
    for event in events:
        data = event.data
        if data is None or data.get("type") != event.name:
            found.append(f"event {event.name!r} carries data of another type, or none")
            continue
        if event.name == "ping" and begun:
            continue
        if event.name == "error":
            found.append(f"the stream carries an error: {data.get('error', {}).get('type')}")
            continue
        match event.name, stage:
            case "message_start", "message_start":
                stage, begun = "blocks", True
            case "content_block_start", "blocks" if open_block is None and data.get("index") == expected:
                open_block = data["index"]
            case "content_block_delta", "blocks" if open_block is not None and data.get("index") == open_block:
                pass
            case "content_block_stop", "blocks" if open_block is not None and data.get("index") == open_block:
                open_block, expected = None, expected + 1
            case "message_delta", "blocks" | "message_delta" if open_block is None:
                stage = "message_delta"
            case "message_stop", "message_delta":
                stage = "end"
            case _:
                found.append(f"{event.name} (index {data.get('index')}) came where it must not")
    if stage != "end":
        found.append("the stream ended without message_stop")
    return found


def sequence(events: Iterable[Event]) -> list[str]:
    """Return the names of the events, with repetitions counted: ``content_block_delta x7``."""
    runs = [(name, len(list(same))) for name, same in groupby(event.name for event in events)]
    return [name if count == 1 else f"{name} x{count}" for name, count in runs]


def message_of(events: Iterable[Event]) -> dict[str, Any]:
    """Return the message that a stream built up, as the unstreamed answer would have it."""
    message: dict[str, Any] = {}
    blocks: dict[int, dict[str, Any]] = {}
    for event in events:
        data = event.data or {}
        if event.name == "message_start":
            message = dict(data.get("message") or {})
        elif event.name == "content_block_start":
            blocks[data.get("index", 0)] = dict(data.get("content_block") or {})
        elif event.name == "content_block_delta":
            _grow(blocks.setdefault(data.get("index", 0), {}), data.get("delta") or {})
        elif event.name == "message_delta":
            message |= data.get("delta") or {}
            message["usage"] = (message.get("usage") or {}) | (data.get("usage") or {})
    return message | {"content": [_whole(blocks[index]) for index in sorted(blocks)]}


def _grow(block: dict[str, Any], delta: dict[str, Any]) -> None:
    for field in ("text", "thinking", "partial_json"):
        if isinstance(delta.get(field), str):
            block[field] = (block.get(field) or "") + delta[field]


def _whole(block: dict[str, Any]) -> dict[str, Any]:
    """Return a block with its input read; input that is no JSON stays text, which the expectations notice."""
    partial = block.pop("partial_json", None)
    if partial is not None:
        try:
            block["input"] = json.loads(partial)
        except ValueError:
            block["input"] = partial
    return block
