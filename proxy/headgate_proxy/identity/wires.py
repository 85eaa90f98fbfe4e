"""Where the protocols keep tool names and system context: one declaration for each, of requests and of responses.

Sources: the vendors' API references (Anthropic Messages with tool search; OpenAI Chat Completions and Responses; Gemini
generateContent and countTokens, in both spellings that JSON of protocol buffers allows). A response's shape fits its streamed
events too. Tools that the vendor defines (their ``type`` says so) keep their names: the vendor knows them by these.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from headgate_proxy.identity.shapes import Role, Shape
from headgate_proxy.protocols.operation import Operation


class Wire(StrEnum):
    """A protocol, as far as it decides where things stand in a body."""

    MESSAGES = "Messages"
    CHAT = "Chat"
    RESPONSES = "Responses"
    GENERATE_CONTENT = "GenerateContent"
    COUNT_TOKENS = "CountTokens"
    """Gemini's: it takes a system context only within the request that it counts."""


WIRES: Final[Mapping[Operation, Wire]] = {
    Operation.MESSAGES: Wire.MESSAGES,
    Operation.COUNT_TOKENS: Wire.MESSAGES,
    Operation.CHAT: Wire.CHAT,
    Operation.RESPONSES: Wire.RESPONSES,
    Operation.GENERATE_CONTENT: Wire.GENERATE_CONTENT,
    Operation.STREAM_GENERATE_CONTENT: Wire.GENERATE_CONTENT,
    Operation.COUNT_CONTENT_TOKENS: Wire.COUNT_TOKENS,
}
"""How the body of each operation is laid out."""


@dataclass(frozen=True, slots=True)
class Shapes:
    """The shapes of a protocol's requests and responses."""

    request: Shape
    response: Shape


_NAME: Final = Shape(Role.NAME)
_DECLARED: Final = Shape(Role.DECLARED)


def _at(**members: Shape) -> Shape:
    return Shape(members=_by_key(members))


def _each(shape: Shape, role: Role | None = None) -> Shape:
    return Shape(role, each=shape)


def _typed(*types: str, unless: bytes | None = None, **members: Shape) -> Shape:
    return Shape(members=_by_key(members), types=dict.fromkeys(types, Role.NAME), unless=unless)


def _by_key(members: Mapping[str, Shape]) -> dict[bytes, Shape]:
    return {name.encode(): shape for name, shape in members.items()}


# Anthropic Messages -----------------------------------------------------------------------------------------------------

_REFERENCE: Final = _typed("tool_reference", tool_name=_NAME)
_RESULT: Final = Shape(
    members={b"tool_name": _NAME, b"tool_references": _each(_REFERENCE)}, types={"tool_reference": Role.NAME}
)
_BLOCK: Final = _typed("tool_use", name=_NAME, content=_each(_RESULT))
_MESSAGES: Final = Shapes(
    request=_at(
        system=Shape(Role.SYSTEM),
        tools=_each(
            Shape(
                members={b"name": _DECLARED},
                types={None: Role.DECLARED, "custom": Role.DECLARED, "mcp_toolset": None},
                other=Role.BUILT_IN,
            )
        ),
        tool_choice=_typed("tool", name=_NAME),
        messages=_each(_at(content=_each(_BLOCK))),
        context_management=_at(edits=_each(_at(exclude_tools=_each(_NAME)))),
    ),
    response=_at(content=_each(_BLOCK), content_block=_BLOCK, message=_at(content=_each(_BLOCK))),
)

# OpenAI Chat Completions ------------------------------------------------------------------------------------------------

_CALLED: Final = _at(name=_NAME)
_CALLS: Final = _each(_at(function=_CALLED, custom=_CALLED))
_TURN: Final = Shape(
    members={b"role": Shape(Role.SPEAKER), b"tool_calls": _CALLS, b"function_call": _CALLED},
)
_CHAT: Final = Shapes(
    request=_at(
        messages=_each(_TURN, Role.TURNS),
        tools=_each(_at(function=_at(name=_DECLARED), custom=_at(name=_DECLARED))),
        functions=_each(_at(name=_DECLARED)),
        tool_choice=_at(function=_CALLED, custom=_CALLED, allowed_tools=_at(tools=_CALLS)),
        function_call=_CALLED,
    ),
    response=_at(choices=_each(_at(message=_TURN, delta=_TURN))),
)

# OpenAI Responses, and the Codex backend that speaks it --------------------------------------------------------------------

_TOOLS: Final = _each(
    Shape(
        members={b"name": _DECLARED},
        types={"function": Role.DECLARED, "custom": Role.DECLARED, "namespace": None},
        other=Role.BUILT_IN,
    )
)
_LOADED: Final = _each(_typed("function", "custom", name=_NAME))
_CHOICE: Final = _typed("function", "custom", name=_NAME, tools=_LOADED)
_ITEM: Final = _typed("function_call", "custom_tool_call", unless=b"namespace", name=_NAME, tools=_LOADED)
_RESPONSE: Final = _at(output=_each(_ITEM), tools=_LOADED, tool_choice=_CHOICE, instructions=Shape(Role.SYSTEM))
_RESPONSES: Final = Shapes(
    request=_at(instructions=Shape(Role.SYSTEM), tools=_TOOLS, tool_choice=_CHOICE, input=_each(_ITEM)),
    response=Shape(
        members={
            **_RESPONSE.members,
            b"response": _RESPONSE,
            b"item": _ITEM,
            b"name": _NAME,
        },
        types={"response.function_call_arguments.delta": Role.NAME, "response.function_call_arguments.done": Role.NAME},
    ),
)

# Gemini -----------------------------------------------------------------------------------------------------------------

_CONTENT: Final = _at(
    parts=_each(_at(functionCall=_CALLED, function_call=_CALLED, functionResponse=_CALLED, function_response=_CALLED))
)
_ALLOWED: Final = _at(allowedFunctionNames=_each(_NAME), allowed_function_names=_each(_NAME))
_CHOSEN: Final = _at(functionCallingConfig=_ALLOWED, function_calling_config=_ALLOWED)
_DECLARATIONS: Final = _each(_at(name=_DECLARED))
_SYSTEM: Final = Shape(Role.SYSTEM, members={b"parts": Shape(Role.PARTS)})
_GENERATE: Final = _at(
    systemInstruction=_SYSTEM,
    system_instruction=_SYSTEM,
    tools=_each(_at(functionDeclarations=_DECLARATIONS, function_declarations=_DECLARATIONS)),
    toolConfig=_CHOSEN,
    tool_config=_CHOSEN,
    contents=_each(_CONTENT),
)
_COUNTED: Final = Shape(Role.WHOLE, members=_GENERATE.members)
_CANDIDATES: Final = _at(candidates=_each(_at(content=_CONTENT)))

SHAPES: Final = {
    Wire.MESSAGES: _MESSAGES,
    Wire.CHAT: _CHAT,
    Wire.RESPONSES: _RESPONSES,
    Wire.GENERATE_CONTENT: Shapes(_GENERATE, _each(_CANDIDATES)),
    Wire.COUNT_TOKENS: Shapes(
        _at(contents=_each(_CONTENT), generateContentRequest=_COUNTED, generate_content_request=_COUNTED), Shape()
    ),
}
"""By protocol. A Gemini stream that is no event stream is an array of responses."""
