"""The fixed list of requests, and what each answer must be."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

Check = Callable[[dict[str, Any], str], list[str]]
"""From the body (of a stream: the message it built up) and the model to what is wrong with it."""

_TOOL: Final = "get_water_level"
_PROMPT: Final = "Say hello in one short sentence."


@dataclass(frozen=True, slots=True)
class Probe:
    """One request; ``tracked``: a provider answers it, so the track must be the wanted one."""

    name: str
    path: str
    body: dict[str, Any] | None
    status: int
    check: Check
    tracked: bool = True
    streamed: bool = False

    @property
    def method(self) -> str:
        """Return the HTTP method."""
        return "GET" if self.body is None else "POST"


def probes(model: str) -> tuple[Probe, ...]:
    """Return the requests, in the order in which they are sent."""
    message = {"model": model, "max_tokens": 64, "messages": [{"role": "user", "content": _PROMPT}]}
    tool = {
        "name": _TOOL,
        "description": "Return the water level at a gauge.",
        "input_schema": {"type": "object", "properties": {"gauge": {"type": "string"}}, "required": ["gauge"]},
    }
    calls_tool = message | {
        "stream": True,
        "max_tokens": 256,
        "tools": [tool],
        "tool_choice": {"type": "tool", "name": _TOOL},
        "messages": [{"role": "user", "content": "How high is the water at gauge Basel?"}],
    }
    counted = {key: message[key] for key in ("model", "messages")}
    bad = {key: message[key] for key in ("model", "messages")} | {"max_tokens": 0}
    return (
        Probe("models", "/v1/models", None, 200, _models, tracked=False),
        Probe("count tokens", "/v1/messages/count_tokens", counted, 200, _count),
        Probe("message", "/v1/messages", message, 200, _message),
        Probe("message, streamed", "/v1/messages", message | {"stream": True}, 200, _message, streamed=True),
        Probe("tool use, streamed", "/v1/messages", calls_tool, 200, _tool_use, streamed=True),
        Probe("bad request", "/v1/messages", bad, 400, _error, tracked=False),
    )


def _models(body: dict[str, Any], model: str) -> list[str]:
    listed = [each.get("id") for each in body.get("data") or () if isinstance(each, dict)]
    return [] if model in listed else [f"model {model} is not listed: {len(listed)} are"]


def _count(body: dict[str, Any], _: str) -> list[str]:
    tokens = body.get("input_tokens")
    return [] if isinstance(tokens, int) and tokens > 0 else ["input_tokens is no positive number"]


def _message(body: dict[str, Any], _: str) -> list[str]:
    found = [f"{field} is not {wanted}" for field, wanted in _SHAPE if body.get(field) != wanted]
    if not body.get("content"):
        found.append("content is empty")
    if not isinstance(body.get("stop_reason"), str):
        found.append("stop_reason is missing")
    usage = body.get("usage") or {}
    found += [f"usage.{field} is no number" for field in _USAGE if not isinstance(usage.get(field), int)]
    return found


def _tool_use(body: dict[str, Any], model: str) -> list[str]:
    found = _message(body, model)
    calls = [block for block in body.get("content") or () if block.get("type") == "tool_use"]
    if [call.get("name") for call in calls] != [_TOOL]:
        found.append(f"it is not one call of {_TOOL}")
    found += ["the tool's input is no JSON object" for call in calls if not isinstance(call.get("input"), dict)]
    return found


def _error(body: dict[str, Any], _: str) -> list[str]:
    error = body.get("error") if body.get("type") == "error" else None
    if not isinstance(error, dict) or not isinstance(error.get("message"), str):
        return ['it is not {"type": "error", "error": {"type", "message"}}']
    kind = error.get("type")
    return [] if kind == "invalid_request_error" else [f"error.type is {kind}, not invalid_request_error"]


_SHAPE: Final = (("type", "message"), ("role", "assistant"))
_USAGE: Final = ("input_tokens", "output_tokens")
