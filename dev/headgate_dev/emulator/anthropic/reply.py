"""The emulated model's message: content blocks, why it stopped, and how it falls into deltas."""

from dataclasses import dataclass

from headgate_dev.emulator.anthropic.blocks import signature
from headgate_dev.emulator.anthropic.script import turn
from headgate_dev.emulator.pieces import split_json, until_stop, words
from headgate_dev.emulator.script import JsonObject, intent


@dataclass(frozen=True)
class Piece:
    """One content block: as a whole, empty as a stream announces it, and the deltas between the two."""

    block: JsonObject
    opening: JsonObject
    deltas: tuple[JsonObject, ...]


@dataclass(frozen=True)
class Reply:
    """What the model produced; ``output_tokens`` counts one per delta (one at least), ``thinking_tokens`` are part of it."""

    pieces: tuple[Piece, ...]
    stop_reason: str
    stop_sequence: str | None = None
    thinking_tokens: int = 0
    output_tokens: int = 1

    @property
    def content(self) -> list[JsonObject]:
        """Return the content blocks."""
        return [piece.block for piece in self.pieces]


def compose(request: JsonObject, number: int) -> Reply:
    """Return the reply to ``request`` (one that passed the checks); ``number`` makes the tool-use ids."""
    wanted = intent(turn(request))
    pieces = []
    thinking: JsonObject = request.get("thinking") or {"type": "disabled"}
    if thinking["type"] != "disabled":
        thought = "Considering what was asked, 一步一步."
        pieces.append(_thinking_piece("" if thinking.get("display") == "omitted" else thought))
    thinking_tokens = sum(len(piece.deltas) for piece in pieces)
    if wanted.calls:
        pieces.extend(
            _tool_piece(f"toolu_emulated_{number:06d}_{index}", call.name, call.input)
            for index, call in enumerate(wanted.calls)
        )
        reason, sequence = "tool_use", None
    else:
        text, reason, sequence = _bounded(wanted.text, request, thinking_tokens)
        pieces.append(_text_piece(text))
    tokens = sum(len(piece.deltas) for piece in pieces)
    return Reply(tuple(pieces), reason, sequence, thinking_tokens, max(1, tokens))


def _bounded(text: str, request: JsonObject, spent: int) -> tuple[str, str, str | None]:
    """Return ``text`` cut at a stop sequence or at max_tokens, with the stop reason and sequence."""
    room = max(1, request["max_tokens"] - spent)
    text, sequence, full = until_stop(text, request.get("stop_sequences") or (), room)
    if full:
        return text, "max_tokens", None
    return text, "stop_sequence" if sequence is not None else "end_turn", sequence


def _text_piece(text: str) -> Piece:
    deltas = tuple({"type": "text_delta", "text": word} for word in words(text))
    return Piece({"type": "text", "text": text}, {"type": "text", "text": ""}, deltas)


def _thinking_piece(thought: str) -> Piece:
    signed = signature(thought)
    deltas: list[JsonObject] = [{"type": "thinking_delta", "thinking": word} for word in words(thought)]
    deltas.append({"type": "signature_delta", "signature": signed})
    return Piece(
        {"type": "thinking", "thinking": thought, "signature": signed},
        {"type": "thinking", "thinking": "", "signature": ""},
        tuple(deltas),
    )


def _tool_piece(tool_use_id: str, name: str, value: JsonObject) -> Piece:
    head: JsonObject = {"type": "tool_use", "id": tool_use_id, "name": name}
    deltas = tuple({"type": "input_json_delta", "partial_json": part} for part in split_json(value))
    return Piece({**head, "input": value}, {**head, "input": {}}, deltas)
