"""What both of OpenAI's generating APIs refuse in a body: pure checks, so that a proxy's mistakes show up in tests."""

import json
from typing import Any

from headgate_dev.emulator.openai.errors import RefusedError
from headgate_dev.emulator.script import JsonObject


def parse(body: bytes) -> JsonObject:
    """Return ``body`` as a JSON object, else raise RefusedError."""
    try:
        value = json.loads(body)
    except ValueError:
        message = "We could not parse the JSON body of your request. The OpenAI API expects a JSON payload."
        raise RefusedError(400, message) from None
    if not isinstance(value, dict):
        raise RefusedError(400, "The body of your request must be a JSON object.")
    return value


def known_fields(body: JsonObject, fields: frozenset[str]) -> None:
    """Raise RefusedError for a field the API does not have."""
    for name in body:
        if name not in fields:
            raise RefusedError(400, f"Unknown parameter: '{name}'.", code="unknown_parameter", param=name)


def require(body: JsonObject, name: str, kinds: type | tuple[type, ...]) -> Any:
    """Return ``body[name]`` of one of ``kinds``, else raise RefusedError."""
    value = body.get(name)
    if value is None:
        raise missing(name)
    check_kind(value, name, kinds)
    return value


def check_kind(value: object, name: str, kinds: type | tuple[type, ...]) -> None:
    """Raise RefusedError unless ``value``, found at ``name``, is one of ``kinds``; bool is no int."""
    if not isinstance(value, kinds) or (isinstance(value, bool) and kinds is int):
        wanted = " or ".join(kind.__name__ for kind in (kinds if isinstance(kinds, tuple) else (kinds,)))
        raise RefusedError(400, f"Invalid type for '{name}': expected {wanted}.", code="invalid_type", param=name)


def at_least(body: JsonObject, name: str, least: int) -> None:
    """Raise RefusedError when ``body[name]`` is there and is no integer of ``least`` or more."""
    value = body.get(name)
    if value is None:
        return
    check_kind(value, name, int)
    if value < least:
        message = (
            f"Invalid '{name}': integer below minimum value. Expected a value >= {least}, but got {value} instead."
        )
        raise RefusedError(400, message, code="integer_below_min_value", param=name)


def missing(name: str) -> RefusedError:
    """Return the refusal of a body that lacks ``name``."""
    return RefusedError(400, f"Missing required parameter: '{name}'.", code="missing_required_parameter", param=name)


def invalid(message: str, param: str) -> RefusedError:
    """Return the refusal of a value."""
    return RefusedError(400, message, code="invalid_value", param=param)


def check_tools(body: JsonObject, offered: dict[str, JsonObject]) -> None:
    """Raise RefusedError for tools without a type, and for a choice of a function that is not offered."""
    tools = body.get("tools") or []
    check_kind(tools, "tools", list)
    for index, tool in enumerate(tools):
        if not isinstance(tool, dict) or not isinstance(tool.get("type"), str):
            raise missing(f"tools[{index}].type")
    given = body.get("tool_choice")
    if given == "required" and not tools:
        raise invalid("'tool_choice' is only allowed when 'tools' are specified.", "tool_choice")
    if isinstance(given, dict) and given.get("type") == "function":
        name = given.get("function", given).get("name")
        if name not in offered:
            raise invalid(f"Tool choice '{name}' not found in 'tools' parameter.", "tool_choice")


def text_of(content: object) -> str:
    """Return the texts of a message's content joined: a string, or parts of any of the kinds that carry ``text``."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(str(part["text"]) for part in parts if isinstance(part, dict) and "text" in part)
