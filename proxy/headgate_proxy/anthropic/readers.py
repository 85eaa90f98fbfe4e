"""What a Messages response tells on its way: streamed, only its first event, its last but one, and errors."""

import re
from typing import Final

import msgspec

from headgate_proxy.anthropic.usage import WireError, WireMessage, WireUsage
from headgate_proxy.protocols.decoding import decoded
from headgate_proxy.protocols.facts import ResponseFacts, short
from headgate_proxy.protocols.readers import EventReader, Reader, reader_of

_TELLING: Final = re.compile(rb"message_start|message_delta|\berror\b")


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


class StreamReader(EventReader):
    """Reads a streamed Message."""

    def may_tell(self, events: bytes) -> bool:
        """Tell whether to look at each event."""
        return b"message_start" in events or b"message_delta" in events or b"error" in events

    def read(self, data: bytes) -> None:
        """Learn from one event."""
        if _TELLING.search(data) is None:
            return
        read = decoded(_decode_event, data)
        if read is None:
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


def read_message(document: bytes, facts: ResponseFacts) -> None:
    """Write what a whole Message (or error envelope) says over ``facts``; what is neither says nothing."""
    read = decoded(_decode_message, document)
    if read is None:
        return
    read.add_to(facts)


def reader_for(content_type: str, content_encoding: str | None) -> Reader:
    """Return the reader for a response with these headers."""
    return reader_of(content_type, content_encoding, StreamReader, read_message)
