"""The emulated model's answer as Gemini sends it: one GenerateContentResponse, or several that carry it piece by piece."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from headgate_api.clock import rfc3339
from headgate_dev.emulator.gemini.models import Model
from headgate_dev.emulator.gemini.request import SIGNATURE, turn
from headgate_dev.emulator.pieces import until_stop, words
from headgate_dev.emulator.prompts import InputUsage
from headgate_dev.emulator.script import JsonObject, intent

_THOUGHT: Final = "Considering what was asked, 一步一步."


@dataclass(frozen=True)
class Reply:
    """What the model produced. ``pieces`` are parts as they are streamed; ``thoughts`` counts the tokens of thinking."""

    pieces: tuple[JsonObject, ...]
    finish_reason: str
    thoughts: int

    @property
    def whole(self) -> list[JsonObject]:
        """Return the parts of an answer that is not streamed: neighbouring texts of a kind are one."""
        joined: list[JsonObject] = []
        for piece in self.pieces:
            if joined and "text" in piece and "text" in joined[-1] and _alike(joined[-1], piece):
                joined[-1] = {**joined[-1], "text": joined[-1]["text"] + piece["text"]}
            else:
                joined.append(piece)
        return joined


def compose(body: JsonObject, model: Model, number: int) -> Reply:
    """Return the reply to ``body`` (one that passed the checks)."""
    config = body.get("generationConfig") or {}
    thinking = config.get("thinkingConfig") or {}
    thinks = (model.signs or bool(thinking)) and thinking.get("thinkingBudget") != 0
    thoughts = list(words(_THOUGHT)) if thinks else []
    shown = [{"text": word, "thought": True} for word in thoughts] if thinking.get("includeThoughts") else []
    wanted = intent(turn(body))
    if wanted.calls:
        calls: list[JsonObject] = [
            {"functionCall": {"id": f"emulated-{number:06d}-{index}", "name": call.name, "args": call.input}}
            for index, call in enumerate(wanted.calls)
        ]
        if model.signs:
            calls[0]["thoughtSignature"] = SIGNATURE
        return Reply((*shown, *calls), "STOP", len(thoughts))
    limit = config.get("maxOutputTokens")
    room = None if limit is None else max(1, int(limit) - len(thoughts))
    text, _, cut_off = until_stop(wanted.text, config.get("stopSequences") or (), room)
    pieces = tuple({"text": word} for word in words(text)) or ({"text": ""},)
    return Reply((*shown, *pieces), "MAX_TOKENS" if cut_off else "STOP", len(thoughts))


@dataclass(frozen=True)
class Outline:
    """What is settled before the model speaks."""

    number: int
    model: Model
    at: datetime
    usage: InputUsage

    def response(self, parts: list[JsonObject], reply: Reply, *, produced: int, last: bool) -> JsonObject:
        """Return one GenerateContentResponse; ``produced``: output tokens so far, ``last``: it says why the answer ended."""
        candidate: JsonObject = {"content": {"parts": parts, "role": "model"}, "index": 0}
        if last:
            candidate["finishReason"] = reply.finish_reason
        return {
            "candidates": [candidate],
            "usageMetadata": _usage(self.usage, produced, reply.thoughts),
            "modelVersion": self.model.id,
            "createTime": rfc3339(self.at),
            "responseId": f"emulated-{self.number:06d}",
        }


def whole(outline: Outline, reply: Reply) -> JsonObject:
    """Return the answer in one."""
    return outline.response(reply.whole, reply, produced=_count(reply.pieces), last=True)


def responses(outline: Outline, reply: Reply) -> Iterator[JsonObject]:
    """Yield the answer piece by piece; a call is never cut, and the last piece carries the reason and the whole usage."""
    for index, piece in enumerate(reply.pieces):
        produced = _count(reply.pieces[: index + 1])
        yield outline.response([piece], reply, produced=produced, last=index == len(reply.pieces) - 1)


def _alike(one: JsonObject, other: JsonObject) -> bool:
    return bool(one.get("thought")) == bool(other.get("thought"))


def _count(pieces: tuple[JsonObject, ...]) -> int:
    """Return one token per piece that is no thought, ten for a call."""
    return sum(10 if "functionCall" in piece else 1 for piece in pieces if not piece.get("thought"))


def _usage(usage: InputUsage, produced: int, thoughts: int) -> dict[str, Any]:
    counts: dict[str, Any] = {
        "promptTokenCount": usage.total,
        "candidatesTokenCount": produced,
        "totalTokenCount": usage.total + produced + thoughts,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": usage.total}],
    }
    if usage.cached:
        counts["cachedContentTokenCount"] = usage.cached
        counts["cacheTokensDetails"] = [{"modality": "TEXT", "tokenCount": usage.cached}]
    return counts | ({"thoughtsTokenCount": thoughts} if thoughts else {})
