"""Chat completions: what is refused in the messages, the turn they make, and the two forms of the answer."""

from collections.abc import Iterator
from typing import Any

from headgate_dev.emulator.openai.checks import check_kind, check_tools, invalid, missing, require, text_of
from headgate_dev.emulator.openai.reply import FunctionCall, Reply, choice, function_tools
from headgate_dev.emulator.openai.response import Outline
from headgate_dev.emulator.pieces import words
from headgate_dev.emulator.prompts import InputUsage
from headgate_dev.emulator.script import JsonObject, Turn
from headgate_dev.emulator.sse import compact_json

_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
DONE = b"data: [DONE]\n\n"
"""What ends a stream of chunks."""


def turn(body: JsonObject) -> Turn:
    """Return what steers the answer to ``body``. Raises RefusedError for what the vendor refuses in messages and tools."""
    messages = _messages(body)
    offered = function_tools(body.get("tools"))
    check_tools(body, offered)
    forced, allowed = choice(body.get("tool_choice"), offered)
    last = next((at for at in reversed(range(len(messages))) if messages[at]["role"] == "user"), -1)
    after = messages[last + 1 :]
    calling = [at for at, message in enumerate(after) if message.get("tool_calls")]
    results = after[calling[-1] + 1 :] if calling else []
    return Turn(
        prompt=text_of(messages[last].get("content")) if last >= 0 else "",
        rounds=len(calling),
        results=tuple(text_of(message.get("content")) for message in results if message["role"] == "tool"),
        offered=offered,
        forced=forced,
        tools_allowed=allowed,
        parallel=body.get("parallel_tool_calls") is not False,
    )


def stops(body: JsonObject) -> tuple[str, ...]:
    """Return the stop sequences of ``body``: a string or a list."""
    given = body.get("stop") or ()
    return (given,) if isinstance(given, str) else tuple(str(each) for each in given)


def whole(outline: Outline, reply: Reply, usage: InputUsage) -> JsonObject:
    """Return the chat completion of an answer that is not streamed."""
    message: JsonObject = {"role": "assistant", "content": reply.text or None, "refusal": None, "annotations": []}
    if reply.calls:
        message["tool_calls"] = [_call(call, call.arguments) for call in reply.calls]
    chosen = {"index": 0, "message": message, "logprobs": None, "finish_reason": _reason(reply)}
    return _head(outline, "chat.completion") | {"choices": [chosen], "usage": _usage(reply, usage)}


def chunks(outline: Outline, reply: Reply, usage: InputUsage) -> Iterator[bytes]:
    """Yield the stream, each part as it is written: chunks, the usage when it was asked for, and the end."""
    counted = bool((outline.body.get("stream_options") or {}).get("include_usage"))
    head = _head(outline, "chat.completion.chunk")
    extra: JsonObject = {"usage": None} if counted else {}

    def chunk(delta: JsonObject, finish_reason: str | None = None) -> bytes:
        chosen = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return _data(head | {"choices": [chosen]} | extra)

    yield chunk({"role": "assistant", "content": None if reply.calls else "", "refusal": None})
    for word in words(reply.text):
        yield chunk({"content": word})
    for index, call in enumerate(reply.calls):
        yield chunk({"tool_calls": [{"index": index, **_call(call, "")}]})
        for piece in call.pieces:
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    yield chunk({}, _reason(reply))
    if counted:
        yield _data(head | {"choices": [], "usage": _usage(reply, usage)})
    yield DONE


def error(message: str, code: str | None, type_: str) -> bytes:
    """Return the part that breaks off a stream."""
    return _data({"error": {"message": message, "type": type_, "param": None, "code": code}})


def _messages(body: JsonObject) -> list[JsonObject]:
    messages: list[JsonObject] = require(body, "messages", list)
    if not messages:
        raise invalid("Invalid 'messages': empty array. Expected an array with minimum length 1.", "messages")
    awaited: set[str] = set()
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        check_kind(message, where, dict)
        role = message.get("role")
        if role not in _ROLES:
            raise invalid(f"Invalid value: '{role}'.", f"{where}.role")
        if role == "tool":
            if message.get("tool_call_id") not in awaited:
                raise invalid(
                    "Invalid parameter: messages with role 'tool' must be a response to a preceeding message "
                    "with 'tool_calls'.",
                    f"{where}.role",
                )
            awaited.discard(message["tool_call_id"])
            continue
        _check_answered(awaited)
        awaited = {str(call.get("id")) for call in message.get("tool_calls") or ()}
        if message.get("content") is None and not awaited:
            raise missing(f"{where}.content")
    _check_answered(awaited)
    return messages


def _check_answered(awaited: set[str]) -> None:
    if awaited:
        raise invalid(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
            f"The following tool_call_ids did not have response messages: {', '.join(sorted(awaited))}",
            "messages",
        )


def _head(outline: Outline, kind: str) -> JsonObject:
    return {
        "id": f"chatcmpl-emulated-{outline.number:06d}",
        "object": kind,
        "created": int(outline.at.timestamp()),
        "model": outline.model,
        "service_tier": "default",
        "system_fingerprint": None,
    }


def _call(call: FunctionCall, arguments: str) -> JsonObject:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _reason(reply: Reply) -> str:
    if reply.calls:
        return "tool_calls"
    return "length" if reply.cut_off else "stop"


def _usage(reply: Reply, usage: InputUsage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.total,
        "completion_tokens": reply.output_tokens,
        "total_tokens": usage.total + reply.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": reply.reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _data(value: JsonObject) -> bytes:
    return b"data: " + compact_json(value) + b"\n\n"
