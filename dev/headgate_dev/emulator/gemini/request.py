"""What the vendor refuses in the body of a generateContent request, and the turn its contents make.

Field names are taken in both spellings of protobuf JSON, camelCase and snake_case; the rules follow the Gemini API reference.
"""

import json
import re
from typing import Any, Final

from headgate_dev.emulator.gemini.errors import RefusedError, field_violation
from headgate_dev.emulator.script import JsonObject, Turn

_FIELDS: Final = frozenset(
    [
        "cachedContent",
        "contents",
        "generationConfig",
        "labels",
        "model",
        "safetySettings",
        "serviceTier",
        "store",
        "systemInstruction",
        "toolConfig",
        "tools",
    ]
)
_FREE: Final = frozenset({"args", "response", "parameters", "parametersJsonSchema", "properties", "defs", "$defs"})
"""Fields whose value is the caller's own, in which no name is translated."""
SIGNATURE: Final = "c2lnbmVkIGVtdWxhdGVkIHRob3VnaHQ="
"""The signature this vendor puts on what it thought, and wants to get back unchanged."""


def parse(body: bytes) -> JsonObject:
    """Return ``body`` as a JSON object with camelCase names, else raise RefusedError."""
    try:
        value = json.loads(body)
    except ValueError:
        raise RefusedError("INVALID_ARGUMENT", "Invalid JSON payload received. Expected a value.") from None
    if not isinstance(value, dict):
        raise RefusedError("INVALID_ARGUMENT", "Invalid JSON payload received. Root element must be a message.")
    return _camel(value)  # type: ignore[no-any-return]


def check(body: JsonObject, *, signs: bool) -> None:
    """Raise RefusedError for the first thing the vendor would refuse in ``body``; ``signs``: the model signs its calls."""
    for name in body:
        if name not in _FIELDS:
            said = f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.'
            raise RefusedError("INVALID_ARGUMENT", said, details=(field_violation("", said),))
    contents = body.get("contents")
    if not isinstance(contents, list) or not contents:
        raise _bad("* GenerateContentRequest.contents: contents is not specified")
    awaited = 0
    for index, content in enumerate(contents):
        if not isinstance(content, dict) or content.get("role", "user") not in {"user", "model", "function"}:
            raise _bad("Please use a valid role: user, model.")
        if not parts(content):
            raise _bad(f"* GenerateContentRequest.contents[{index}].parts: contents.parts must not be empty.")
        answered = len(_all(content, "functionResponse"))
        if (awaited or answered) and answered != awaited:
            raise _bad(
                "Please ensure that the number of function response parts is equal to the number of function call parts "
                "of the function call turn."
            )
        awaited = len(_all(content, "functionCall"))
        _check_signatures(content, signs)
    if awaited:
        raise _bad("Please ensure that function call turn comes immediately before a function response turn.")
    _check_tools(body)


def turn(body: JsonObject) -> Turn:
    """Return what steers the answer to ``body`` (one that passed the checks)."""
    contents: list[JsonObject] = body["contents"]
    offered = functions(body)
    config = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    mode = str(config.get("mode", "AUTO")).upper()
    allowed = config.get("allowedFunctionNames") or list(offered)
    last = next((at for at in reversed(range(len(contents))) if _speaks(contents[at])), -1)
    after = contents[last + 1 :]
    return Turn(
        prompt=text_of(contents[last]) if last >= 0 else "",
        rounds=sum(1 for content in after if _all(content, "functionCall")),
        results=tuple(_result(each) for each in _all(contents[-1], "functionResponse")),
        offered={name: schema for name, schema in offered.items() if name in allowed},
        forced=allowed[0] if mode == "ANY" and allowed else None,
        tools_allowed=mode != "NONE",
    )


def functions(body: JsonObject) -> dict[str, JsonObject]:
    """Return name and schema of every declared function."""
    return {
        str(each.get("name")): each.get("parametersJsonSchema") or each.get("parameters") or {"type": "OBJECT"}
        for tool in body.get("tools") or ()
        for each in tool.get("functionDeclarations") or ()
    }


def parts(content: JsonObject) -> list[JsonObject]:
    """Return the parts of ``content``."""
    found = content.get("parts")
    return [part for part in found if isinstance(part, dict)] if isinstance(found, list) else []


def text_of(content: JsonObject) -> str:
    """Return the texts of ``content`` joined, thoughts left out."""
    return "".join(str(part["text"]) for part in parts(content) if "text" in part and not part.get("thought"))


def _speaks(content: JsonObject) -> bool:
    return content.get("role", "user") == "user" and not _all(content, "functionResponse")


def _all(content: JsonObject, kind: str) -> list[JsonObject]:
    return [part[kind] for part in parts(content) if isinstance(part.get(kind), dict)]


def _result(response: JsonObject) -> str:
    value = response.get("response") or {}
    if "error" in value:
        return f"error: {value['error']}"
    return str(value.get("result", value.get("output", json.dumps(value, ensure_ascii=False))))


def _check_tools(body: JsonObject) -> None:
    tools = body.get("tools") or []
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        raise _bad("Invalid value at 'tools'")
    names = list(functions(body))
    declared = [each for tool in tools for each in tool.get("functionDeclarations") or ()]
    if len(names) != len(declared):
        raise _bad("Duplicate function declaration found.")
    for name in names:
        if not re.fullmatch(r"[A-Za-z_][\w.:-]{0,127}", name):
            raise _bad(
                f"* GenerateContentRequest.tools[0].function_declarations[0].name: Invalid function name: {name}."
            )


def _check_signatures(content: JsonObject, signs: bool) -> None:
    """The first call of a turn carries the signature where the model signs (Gemini API docs, "Thought signatures")."""
    calls = [part for part in parts(content) if "functionCall" in part]
    if signs and calls and "thoughtSignature" not in calls[0]:
        raise _bad("Function call is missing a thought_signature in functionCall parts.")
    for part in parts(content):
        if part.get("thoughtSignature", SIGNATURE) != SIGNATURE:
            raise _bad("Thought signature is not valid.")


def _camel(value: Any) -> Any:
    if isinstance(value, list):
        return [_camel(each) for each in value]
    if not isinstance(value, dict):
        return value
    renamed = {re.sub(r"_(\w)", lambda found: found[1].upper(), name): each for name, each in value.items()}
    return {name: each if name in _FREE else _camel(each) for name, each in renamed.items()}


def _bad(message: str) -> RefusedError:
    return RefusedError("INVALID_ARGUMENT", message)
