"""A reply as the Responses API sends it: one Response object, or the events of a stream."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from headgate_dev.emulator.openai.input_items import sealed
from headgate_dev.emulator.openai.reply import FunctionCall, Reply
from headgate_dev.emulator.pieces import words
from headgate_dev.emulator.prompts import InputUsage
from headgate_dev.emulator.script import JsonObject


@dataclass(frozen=True)
class Outline:
    """What is settled before the model speaks: the request's number, its body, the model, the time."""

    number: int
    body: JsonObject
    model: str
    at: datetime

    @property
    def id(self) -> str:
        """Return the response's id."""
        return f"resp_emulated_{self.number:06d}"

    def item_id(self, kind: str, index: int = 0) -> str:
        """Return the id of an output item: ``rs``, ``msg`` or ``fc``."""
        return f"{kind}_emulated_{self.number:06d}_{index}"

    def response(self, status: str, output: list[JsonObject], **more: Any) -> JsonObject:
        """Return the Response object in ``status``."""
        body = self.body
        given = body.get("reasoning") or {}
        defaults: JsonObject = {
            "id": self.id,
            "object": "response",
            "created_at": int(self.at.timestamp()),
            "status": status,
            "background": False,
            "completed_at": int(self.at.timestamp()) if status == "completed" else None,
            "error": None,
            "incomplete_details": None,
            "instructions": body.get("instructions"),
            "max_output_tokens": body.get("max_output_tokens"),
            "model": self.model,
            "output": output,
            "parallel_tool_calls": body.get("parallel_tool_calls") is not False,
            "previous_response_id": body.get("previous_response_id"),
            "prompt_cache_key": body.get("prompt_cache_key"),
            "reasoning": {"effort": given.get("effort"), "summary": given.get("summary")},
            "service_tier": "default",
            "temperature": body.get("temperature", 1.0),
            "text": body.get("text") or {"format": {"type": "text"}},
            "tool_choice": body.get("tool_choice", "auto"),
            "tools": body.get("tools") or [],
            "top_p": body.get("top_p", 1.0),
            "truncation": body.get("truncation", "disabled"),
            "usage": None,
            "metadata": body.get("metadata") or {},
        }
        return defaults | more


def whole(outline: Outline, reply: Reply, usage: InputUsage) -> JsonObject:
    """Return the finished Response."""
    output = [each.item for each in _produced(outline, reply)]
    counts = {
        "input_tokens": usage.total,
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": 0},
        "output_tokens": reply.output_tokens,
        "output_tokens_details": {"reasoning_tokens": reply.reasoning_tokens},
        "total_tokens": usage.total + reply.output_tokens,
    }
    if not reply.cut_off:
        return outline.response("completed", output, usage=counts)
    return outline.response("incomplete", output, usage=counts, incomplete_details={"reason": "max_output_tokens"})


def events(outline: Outline, reply: Reply, usage: InputUsage) -> Iterator[JsonObject]:
    """Yield the events of a stream in the vendor's order, numbered."""
    for number, event in enumerate(_unnumbered(outline, reply, usage)):
        yield {"type": event["type"], "sequence_number": number, **event}


def failed(outline: Outline, sequence_number: int, code: str, message: str) -> JsonObject:
    """Return the event that ends a stream for good."""
    response = outline.response("failed", [], error={"code": code, "message": message})
    return {"type": "response.failed", "sequence_number": sequence_number, "response": response}


def _unnumbered(outline: Outline, reply: Reply, usage: InputUsage) -> Iterator[JsonObject]:
    yield {"type": "response.created", "response": outline.response("in_progress", [])}
    yield {"type": "response.in_progress", "response": outline.response("in_progress", [])}
    for index, each in enumerate(_produced(outline, reply)):
        yield {"type": "response.output_item.added", "output_index": index, "item": each.opening}
        for event in each.between:
            yield {**event, "item_id": each.item["id"], "output_index": index}
        yield {"type": "response.output_item.done", "output_index": index, "item": each.item}
    ending = whole(outline, reply, usage)
    yield {"type": f"response.{ending['status']}", "response": ending}


@dataclass(frozen=True)
class _Produced:
    """One output item: as a whole, as a stream announces it, and the events between the two."""

    item: JsonObject
    opening: JsonObject
    between: list[JsonObject] = field(default_factory=list)


def _produced(outline: Outline, reply: Reply) -> list[_Produced]:
    produced = [_reasoning(outline, reply.thought)] if reply.thought else []
    if reply.calls:
        return produced + [_call(outline.item_id("fc", index), call) for index, call in enumerate(reply.calls)]
    return [*produced, _message(outline.item_id("msg"), reply)]


def _reasoning(outline: Outline, thought: str) -> _Produced:
    """Return the reasoning item: its summary only when asked for, its sealed content only when included."""
    head: JsonObject = {"id": outline.item_id("rs"), "type": "reasoning"}
    if "reasoning.encrypted_content" in (outline.body.get("include") or ()):
        head["encrypted_content"] = sealed(thought)
    if not (outline.body.get("reasoning") or {}).get("summary"):
        return _Produced({**head, "summary": []}, {**head, "summary": []})
    part = {"type": "summary_text", "text": thought}
    at = {"summary_index": 0}
    between: list[JsonObject] = [
        {"type": "response.reasoning_summary_part.added", **at, "part": {**part, "text": ""}},
        *({"type": "response.reasoning_summary_text.delta", **at, "delta": word} for word in words(thought)),
        {"type": "response.reasoning_summary_text.done", **at, "text": thought},
        {"type": "response.reasoning_summary_part.done", **at, "part": part},
    ]
    return _Produced({**head, "summary": [part]}, {**head, "summary": []}, between)


def _message(item_id: str, reply: Reply) -> _Produced:
    head: JsonObject = {"id": item_id, "type": "message", "role": "assistant"}
    part: JsonObject = {"type": "output_text", "annotations": [], "logprobs": [], "text": reply.text}
    at = {"content_index": 0}
    between: list[JsonObject] = [
        {"type": "response.content_part.added", **at, "part": {**part, "text": ""}},
        *({"type": "response.output_text.delta", **at, "delta": word, "logprobs": []} for word in words(reply.text)),
        {"type": "response.output_text.done", **at, "text": reply.text, "logprobs": []},
        {"type": "response.content_part.done", **at, "part": part},
    ]
    status = "incomplete" if reply.cut_off else "completed"
    return _Produced(
        {**head, "status": status, "content": [part]}, {**head, "status": "in_progress", "content": []}, between
    )


def _call(item_id: str, call: FunctionCall) -> _Produced:
    head: JsonObject = {"id": item_id, "type": "function_call", "call_id": call.id, "name": call.name}
    between: list[JsonObject] = [
        *({"type": "response.function_call_arguments.delta", "delta": piece} for piece in call.pieces),
        {"type": "response.function_call_arguments.done", "arguments": call.arguments},
    ]
    return _Produced(
        {**head, "status": "completed", "arguments": call.arguments},
        {**head, "status": "in_progress", "arguments": ""},
        between,
    )
