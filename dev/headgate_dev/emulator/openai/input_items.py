"""The input of the Responses API: its items, what is refused in them, and the turn they make."""

import base64
from typing import Any

from headgate_dev.emulator.openai.checks import check_kind, check_tools, invalid, missing, require, text_of
from headgate_dev.emulator.openai.errors import RefusedError
from headgate_dev.emulator.openai.reply import choice, function_tools
from headgate_dev.emulator.script import JsonObject, Turn

_ROLES = frozenset({"user", "assistant", "system", "developer"})
_CALLS = frozenset({"function_call", "custom_tool_call", "local_shell_call"})
_OUTPUTS = frozenset({"function_call_output", "custom_tool_call_output", "local_shell_call_output"})
_SEAL = "emulated reasoning: "


def items(body: JsonObject) -> list[JsonObject]:
    """Return the items of ``body["input"]``; a string is one message. Raises RefusedError."""
    given = require(body, "input", (str, list))
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": given}]
    for index, item in enumerate(given):
        if not isinstance(item, dict):
            raise invalid("Invalid value: expected an object.", f"input[{index}]")
    return [{"type": "message", **item} if "role" in item else item for item in given]


def check(whole: list[JsonObject]) -> None:
    """Raise RefusedError for what the API refuses in the conversation ``whole``."""
    if not whole:
        raise invalid("Invalid 'input': empty array.", "input")
    asked: dict[str, bool] = {}
    for index, item in enumerate(whole):
        where = f"input[{index}]"
        kind = item.get("type")
        if kind == "message":
            if item.get("role") not in _ROLES:
                raise invalid(f"Invalid value: '{item.get('role')}'.", f"{where}.role")
            check_kind(item.get("content"), f"{where}.content", (str, list))
        elif kind in _CALLS:
            asked[_call_id(item, where)] = False
        elif kind in _OUTPUTS:
            call_id = _call_id(item, where)
            if call_id not in asked:
                raise RefusedError(
                    400, f"No tool call found for function call output with call_id {call_id}.", param="input"
                )
            asked[call_id] = True
        elif kind == "reasoning":
            _check_sealed(item)
        elif not isinstance(kind, str):
            raise missing(f"{where}.type")
    if unanswered := sorted(call_id for call_id, answered in asked.items() if not answered):
        raise RefusedError(400, f"No tool output found for function call {unanswered[0]}.", param="input")


def turn(body: JsonObject, whole: list[JsonObject]) -> Turn:
    """Return what steers the answer to ``body`` after the conversation ``whole``. Raises RefusedError for bad tools."""
    offered = function_tools(body.get("tools"))
    check_tools(body, offered)
    forced, allowed = choice(body.get("tool_choice"), offered)
    last = next((at for at in reversed(range(len(whole))) if whole[at].get("role") == "user"), None)
    after = whole[last + 1 :] if last is not None else whole
    return Turn(
        prompt=text_of(whole[last].get("content")) if last is not None else "",
        rounds=_rounds(after),
        results=_results(after),
        offered=offered,
        forced=forced,
        tools_allowed=allowed,
        parallel=body.get("parallel_tool_calls") is not False,
    )


def sealed(thought: str) -> str:
    """Return the encrypted content of a reasoning item, which a client may hand back unchanged."""
    return base64.b64encode((_SEAL + thought).encode()).decode()


def _check_sealed(item: JsonObject) -> None:
    """Raise RefusedError for sealed thoughts that are not this vendor's; clients may drop the item's id (Codex does)."""
    content = item.get("encrypted_content")
    if content is None:
        return
    try:
        genuine = base64.b64decode(str(content), validate=True).startswith(_SEAL.encode())
    except ValueError:
        genuine = False
    if not genuine:
        message = (
            "The encrypted content could not be verified. Reason: Encrypted content could not be decrypted or parsed."
        )
        raise RefusedError(400, message, code="invalid_encrypted_content")


def _call_id(item: JsonObject, where: str) -> str:
    if not isinstance(item.get("call_id"), str):
        raise missing(f"{where}.call_id")
    return str(item["call_id"])


def _rounds(after: list[JsonObject]) -> int:
    """Return the rounds of tool use: runs of calls that nothing but thinking interrupts."""
    kinds = [item.get("type") for item in after if item.get("type") != "reasoning"]
    return sum(1 for at, kind in enumerate(kinds) if kind in _CALLS and (at == 0 or kinds[at - 1] not in _CALLS))


def _results(after: list[JsonObject]) -> tuple[str, ...]:
    """Return what the tools answered in the last round."""
    results: list[str] = []
    for item in reversed(after):
        if item.get("type") in _CALLS:
            break
        if item.get("type") in _OUTPUTS:
            results.append(_output(item.get("output")))
    return tuple(reversed(results))


def _output(output: Any) -> str:
    return str(output["content"]) if isinstance(output, dict) and "content" in output else text_of(output)
