"""What the emulated model produced, before it takes the form of a Response or of a chat completion."""

from dataclasses import dataclass
from typing import Any

from headgate_dev.emulator.pieces import split_json, until_stop, words
from headgate_dev.emulator.script import JsonObject, Turn, intent

_THOUGHT = "Considering what was asked, 一步一步."


@dataclass(frozen=True)
class FunctionCall:
    """One call; ``pieces`` are its arguments as they are streamed."""

    id: str
    name: str
    pieces: tuple[str, ...]

    @property
    def arguments(self) -> str:
        """Return the arguments as JSON text."""
        return "".join(self.pieces)


@dataclass(frozen=True)
class Reply:
    """Text or calls, what was thought before (empty: nothing), and whether the room for it ended first."""

    text: str
    calls: tuple[FunctionCall, ...]
    thought: str
    cut_off: bool

    @property
    def reasoning_tokens(self) -> int:
        """Return one token per word thought."""
        return sum(1 for _ in words(self.thought))

    @property
    def output_tokens(self) -> int:
        """Return one token per delta, thinking included; one at least."""
        pieces = sum(len(call.pieces) for call in self.calls)
        return max(1, self.reasoning_tokens + sum(1 for _ in words(self.text)) + pieces)


def compose(turn: Turn, number: int, *, reasons: bool, room: int | None = None, stops: tuple[str, ...] = ()) -> Reply:
    """Return the reply to ``turn`` of request ``number`` in at most ``room`` tokens (None: any), ended by one of ``stops``."""
    wanted = intent(turn)
    thought = _THOUGHT if reasons else ""
    if wanted.calls:
        calls = tuple(
            FunctionCall(f"call_emulated_{number:06d}_{index}", call.name, tuple(split_json(call.input)))
            for index, call in enumerate(wanted.calls)
        )
        return Reply("", calls, thought, cut_off=False)
    spent = sum(1 for _ in words(thought))
    text, _, cut_off = until_stop(wanted.text, stops, None if room is None else max(1, room - spent))
    return Reply(text, (), thought, cut_off)


def function_tools(tools: Any) -> dict[str, JsonObject]:
    """Return name and schema of every function in ``tools``, in either form: flat (Responses) or nested (chat)."""
    found = {}
    for tool in tools or ():
        function = tool.get("function", tool) if isinstance(tool, dict) and tool.get("type") == "function" else None
        if isinstance(function, dict) and isinstance(function.get("name"), str):
            found[function["name"]] = function.get("parameters") or {"type": "object"}
    return found


def choice(given: Any, offered: dict[str, JsonObject]) -> tuple[str | None, bool]:
    """Return the tool that ``tool_choice`` forces, and whether tools may be called at all."""
    if isinstance(given, dict) and given.get("type") == "function":
        return str(given.get("function", given).get("name")), True
    if given == "required" and offered:
        return next(iter(offered)), True
    return None, given != "none"
