"""Readers that learn usage from a response's bytes on their way, without holding them up or changing them (sans-IO).

Most pieces of a stream hold content deltas, which say nothing about usage: those are recognised by a substring search
and never parsed, so that a streamed event costs next to nothing.
"""

import re
from typing import Final, Protocol

import msgspec

from headgate_proxy.anthropic.usage import ResponseFacts, WireError, WireMessage, WireUsage, short

_MAX_EVENT_BYTES: Final = 128 * 1024
"""No event that tells of usage is longer. What is kept is copied for every piece, so that this also bounds work."""
_MAX_MESSAGE_BYTES: Final = 8 * 1024 * 1024
_END: Final = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_MARKS: Final = (b"\n\n", b"\r\n\r\n", b"\r\r")
_TELLING: Final = re.compile(rb"message_start|message_delta|\berror\b")


class Reader(Protocol):
    """Takes a response body in pieces of any size; ``facts`` grow as they go."""

    facts: ResponseFacts

    def feed(self, piece: bytes) -> None:
        """Take the next piece."""

    def finish(self) -> None:
        """Note that the body has ended."""

    @property
    def at_boundary(self) -> bool:
        """Tell whether another server-sent event could be appended here."""


class _Delta(msgspec.Struct):
    stop_reason: str | None = None


class _Event(msgspec.Struct):
    type: str = ""
    message: WireMessage | None = None
    delta: _Delta | None = None
    usage: WireUsage | None = None
    error: WireError | None = None


_decode_event = msgspec.json.Decoder(_Event).decode
_decode_message = msgspec.json.Decoder(WireMessage).decode


class StreamReader:
    """Reads a stream of server-sent events (WHATWG HTML, "Server-sent events")."""

    def __init__(self) -> None:
        self.facts = ResponseFacts()
        self._partial = b""
        self._overlong = False

    @property
    def at_boundary(self) -> bool:
        """Tell whether the last byte ended an event (or none has come)."""
        return not self._partial and not self._overlong

    def feed(self, piece: bytes) -> None:
        """Take the next piece of the stream."""
        if not self._partial and not self._overlong and piece.endswith(b"\n\n"):
            if _may_tell(piece):
                self._read(piece)
            return
        data = self._partial + piece
        end = _last_end(data, max(0, len(self._partial) - 3))
        if end < 0:
            self._keep(data)
            return
        complete, rest = data[:end], data[end:]
        if self._overlong:  # the first event here began too long ago: it is not read
            first = _END.search(complete)
            complete = complete[first.end() :] if first is not None else b""
            self._overlong = False
        self._keep(rest)
        if _may_tell(complete):
            self._read(complete)

    def finish(self) -> None:
        """Note that the stream has ended; an event that was not complete never counts."""

    def _keep(self, rest: bytes) -> None:
        if len(rest) > _MAX_EVENT_BYTES:
            self._overlong = True
            rest = rest[-3:]  # enough to find a boundary that is split between two pieces
        self._partial = rest

    def _read(self, events: bytes) -> None:
        # A quick reader's piece holds hundreds of events: split them plainly where their line ends allow.
        for event in _END.split(events) if b"\r" in events else events.split(b"\n\n"):
            if _may_tell(event) and _TELLING.search(event) is not None:
                self._read_event(event)

    def _read_event(self, event: bytes) -> None:
        lines = (line[5:].lstrip(b" ") for line in event.splitlines() if line.startswith(b"data:"))
        try:
            read = _decode_event(b"\n".join(lines))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        if read.type == "message_start" and read.message is not None:
            read.message.add_to(self.facts)
        elif read.type == "message_delta":
            if read.usage is not None:
                read.usage.add_to(self.facts.usage)
            if read.delta is not None:
                self.facts.stop_reason = short(read.delta.stop_reason) or self.facts.stop_reason
        elif read.type == "error" and read.error is not None:
            self.facts.error_type = short(read.error.type)


def _may_tell(events: bytes) -> bool:
    """Tell whether to look at each event; plain searches, since a pattern's alternatives cost ten times as much here."""
    return b"message_start" in events or b"message_delta" in events or b"error" in events


def _last_end(data: bytes, start: int) -> int:
    """Return where the last complete event ends, or -1 when none ends after ``start``."""
    ends = [at + len(mark) for mark in _MARKS if (at := data.rfind(mark, start)) >= 0]
    return max(ends, default=-1)


class MessageReader:
    """Reads a response that comes as one JSON document, up to a size no real one reaches."""

    at_boundary = False

    def __init__(self) -> None:
        self.facts = ResponseFacts()
        self._pieces: list[bytes] = []
        self._size = 0

    def feed(self, piece: bytes) -> None:
        """Take the next piece of the document."""
        self._size += len(piece)
        if self._size <= _MAX_MESSAGE_BYTES:
            self._pieces.append(piece)
        else:
            self._pieces.clear()

    def finish(self) -> None:
        """Read the document now that it is complete."""
        try:
            read = _decode_message(b"".join(self._pieces))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        read.add_to(self.facts)


class OpaqueReader:
    """For bodies that cannot be read on their way: those the upstream compressed although it was asked not to."""

    at_boundary = False

    def __init__(self) -> None:
        self.facts = ResponseFacts()

    def feed(self, piece: bytes) -> None:
        """Take the next piece and learn nothing."""

    def finish(self) -> None:
        """Note that the body has ended."""


def reader_for(content_type: str, content_encoding: str | None) -> Reader:
    """Return the reader for a response with these headers."""
    if content_encoding not in (None, "", "identity"):
        return OpaqueReader()
    if content_type.partition(";")[0].strip().lower() == "text/event-stream":
        return StreamReader()
    return MessageReader()
