"""Puts a profile's text before a request's own system context, in the form that each protocol has for it.

The client's part stays as it is, cache breakpoints included: the text becomes a block, a part or a message of its own before
it, or (Responses, where there is but one string) stands before it with an empty line between.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from headgate_proxy.identity.shapes import Role, Spot
from headgate_proxy.identity.wires import Wire
from headgate_proxy.protocols.scan import byte_at, first, resumed, text
from headgate_proxy.protocols.splicing import Edit

SEPARATOR: Final = "\n\n"
_NULL: Final = b"null"
_BRACE: Final = 0x7B


class Unplaceable(ValueError):  # noqa: N818 - reads as what is found
    """The system context is of a kind that no text can be put before; the message names the field and the mend."""


def placed(wire: Wire, data: bytes, spots: Sequence[Spot], preamble: str) -> list[Edit]:
    """Return the edits that put the text in; ``spots`` are those of the request. Raises Unplaceable."""
    quoted = msgspec.json.encode(preamble)
    match wire:
        case Wire.MESSAGES:
            return _blocks(data, _with(Role.SYSTEM, spots), quoted)
        case Wire.CHAT:
            return _message(data, spots, quoted)
        case Wire.RESPONSES:
            return _instructions(data, _with(Role.SYSTEM, spots), quoted)
        case Wire.GENERATE_CONTENT:
            return _parts(data, spots, quoted)
        case Wire.COUNT_TOKENS:
            return _counted(data, spots, quoted)


def _blocks(data: bytes, spots: Iterable[Spot], quoted: bytes) -> list[Edit]:
    block = b'{"type":"text","text":' + quoted + b"}"
    edits = []
    for spot in spots:
        value = data[spot.start : spot.end]
        if value.startswith(b"["):
            edits.append(_first_element(data, spot.start, block))
        elif value == _NULL or _blank(value):
            edits.append(Edit(spot.start, spot.end, b"[" + block + b"]"))
        elif value.startswith(b'"'):
            edits.append(Edit(spot.start, spot.start, b"[" + block + b',{"type":"text","text":'))
            edits.append(Edit(spot.end, spot.end, b"}]"))
        else:
            raise Unplaceable("system: must be a string or a list of text blocks")
    return edits or [_first_member(data, b'"system":[' + block + b"]")]


def _blank(value: bytes) -> bool:
    """Tell whether a system string says nothing: a block must not be empty, while such a string is taken."""
    said = text(value)
    return said is not None and not said.strip()


def _instructions(data: bytes, spots: Iterable[Spot], quoted: bytes) -> list[Edit]:
    edits = []
    for spot in spots:
        value = data[spot.start : spot.end]
        if value in (_NULL, b'""'):
            edits.append(Edit(spot.start, spot.end, quoted))
        elif value.startswith(b'"'):
            before = quoted[1:-1] + msgspec.json.encode(SEPARATOR)[1:-1]
            edits.append(Edit(spot.start + 1, spot.start + 1, before))
        else:
            raise Unplaceable("instructions: must be a string")
    return edits or [_first_member(data, b'"instructions":' + quoted)]


def _message(data: bytes, spots: Iterable[Spot], quoted: bytes) -> list[Edit]:
    turns = _with(Role.TURNS, spots)
    if not turns or any(data[spot.start : spot.start + 1] != b"[" for spot in turns):
        raise Unplaceable("messages: must be a list of messages")
    speakers = (text(data[spot.start : spot.end]) for spot in _with(Role.SPEAKER, spots))
    speaker = next((name for name in speakers if name in ("system", "developer")), "system")
    message = b'{"role":"' + speaker.encode() + b'","content":' + quoted + b"}"
    return [_first_element(data, spot.start, message) for spot in turns]


def _parts(data: bytes, spots: Sequence[Spot], quoted: bytes, start: int | None = None) -> list[Edit]:
    part = b'{"text":' + quoted + b"}"
    edits = []
    for spot in _with(Role.SYSTEM, spots):
        value = data[spot.start : spot.end]
        inner = [parts for parts in _with(Role.PARTS, spots) if spot.start < parts.start < spot.end]
        if value == _NULL:
            edits.append(Edit(spot.start, spot.end, b'{"parts":[' + part + b"]}"))
        elif not value.startswith(b"{"):
            raise Unplaceable(f"{spot.field}: must be an object with parts")
        elif not inner:
            edits.append(_first_member(data, b'"parts":[' + part + b"]", spot.start))
        for parts in inner:
            edits += _before_parts(data, parts, part)
    return edits or [_first_member(data, b'"systemInstruction":{"parts":[' + part + b"]}", start)]


def _before_parts(data: bytes, parts: Spot, part: bytes) -> list[Edit]:
    opening = data[parts.start : parts.start + 1]
    if opening == b"[":
        return [_first_element(data, parts.start, part)]
    if opening == b"{":  # a list of one, without its brackets
        return [Edit(parts.start, parts.start, b"[" + part + b","), Edit(parts.end, parts.end, b"]")]
    if data[parts.start : parts.end] == _NULL:
        return [Edit(parts.start, parts.end, b"[" + part + b"]")]
    raise Unplaceable(f"{parts.field}: must be a list of parts")


def _counted(data: bytes, spots: Sequence[Spot], quoted: bytes) -> list[Edit]:
    edits: list[Edit] = []
    for whole in _with(Role.WHOLE, spots):
        if data[whole.start : whole.start + 1] == b"{":
            inner = [spot for spot in spots if whole.start < spot.start < whole.end]
            edits += _parts(data, inner, quoted, whole.start)
    return edits


def _with(role: Role, spots: Iterable[Spot]) -> list[Spot]:
    return [spot for spot in spots if spot.role is role]


def _first_element(data: bytes, start: int, element: bytes) -> Edit:
    empty = data[resumed(data, start + 1) : resumed(data, start + 1) + 1] == b"]"
    return Edit(start + 1, start + 1, element if empty else element + b",")


def _first_member(data: bytes, member: bytes, start: int | None = None) -> Edit:
    """Return the edit that puts a member at the beginning of an object: the document's, unless another's start is given."""
    start = first(data) if start is None else start
    if byte_at(data, start) != _BRACE:
        raise Unplaceable("the request body must be a JSON object")
    empty = data[resumed(data, start + 1) : resumed(data, start + 1) + 1] == b"}"
    return Edit(start + 1, start + 1, member if empty else member + b",")
