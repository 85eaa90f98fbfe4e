"""Takes a profile off a response that is streamed as one JSON array: each element passes as soon as it is complete.

That is how Gemini streams without ``alt=sse``.
"""

import re
from typing import Final

from headgate_proxy.identity.requests import Reversal
from headgate_proxy.identity.undoing import Undoing, bounded
from headgate_proxy.protocols.scan import Malformed, value_end
from headgate_proxy.protocols.splicing import spliced

_OUTSIDE: Final = re.compile(rb'["\[\]{}]')
_INSIDE: Final = re.compile(rb'["\\]')
_BETWEEN: Final = re.compile(rb"[^{]*")


class _Depth:
    """Follows how deep the text is nested, piece by piece, so that nothing is read twice while an element is incomplete."""

    def __init__(self) -> None:
        self._depth = 0
        self._quoted = False
        self._escaped = False

    def ended(self, piece: bytes) -> int:
        """Return where the last element that ends in the piece has ended; 0 when none does."""
        position = end = 0
        if self._escaped and piece:
            position, self._escaped = 1, False
        while (found := (_INSIDE if self._quoted else _OUTSIDE).search(piece, position)) is not None:
            position = found.end()
            match found.group():
                case b'"':
                    self._quoted = not self._quoted
                case b"\\":
                    self._escaped = position == len(piece)
                    position += 1
                case b"[" | b"{":
                    self._depth += 1
                case _:
                    self._depth -= 1
                    if self._depth == 1:
                        end = position
        return end


class ArrayReverser:
    """For an array of responses; a single response passes when the body has ended."""

    at_boundary = False

    def __init__(self, reversal: Reversal) -> None:
        self._undoing = Undoing(reversal)
        self._is_array: bool | None = None
        self._depth = _Depth()
        self._held = bytearray()

    def feed(self, piece: bytes) -> bytes:
        """Return the elements that the piece completes. Raises Irreversible for one that is too long."""
        held = self._held
        ended = self._depth.ended(piece)
        before = len(held)
        held += piece
        if self._is_array is None and (begun := held.lstrip()):
            self._is_array = begun.startswith(b"[")
        if not ended or not self._is_array:
            bounded(held, "document")
            return b""
        data = bytes(memoryview(held)[: before + ended])
        del held[: before + ended]
        return self._undone(data)

    def finish(self) -> bytes:
        """Return what is left of the body."""
        data = bytes(self._held)
        self._held.clear()
        return self._undone(data)

    def _undone(self, data: bytes) -> bytes:
        if not self._undoing.words.occur(data):
            return data
        pieces: list[bytes] = []
        position = 0
        while (between := _BETWEEN.match(data, position)) is not None and between.end() < len(data):
            start = between.end()
            try:
                end = value_end(data, start)
            except Malformed:
                break
            element = data[start:end]
            pieces += (data[position:start], spliced(element, self._undoing.edits(element)))
            position = end
        pieces.append(data[position:])
        return b"".join(pieces)
