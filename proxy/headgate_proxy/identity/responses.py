"""Takes a profile off a response: the client sees its own names of tools, and every other byte as the vendor sent it (sans-IO).

A body that goes through here may change its length: whoever passes it on leaves ``content-length`` out, or counts anew. Names
are never replaced in text or in a tool's arguments. For any division of a body into pieces the result is the same.
"""

import re
from typing import Final, Protocol

from headgate_proxy.identity.arrays import ArrayReverser
from headgate_proxy.identity.requests import Reversal
from headgate_proxy.identity.undoing import Irreversible, Undoing, bounded
from headgate_proxy.identity.wires import Wire
from headgate_proxy.protocols.splicing import spliced


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
    return ArrayReverser(reversal) if reversal.wire is Wire.GENERATE_CONTENT else DocumentReverser(reversal)


class DocumentReverser:
    """For a response that comes as one JSON document: it is passed on when it is complete."""

    at_boundary = False

    def __init__(self, reversal: Reversal) -> None:
        self._undoing = Undoing(reversal)
        self._held = bytearray()

    def feed(self, piece: bytes) -> bytes:
        """Keep the piece; return nothing yet."""
        self._held += piece
        bounded(self._held, "document")
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
        self._undoing = Undoing(reversal)
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
            bounded(held, "event")
            return b""
        data = bytes(memoryview(held)[:released])
        del held[:released]
        bounded(held, "event")
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
