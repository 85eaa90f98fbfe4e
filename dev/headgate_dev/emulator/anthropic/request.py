"""What the vendor refuses in the body of a Messages request: pure checks, so that a proxy's mistakes show up in tests.

The rules and the ``path: message`` wording follow Anthropic's Messages API reference and its observed answers.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from headgate_dev.emulator.anthropic.blocks import breakpoints, check_content
from headgate_dev.emulator.anthropic.errors import RefusedError
from headgate_dev.emulator.script import JsonObject

_FIELDS = frozenset(
    [
        "model",
        "messages",
        "max_tokens",
        "system",
        "metadata",
        "stop_sequences",
        "stream",
        "temperature",
        "top_k",
        "top_p",
        "tools",
        "tool_choice",
        "thinking",
        "service_tier",
        "container",
        "inference_geo",
        "cache_control",
        "output_config",
        "diagnostics",
        "speed",
        "user_profile_id",
        "workspace_id",
    ]
)
_REMOVED = frozenset({"temperature", "top_p", "top_k"})
"""Gone in API version 2026-10-21 (Anthropic API docs, "Versions")."""
_TOOL_NAME = re.compile(r"^[a-zA-Z0-9_-]{1,128}$")
_MAX_BREAKPOINTS = 4
_MIN_THINKING_BUDGET = 1024


def parse(body: bytes) -> JsonObject:
    """Return ``body`` as a JSON object, else raise RefusedError."""
    try:
        value = json.loads(body)
    except ValueError as error:
        raise RefusedError("invalid_request_error", f"The request body is not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise RefusedError("invalid_request_error", "The request body is not a JSON object")
    return value


def check(request: JsonObject, *, counting: bool, lenient: bool, version: str, max_tokens_limit: int | None) -> None:
    """Raise RefusedError for the first thing the vendor would refuse in ``request``.

    ``counting``: the request is for count_tokens, where max_tokens is not wanted. ``lenient``: betas were named, which
    may bring fields this emulator does not know. ``version`` is the ``anthropic-version``. ``max_tokens_limit`` is the model's.
    """
    if version >= "2026-10-21" and (removed := sorted(_REMOVED & request.keys())):
        raise RefusedError("invalid_request_error", f"{removed[0]}: Extra inputs are not permitted")
    for problem in _problems(request, counting, lenient, max_tokens_limit):
        raise RefusedError("invalid_request_error", problem)


def _problems(request: JsonObject, counting: bool, lenient: bool, limit: int | None) -> Iterator[str]:
    if not isinstance(request.get("model"), str):
        yield _type_problem(request, "model", "string")
    if not counting:
        yield from _max_tokens_problems(request, limit)
    yield from _messages_problems(request)
    if not lenient:
        yield from (f"{name}: Extra inputs are not permitted" for name in request if name not in _FIELDS)
    yield from _sampling_problems(request)
    if "system" in request:
        yield from check_content("system", request["system"], only_text=True)
    yield from _tools_problems(request)
    yield from _thinking_problems(request, counting)
    if (found := len(breakpoints(request))) > _MAX_BREAKPOINTS:
        yield f"A maximum of {_MAX_BREAKPOINTS} blocks with cache_control may be provided. Found {found}."


def _max_tokens_problems(request: JsonObject, limit: int | None) -> Iterator[str]:
    wanted = request.get("max_tokens")
    if not isinstance(wanted, int) or isinstance(wanted, bool):
        yield _type_problem(request, "max_tokens", "integer")
    elif wanted < 1:
        yield "max_tokens: Input should be greater than or equal to 1"
    elif limit is not None and wanted > limit:
        yield (
            f"max_tokens: {wanted} > {limit}, which is the maximum allowed number of output tokens for {request['model']}"
        )


def _messages_problems(request: JsonObject) -> Iterator[str]:
    messages = request.get("messages")
    if not isinstance(messages, list):
        yield _type_problem(request, "messages", "list")
        return
    if not messages:
        yield "messages: at least one message is required"
    awaited: set[str] = set()
    for index, message in enumerate(messages):
        where = f"messages.{index}"
        if not isinstance(message, dict):
            yield f"{where}: Input should be an object"
            return
        if message.get("role") not in {"user", "assistant", "system"}:
            yield f"{where}.role: Input should be 'user' or 'assistant'"
        if "content" not in message:
            yield f"{where}.content: Field required"
            return
        last = index == len(messages) - 1 and message.get("role") == "assistant"
        yield from check_content(f"{where}.content", message["content"], may_be_empty=last)
        if message.get("role") != "system":
            yield from _pairing_problems(where, index, message, awaited)
            awaited = _ids(message, "tool_use", "id")


def _pairing_problems(where: str, index: int, message: JsonObject, awaited: set[str]) -> Iterator[str]:
    results = _ids(message, "tool_result", "tool_use_id")
    if unanswered := sorted(awaited - results):
        yield (
            f"messages.{index - 1}: `tool_use` ids were found without `tool_result` blocks immediately after: "
            f"{', '.join(unanswered)}. Each `tool_use` block must have a corresponding `tool_result` block in the next message."
        )
    if unasked := sorted(results - awaited):
        yield (
            f"{where}.content: unexpected `tool_use_id` found in `tool_result` blocks: {', '.join(unasked)}. Each "
            "`tool_result` block must have a corresponding `tool_use` block in the previous message."
        )


def _ids(message: JsonObject, block_type: str, key: str) -> set[str]:
    content = message.get("content")
    blocks = content if isinstance(content, list) else []
    return {
        str(block[key])
        for block in blocks
        if isinstance(block, dict) and block.get("type") == block_type and key in block
    }


def _sampling_problems(request: JsonObject) -> Iterator[str]:
    if "stream" in request and not isinstance(request["stream"], bool):
        yield "stream: Input should be a valid boolean"
    for name in ("temperature", "top_p"):
        value = request.get(name)
        if value is not None and (not isinstance(value, int | float) or not 0 <= value <= 1):
            yield f"{name}: Input should be a number from 0 to 1"
    sequences = request.get("stop_sequences") or []
    if not isinstance(sequences, list) or not all(isinstance(item, str) for item in sequences):
        yield "stop_sequences: Input should be a valid list of strings"
    elif any(not item.strip() for item in sequences):
        yield "stop_sequences: each stop sequence must contain non-whitespace"
    if not isinstance(request.get("metadata", {}), dict):
        yield "metadata: Input should be an object"


def _tools_problems(request: JsonObject) -> Iterator[str]:
    tools = request.get("tools", [])
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        yield "tools: Input should be a valid list of objects"
        return
    for index, tool in enumerate(tools):
        if not isinstance(tool.get("name"), str) or not _TOOL_NAME.match(tool["name"]):
            yield f"tools.{index}.name: String should match pattern '{_TOOL_NAME.pattern}'"
        is_custom = tool.get("type", "custom") == "custom"
        schema = tool.get("input_schema")
        if is_custom and (not isinstance(schema, dict) or schema.get("type") != "object"):
            yield f"tools.{index}.input_schema.type: Input should be 'object'"
    names = [tool.get("name") for tool in tools]
    if len(set(names)) != len(names):
        yield "tools: Tool names must be unique."
    choice = request.get("tool_choice")
    if choice is None:
        return
    if not isinstance(choice, dict) or choice.get("type") not in {"auto", "any", "tool", "none"}:
        yield "tool_choice.type: Input should be 'auto', 'any', 'tool' or 'none'"
    elif not tools and choice["type"] != "none":
        yield "tool_choice: may only be specified while providing tools"
    elif choice["type"] == "tool" and choice.get("name") not in names:
        yield f"tool_choice.name: Tool '{choice.get('name')}' not found in provided tools"


def _thinking_problems(request: JsonObject, counting: bool) -> Iterator[str]:
    thinking = request.get("thinking")
    if thinking is None:
        return
    if not isinstance(thinking, dict) or thinking.get("type") not in {"enabled", "disabled", "adaptive"}:
        yield "thinking.type: Input should be 'enabled', 'disabled' or 'adaptive'"
        return
    choice: dict[str, Any] = request.get("tool_choice") or {}
    if thinking["type"] != "disabled" and choice.get("type") in {"any", "tool"}:
        yield "Thinking may not be enabled when tool_choice forces tool use."
    if thinking["type"] != "enabled":
        return
    budget = thinking.get("budget_tokens")
    if not isinstance(budget, int) or budget < _MIN_THINKING_BUDGET:
        yield f"thinking.enabled.budget_tokens: Input should be greater than or equal to {_MIN_THINKING_BUDGET}"
    elif not counting and budget >= request["max_tokens"]:
        yield "`max_tokens` must be greater than `thinking.budget_tokens`."


def _type_problem(request: JsonObject, name: str, wanted: str) -> str:
    return f"{name}: Input should be a valid {wanted}" if name in request else f"{name}: Field required"
