"""What is to be put back in one JSON text of a response, and when that cannot be done."""

from typing import Final

import msgspec

from headgate_proxy.identity.requests import Reversal
from headgate_proxy.identity.shapes import Role, Shape, find
from headgate_proxy.identity.wires import SHAPES
from headgate_proxy.identity.words import Words
from headgate_proxy.protocols.scan import Malformed, text
from headgate_proxy.protocols.splicing import Edit

MAX_BYTES: Final = 32 * 1024 * 1024
"""No event, and no document, is longer. One that were would have to pass with foreign names in it, or be cut: it is refused."""


class Irreversible(Exception):  # noqa: N818 - reads as what the response is
    """The response cannot be told in the client's names; nothing more of it may be passed on. The message is for people."""


class Undoing:
    """Undoes a profile in one JSON text."""

    def __init__(self, reversal: Reversal) -> None:
        self._names = reversal.names
        self._instructions = reversal.instructions
        self._shape: Shape = SHAPES[reversal.wire].response
        keys = ("instructions",) if self._instructions is not None else ()
        self.words = Words((*self._names, *keys))

    def edits(self, data: bytes) -> list[Edit]:
        """Return what to replace; nothing in what is no JSON."""
        try:
            spots = find(data, self._shape)
        except Malformed:
            return []
        edits = []
        for spot in spots:
            said = text(data[spot.start : spot.end])
            if said is None:
                continue
            if spot.role is not Role.SYSTEM:
                if said in self._names:
                    edits.append(Edit(spot.start, spot.end, msgspec.json.encode(self._names[said])))
            elif self._instructions is not None and said == self._instructions.sent:
                edits.append(Edit(spot.start, spot.end, self._instructions.own or b"null"))
        return edits


def bounded(held: bytearray, what: str) -> None:
    """Raise Irreversible when more is held than any event or document is long."""
    if len(held) > MAX_BYTES:
        raise Irreversible(
            f"the upstream sent a {what} of more than {MAX_BYTES} bytes, which no identity profile is undone in"
        )
