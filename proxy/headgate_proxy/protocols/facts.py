"""What a response says of itself: model, why it stopped, and tokens, in one meaning for every protocol."""

from dataclasses import dataclass, field
from typing import Final

_MOST_TOKENS: Final = 10**12
"""No response has more; counters and spans take no arbitrary number."""
_LONGEST: Final = 256


def short(text: str | None) -> str | None:
    """Return what an upstream says of itself, cut to a length that logs and spans can take."""
    return text[:_LONGEST] if text is not None else None


def sane(count: int | None) -> int | None:
    """Return a count of tokens, or None where the upstream gave none that can be one."""
    return count if count is not None and 0 <= count <= _MOST_TOKENS else None


@dataclass(slots=True)
class Usage:
    """Token counts of one response; all zero until the upstream has said so.

    ``input_tokens`` excludes cache reads and writes; all input is the sum of the three. ``output_tokens``
    includes the ones spent on reasoning, which ``reasoning_output_tokens`` tells where the vendor does.
    """

    input_tokens: int = 0
    cache_creation_input_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_creation_5m_input_tokens: int = 0
    cache_creation_1h_input_tokens: int = 0
    output_tokens: int = 0
    reasoning_output_tokens: int = 0


@dataclass(slots=True)
class ResponseFacts:
    """What was read from a response's bytes on their way; ``stop_reason`` and ``error_type`` in the vendor's own words."""

    usage: Usage = field(default_factory=Usage)
    model: str | None = None
    message_id: str | None = None
    stop_reason: str | None = None
    error_type: str | None = None
