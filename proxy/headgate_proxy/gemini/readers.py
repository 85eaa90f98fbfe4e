"""What a GenerateContentResponse tells on its way: every piece of a stream repeats the counts so far, the last one is right."""

import msgspec

from headgate_proxy.protocols.decoding import decoded
from headgate_proxy.protocols.facts import ResponseFacts, Usage, sane, short
from headgate_proxy.protocols.readers import EventReader, Reader, data_of, reader_of, split


class _Usage(msgspec.Struct, rename="camel"):
    prompt_token_count: int | None = None
    cached_content_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None

    def add_to(self, usage: Usage) -> None:
        """Write the counts over those of ``usage``: a prompt's includes what was cached, an answer's excludes thoughts."""
        if (prompt := sane(self.prompt_token_count)) is not None:
            usage.cache_read_input_tokens = min(sane(self.cached_content_token_count) or 0, prompt)
            tools = sane(self.tool_use_prompt_token_count) or 0
            usage.input_tokens = prompt - usage.cache_read_input_tokens + tools
        said, thought = sane(self.candidates_token_count), sane(self.thoughts_token_count)
        if said is not None or thought is not None:
            usage.reasoning_output_tokens = thought or 0
            usage.output_tokens = (said or 0) + (thought or 0)


class _Candidate(msgspec.Struct, rename="camel"):
    finish_reason: str | None = None


class _Feedback(msgspec.Struct, rename="camel"):
    block_reason: str | None = None


class _Error(msgspec.Struct):
    status: str | None = None


class _Response(msgspec.Struct, rename="camel"):
    candidates: list[_Candidate] | None = None
    prompt_feedback: _Feedback | None = None
    usage_metadata: _Usage | None = None
    model_version: str | None = None
    response_id: str | None = None
    error: _Error | None = None

    def add_to(self, facts: ResponseFacts) -> None:
        """Write what this says over ``facts``."""
        facts.message_id = short(self.response_id) or facts.message_id
        facts.model = short(self.model_version) or facts.model
        blocked = self.prompt_feedback.block_reason if self.prompt_feedback is not None else None
        for reason in (blocked, *(candidate.finish_reason for candidate in self.candidates or ())):
            facts.stop_reason = short(reason) or facts.stop_reason
        if self.usage_metadata is not None:
            self.usage_metadata.add_to(facts.usage)
        if self.error is not None:
            facts.error_type = short(self.error.status or "error")


_decode_one = msgspec.json.Decoder(_Response).decode
_decode_any = msgspec.json.Decoder(_Response | list[_Response]).decode


class ChunkReader(EventReader):
    """Reads a stream of server-sent events (``alt=sse``); of the counts that every one repeats, it reads the last at the end."""

    def __init__(self) -> None:
        super().__init__()
        self._last = b""

    def may_tell(self, events: bytes) -> bool:
        """Tell whether to look at each event at once."""
        return b'"finishReason"' in events or b'"blockReason"' in events or b'"error"' in events

    def ended(self, events: bytes) -> None:
        """Take events that are complete."""
        self._last = events
        super().ended(events)

    def finish(self) -> None:
        """Read the counts."""
        for event in reversed(split(self._last)):
            if event:
                self.read(data_of(event))
                return

    def read(self, data: bytes) -> None:
        """Learn from one piece."""
        read = decoded(_decode_one, data)
        if read is None:
            return
        read.add_to(self.facts)


def read_response(document: bytes, facts: ResponseFacts) -> None:
    """Write what a whole response (or error envelope), or an array of pieces, says over ``facts``."""
    read = decoded(_decode_any, document)
    if read is None:
        return
    for piece in read if isinstance(read, list) else (read,):
        piece.add_to(facts)


def reader_for(content_type: str, content_encoding: str | None) -> Reader:
    """Return the reader for a response with these headers."""
    return reader_of(content_type, content_encoding, ChunkReader, read_response)


def stream_reader_for(content_type: str, content_encoding: str | None) -> Reader:
    """Return the reader for the answer to a request for a stream: without ``alt=sse`` it is a JSON array that grows."""
    reader = reader_for(content_type, content_encoding)
    reader.streaming = True
    return reader
