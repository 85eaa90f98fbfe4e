"""What a Response tells on its way: streamed, its first event and its last; and what the plan's backend does not take of one.

Source of the latter: what the Codex backend answers, and what its own client sends (``store: false``, ``stream: true``, no
``max_output_tokens``; the system text as ``instructions``, and since 0.169 as a message of the developer).
"""

from typing import Any, Final

import msgspec

from headgate_proxy.openai.chat import error_word
from headgate_proxy.openai.usage import WireUsage
from headgate_proxy.protocols.decoding import decoded
from headgate_proxy.protocols.facts import ResponseFacts, short
from headgate_proxy.protocols.operation import Operation
from headgate_proxy.protocols.readers import EVENT_STREAM, EventReader, Reader, reader_of

_TOLD: Final = frozenset({"response.created", "response.completed", "response.incomplete", "response.failed"})


class _Error(msgspec.Struct):
    type: str | None = None
    code: str | int | None = None


class _Incomplete(msgspec.Struct):
    reason: str | None = None


class _Response(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    status: str | None = None
    incomplete_details: _Incomplete | None = None
    usage: WireUsage | None = None
    error: _Error | None = None

    def add_to(self, facts: ResponseFacts) -> None:
        facts.message_id = short(self.id) or facts.message_id
        facts.model = short(self.model) or facts.model
        if self.status not in (None, "in_progress", "queued"):
            why = self.incomplete_details.reason if self.incomplete_details is not None else None
            facts.stop_reason = short(why or self.status)
        if self.usage is not None:
            self.usage.add_to(facts.usage)
        if self.error is not None:
            facts.error_type = short(error_word(self.error.type, self.error.code))


class _Event(msgspec.Struct):
    type: str = ""
    response: _Response | None = None
    code: str | int | None = None
    error: _Error | None = None


_decode_event = msgspec.json.Decoder(_Event).decode
_decode_response = msgspec.json.Decoder(_Response).decode


class ResponseReader(EventReader):
    """Reads a streamed Response."""

    def may_tell(self, events: bytes) -> bool:
        """Tell whether to look at each event; nothing else of a stream tells of usage, and texts in it have escaped quotes."""
        return (
            b"response.created" in events
            or b"response.completed" in events
            or b"response.incomplete" in events
            or b"response.failed" in events
            or b'"error"' in events
        )

    def read(self, data: bytes) -> None:
        """Learn from one event."""
        read = decoded(_decode_event, data)
        if read is None:
            return
        if read.response is not None and read.type in _TOLD:
            read.response.add_to(self.facts)
        elif read.type == "error":
            error = read.error or _Error(code=read.code)
            self.facts.error_type = short(error_word(error.type, error.code))


def read_response(document: bytes, facts: ResponseFacts) -> None:
    """Write what a whole Response (or error envelope) says over ``facts``; what is neither says nothing."""
    read = decoded(_decode_response, document)
    if read is None:
        return
    read.add_to(facts)


def reader_for(content_type: str, content_encoding: str | None) -> Reader:
    """Return the reader for a response with these headers; the plan's backend streams without naming a type at times."""
    return reader_of(content_type or EVENT_STREAM, content_encoding, ResponseReader, read_response)


class _Body(msgspec.Struct):
    store: Any = None
    stream: Any = None
    instructions: Any = None
    max_output_tokens: Any = None


class _Item(msgspec.Struct):
    role: Any = None


class _Input(msgspec.Struct):
    input: list[_Item]


_decode_body = msgspec.json.Decoder(_Body).decode
_decode_input = msgspec.json.Decoder(_Input).decode
_SYSTEM: Final = ("developer", "system")


def codex_objection(operation: Operation, body: bytes) -> str | None:
    """Return which fields of a request the plan's backend cannot take, each with the mend; None when there is none."""
    read = decoded(_decode_body, body)
    if read is None:
        return None  # no JSON object: it does not come this far
    problems = []
    if read.store is not False:
        problems.append("store: the plan keeps no responses; send false")
    if read.stream is not True:
        problems.append("stream: the plan answers by stream alone; send true")
    if read.max_output_tokens is not None:
        problems.append("max_output_tokens: the plan takes no such limit; leave it out")
    if read.instructions is None and not _has_system_text(body):
        problems.append("instructions: the plan requires them; put the system text there")
    return f"by Subscription (the Codex backend), {'; '.join(problems)}" if problems else None


def _has_system_text(body: bytes) -> bool:
    read = decoded(_decode_input, body)
    return read is not None and any(item.role in _SYSTEM for item in read.input)
