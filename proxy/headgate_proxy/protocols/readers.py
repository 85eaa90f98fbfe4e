"""Readers that learn usage from a response's bytes on their way, without holding them up or changing them (sans-IO).

Most pieces of a stream hold deltas of content, which say nothing about usage: a protocol's reader recognises those by a
substring search and never parses them, so that a streamed event costs next to nothing.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final, Protocol

from headgate_proxy.protocols.facts import ResponseFacts

_MAX_EVENT_BYTES: Final = 4 * 1024 * 1024
"""No event that tells of usage is longer: the last one of a Response repeats all of it, tools and instructions included."""
EVENT_STREAM: Final = "text/event-stream"
_MAX_DOCUMENT_BYTES: Final = 8 * 1024 * 1024
_END: Final = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_MARKS: Final = (b"\n\n", b"\r\n\r\n", b"\r\r")


class Reader(Protocol):
    """Takes a response body in pieces of any size; ``facts`` grow as they go."""

    facts: ResponseFacts
    streaming: bool
    """The response is a stream, which may break off after an answer has begun."""

    def feed(self, piece: bytes) -> None:
        """Take the next piece."""

    def finish(self) -> None:
        """Note that the body has ended, whole or not."""

    @property
    def at_boundary(self) -> bool:
        """Tell whether another server-sent event could be appended here."""


class EventReader(ABC):
    """Reads a stream of server-sent events (WHATWG HTML, "Server-sent events")."""

    streaming = True

    def __init__(self) -> None:
        self.facts = ResponseFacts()
        self._partial = bytearray()
        self._overlong = False

    @abstractmethod
    def may_tell(self, events: bytes) -> bool:
        """Tell whether to look at each of these events; plain searches, since patterns cost ten times as much here."""

    @abstractmethod
    def read(self, data: bytes) -> None:
        """Learn from the data of one event that may tell; it is whatever the upstream sent."""

    @property
    def at_boundary(self) -> bool:
        """Tell whether the last byte ended an event (or none has come)."""
        return not self._partial and not self._overlong

    def feed(self, piece: bytes) -> None:
        """Take the next piece of the stream."""
        if not self._partial and not self._overlong and piece.endswith((b"\n\n", b"\r\n\r\n")):
            self.ended(piece)
            return
        data, before = self._partial, len(self._partial)
        data += piece
        end = _last_end(data, max(0, before - 3))
        if end < 0:
            self._shorten()
            return
        complete = bytes(data[:end])
        del data[:end]
        if self._overlong:  # the first event here began too long ago: it is not read
            first = _END.search(complete)
            complete = complete[first.end() :] if first is not None else b""
            self._overlong = False
        self._shorten()
        self.ended(complete)

    def ended(self, events: bytes) -> None:
        """Take events that are complete."""
        if self.may_tell(events):
            for event in split(events):
                if self.may_tell(event):
                    self.read(data_of(event))

    def finish(self) -> None:  # noqa: B027 - what there is to know has been read on the way
        """Note that the stream has ended; an event that was not complete never counts."""

    def _shorten(self) -> None:
        if len(self._partial) > _MAX_EVENT_BYTES:
            self._overlong = True
            del self._partial[:-3]  # enough is left to find a boundary that is split between two pieces


def data_of(event: bytes) -> bytes:
    """Return the data of one event."""
    return b"\n".join(line[5:].lstrip(b" ") for line in event.splitlines() if line.startswith(b"data:"))


def split(events: bytes) -> list[bytes]:
    """Return the events: a quick reader's piece holds hundreds, so they are split plainly where their line ends allow."""
    if b"\r" not in events:
        return events.split(b"\n\n")
    return _END.split(events) if b"\n\n" in events or b"\r\r" in events else events.split(b"\r\n\r\n")


def _last_end(data: bytearray, start: int) -> int:
    """Return where the last complete event ends, or -1 when none ends after ``start``."""
    ends = [at + len(mark) for mark in _MARKS if (at := data.rfind(mark, start)) >= 0]
    return max(ends, default=-1)


class DocumentReader:
    """Reads a response that comes as one JSON document, up to a size no real one reaches."""

    at_boundary = False
    streaming = False

    def __init__(self, read: Callable[[bytes, ResponseFacts], None]) -> None:
        """``read`` writes what a whole document says over the facts."""
        self.facts = ResponseFacts()
        self._read = read
        self._pieces: list[bytes] = []
        self._size = 0

    def feed(self, piece: bytes) -> None:
        """Take the next piece of the document."""
        self._size += len(piece)
        if self._size <= _MAX_DOCUMENT_BYTES:
            self._pieces.append(piece)
        else:
            self._pieces.clear()

    def finish(self) -> None:
        """Read the document now; one that broke off says nothing."""
        self._read(b"".join(self._pieces), self.facts)


class OpaqueReader:
    """For bodies that cannot be read on their way: those the upstream compressed although it was asked not to."""

    at_boundary = False
    streaming = False

    def __init__(self) -> None:
        self.facts = ResponseFacts()

    def feed(self, piece: bytes) -> None:
        """Take the next piece and learn nothing."""

    def finish(self) -> None:
        """Note that the body has ended."""


def readable(content_encoding: str | None) -> bool:
    """Tell whether the bytes of a response are what it says, and not compressed."""
    return content_encoding in (None, "", "identity")


def is_event_stream(content_type: str) -> bool:
    """Tell whether a response is a stream of server-sent events."""
    return content_type.partition(";")[0].strip().lower() == EVENT_STREAM


def reader_of(
    content_type: str,
    content_encoding: str | None,
    stream: Callable[[], Reader],
    read: Callable[[bytes, ResponseFacts], None],
) -> Reader:
    """Return the reader for a response with these headers: ``stream`` makes one of events, ``read`` learns from a document."""
    if not readable(content_encoding):
        return OpaqueReader()
    return stream() if is_event_stream(content_type) else DocumentReader(read)
