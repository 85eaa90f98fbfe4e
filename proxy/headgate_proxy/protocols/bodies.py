"""Changing one member of a JSON body and no other byte of it: whatever else a client wrote must reach the upstream as it is."""

from typing import Final

import msgspec

from headgate_proxy.protocols.scan import byte_at, first, member, value_end
from headgate_proxy.protocols.splicing import Edit, spliced

_BRACE: Final = ord("{")
_QUOTE: Final = ord('"')


def replace_model(body: bytes, name: str) -> bytes:
    """Return ``body`` with the value of its top-level ``model`` replaced. Needed only where ``upstreamName`` differs."""
    return replace_string(body, ("model",), name)


def replace_string(body: bytes, path: tuple[str, ...], value: str) -> bytes:
    """Return ``body``, a JSON object, with the string at ``path`` (member names, outermost first) replaced.

    Every other byte stays as it was; what is not there, or is no string, stays so too.
    """
    edits: list[Edit] = []
    _look(body, first(body), tuple(name.encode() for name in path), msgspec.json.encode(value), edits)
    return spliced(body, edits)


def _look(body: bytes, start: int, path: tuple[bytes, ...], replacement: bytes, edits: list[Edit]) -> None:
    """Add the edits for ``path`` in the object that begins at ``start``; a name that stands there twice is replaced twice."""
    position = start + 1
    while (found := member(body, position)) is not None:
        key, begins, ends = found
        position = value_end(body, begins) if ends is None else ends
        if key != path[0]:
            continue
        kind = byte_at(body, begins)
        if len(path) > 1 and kind == _BRACE:
            _look(body, begins, path[1:], replacement, edits)
        elif len(path) == 1 and kind == _QUOTE:
            edits.append(Edit(begins, position, replacement))
