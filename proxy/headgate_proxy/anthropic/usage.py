"""What a Messages response says of itself: model, stop reason and tokens, in the vendor's own terms."""

from dataclasses import dataclass


@dataclass(slots=True)
class Usage:
    """Token counts of one response; all zero until the upstream has said so.

    ``input_tokens`` excludes cache reads and writes, as the vendor counts; the total is the sum of the three.
    """

    input_tokens: int = 0
    cache_creation_input_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_creation_5m_input_tokens: int = 0
    cache_creation_1h_input_tokens: int = 0
    output_tokens: int = 0


@dataclass(slots=True)
class ResponseFacts:
    """What was read from a response's bytes on their way."""

    usage: Usage
    model: str | None = None
    message_id: str | None = None
    stop_reason: str | None = None
    error_type: str | None = None
