"""Takes a profile off a response: the client sees its own names of tools, and every other byte as the vendor sent it (sans-IO).

A body that goes through here may change its length: whoever passes it on leaves ``content-length`` out, or counts anew. Names
are never replaced in text or in a tool's arguments. For any division of a body into pieces the result is the same.
"""

import re
from typing import Final, Protocol

import msgspec

from headgate_proxy.identity.requests import Reversal
from headgate_proxy.identity.shapes import Role, Shape, find
from headgate_proxy.identity.wires import SHAPES
from headgate_proxy.identity.words import Words
from headgate_proxy.protocols.scan import Malformed, text
from headgate_proxy.protocols.splicing import Edit, spliced

MAX_BYTES: Final = 32 * 1024 * 1024
"""No event, and no document, is longer. One that were would have to pass with foreign names in it, or be cut: it is refused."""


class Irreversible(Exception):  # noqa: N818 - reads as what the response is
    """The response cannot be told in the client's names; nothing more of it may be passed on. The message is for people."""


class Reverser(Protocol):
    """Takes a response body in pieces of any size and returns what can be passed on of it."""

    at_boundary: bool
    """Whether another server-sent event may follow what has been returned so far."""

    def feed(self, piece: bytes) -> bytes:
        """Return what the next piece completes; it may be empty. Raises Irreversible."""

    def finish(self) -> bytes:
        """Return what is left now that the body has ended. Raises Irreversible."""


def reverser(reversal: Reversal, content_type: str, content_encoding: str | None) -> Reverser:
    """Return what undoes the profile in a response with these headers. Raises Irreversible for a compressed one."""
    if content_encoding not in (None, "", "identity"):
        raise Irreversible(
            f"the upstream compressed its answer ({content_encoding}) although it was asked not to, so that the identity "
            "profile cannot be undone in it"
        )
    if content_type.partition(";")[0].strip().lower() == "text/event-stream":
        return EventReverser(reversal)
    return DocumentReverser(reversal)


class _Undoing:
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


class DocumentReverser:
    """For a response that comes as one JSON document: it is passed on when it is complete."""

    at_boundary = False

    def __init__(self, reversal: Reversal) -> None:
        self._undoing = _Undoing(reversal)
        self._held = bytearray()

    def feed(self, piece: bytes) -> bytes:
        """Keep the piece; return nothing yet."""
        self._held += piece
        _bounded(self._held, "document")
        return b""

    def finish(self) -> bytes:
        """Return the document."""
        data = bytes(self._held)
        return spliced(data, self._undoing.edits(data)) if self._undoing.words.occur(data) else data


_BOUNDARY: Final = re.compile(rb"(?:\r\n|\n|\r(?!\n)){2}")
"""An empty line (WHATWG HTML, "Server-sent events": a line ends in CR, LF or both)."""
_BEFORE_DATA: Final = re.compile(rb"(?:(?!\xef\xbb\xbf|data)[^\r\n]*(?:\r\n|\n|\r(?!\n))){0,1024}")
_NOT_DATA: Final = re.compile(rb"(?:(?<=[\r\n])|\A)(?:(?:\xef\xbb\xbf)?data:|(?!data:)[^\r\n]+)")


class EventReverser:
    """For a stream of server-sent events: each is passed on as soon as it is complete, those that are not concerned untouched."""

    at_boundary = True

    def __init__(self, reversal: Reversal) -> None:
        self._undoing = _Undoing(reversal)
        self._held = bytearray()

    def feed(self, piece: bytes) -> bytes:
        """Return the events that the piece completes, and what follows them up to the next event's data."""
        held = self._held
        searched = max(0, len(held) - 3)
        held += piece
        complete = 0
        for found in _BOUNDARY.finditer(held, searched):
            complete = found.end()
        passing = _BEFORE_DATA.match(held, complete)
        released = complete if passing is None else passing.end()
        if not released:
            _bounded(held, "event")
            return b""
        data = bytes(memoryview(held)[:released])
        del held[:released]
        _bounded(held, "event")
        return self._undone(data)

    def finish(self) -> bytes:
        """Return what is left of an event that was never completed."""
        data = bytes(self._held)
        self._held.clear()
        return self._undone(data)

    def _undone(self, data: bytes) -> bytes:
        if not self._undoing.words.occur(data):
            return data
        pieces: list[bytes] = []
        begun = 0
        for found in _BOUNDARY.finditer(data):
            pieces.append(self._event(data[begun : found.end()]))
            begun = found.end()
        pieces.append(self._event(data[begun:]))
        return b"".join(pieces)

    def _event(self, event: bytes) -> bytes:
        if not self._undoing.words.occur(event):
            return event
        # Everything but the data becomes white space of the same length, so that what is found there stands here too.
        data = _NOT_DATA.sub(lambda found: b" " * len(found.group()), event)
        return spliced(event, self._undoing.edits(data))


def _bounded(held: bytearray, what: str) -> None:
    if len(held) > MAX_BYTES:
        raise Irreversible(
            f"the upstream sent a {what} of more than {MAX_BYTES} bytes, which no identity profile is undone in"
        )
