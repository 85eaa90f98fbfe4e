"""What a Chat Completion tells on its way: streamed, its first chunk, the one with the finish reason, and usage where asked for."""

import msgspec

from headgate_proxy.openai.usage import WireUsage
from headgate_proxy.protocols.decoding import decoded
from headgate_proxy.protocols.facts import ResponseFacts, short
from headgate_proxy.protocols.readers import EventReader, Reader, reader_of


class _Choice(msgspec.Struct):
    finish_reason: str | None = None
    usage: WireUsage | None = None
    """Where some vendors of compatible APIs put it in a stream."""


class _Error(msgspec.Struct):
    type: str | None = None
    code: str | int | None = None


class _Completion(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    choices: list[_Choice] | None = None
    usage: WireUsage | None = None
    error: _Error | None = None

    def add_to(self, facts: ResponseFacts) -> None:
        facts.message_id = short(self.id) or facts.message_id
        facts.model = short(self.model) or facts.model
        for choice in self.choices or ():
            facts.stop_reason = short(choice.finish_reason) or facts.stop_reason
            if choice.usage is not None:
                choice.usage.add_to(facts.usage)
        if self.usage is not None:
            self.usage.add_to(facts.usage)
        if self.error is not None:
            facts.error_type = short(error_word(self.error.type, self.error.code))


_decode = msgspec.json.Decoder(_Completion).decode


def error_word(kind: str | None, code: str | int | None) -> str:
    """Return what an error is called: its code says more than its type, and either may be missing."""
    return str(code) if code is not None else kind or "error"


class ChunkReader(EventReader):
    """Reads a streamed Chat Completion."""

    def may_tell(self, events: bytes) -> bool:
        """Tell whether to look at each event. Every chunk has ``"usage":null`` and ``"finish_reason":null``, which say nothing."""
        return (
            self.facts.model is None
            or b'"finish_reason":"' in events
            or b'"usage":{' in events
            or b'"error"' in events
            or b'"finish_reason": "' in events
            or b'"usage": {' in events
        )

    def read(self, data: bytes) -> None:
        """Learn from one chunk; ``[DONE]`` is none."""
        read_completion(data, self.facts)


def read_completion(document: bytes, facts: ResponseFacts) -> None:
    """Write what a whole completion, a chunk or an error envelope says over ``facts``; what is neither says nothing."""
    read = decoded(_decode, document)
    if read is None:
        return
    read.add_to(facts)


def reader_for(content_type: str, content_encoding: str | None) -> Reader:
    """Return the reader for a response with these headers."""
    return reader_of(content_type, content_encoding, ChunkReader, read_completion)
