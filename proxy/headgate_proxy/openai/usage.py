"""What OpenAI's responses say of their tokens; counts of input include what was read from the cache."""

import msgspec

from headgate_proxy.protocols.facts import Usage, sane


class _Details(msgspec.Struct):
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


class WireUsage(msgspec.Struct):
    """``usage`` of either API on the wire: Chat counts prompt and completion, Responses input and output.

    ``cached_tokens`` beside them is how some vendors of compatible APIs tell it.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _Details | None = None
    completion_tokens_details: _Details | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: _Details | None = None
    output_tokens_details: _Details | None = None
    cached_tokens: int | None = None

    def add_to(self, usage: Usage) -> None:
        """Write every count given here over that of ``usage``: the vendor's counts are of the whole response."""
        into = sane(self.prompt_tokens if self.input_tokens is None else self.input_tokens)
        out = sane(self.completion_tokens if self.output_tokens is None else self.output_tokens)
        read = self.prompt_tokens_details or self.input_tokens_details
        thought = self.completion_tokens_details or self.output_tokens_details
        cached = sane(read.cached_tokens) if read is not None else sane(self.cached_tokens)
        if into is not None:
            usage.cache_read_input_tokens = min(cached or 0, into)
            usage.input_tokens = into - usage.cache_read_input_tokens
        if out is not None:
            usage.output_tokens = out
        if thought is not None:
            usage.reasoning_output_tokens = sane(thought.reasoning_tokens) or 0
