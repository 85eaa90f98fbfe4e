"""What a Messages response says of itself: model, stop reason and tokens, in the vendor's own terms."""

from dataclasses import dataclass, field
from typing import Final

import msgspec

_MOST_TOKENS: Final = 10**12
"""No response has more; counters and spans take no arbitrary number."""
_LONGEST: Final = 256


def short(text: str | None) -> str | None:
    """Return what an upstream says of itself, cut to a length that logs and spans can take."""
    return text[:_LONGEST] if text is not None else None


def _sane(count: int | None) -> int:
    return count if count is not None and 0 <= count <= _MOST_TOKENS else 0


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

    usage: Usage = field(default_factory=Usage)
    model: str | None = None
    message_id: str | None = None
    stop_reason: str | None = None
    error_type: str | None = None


class _CacheCreation(msgspec.Struct):
    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class WireUsage(msgspec.Struct):
    """``usage`` on the wire. A member that is absent or null says nothing new."""

    input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation: _CacheCreation | None = None
    output_tokens: int | None = None

    def add_to(self, usage: Usage) -> None:
        """Write every count given here over that of ``usage``: the vendor's counts are cumulative."""
        for name in ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens"):
            if (count := getattr(self, name)) is not None and 0 <= count <= _MOST_TOKENS:
                setattr(usage, name, count)
        if self.cache_creation is not None:
            usage.cache_creation_5m_input_tokens = _sane(self.cache_creation.ephemeral_5m_input_tokens)
            usage.cache_creation_1h_input_tokens = _sane(self.cache_creation.ephemeral_1h_input_tokens)


class WireError(msgspec.Struct):
    """``error`` of an envelope on the wire."""

    type: str | None = None


class WireMessage(msgspec.Struct):
    """A Message on the wire (or an error envelope, whose ``error`` is then set)."""

    id: str | None = None
    model: str | None = None
    stop_reason: str | None = None
    usage: WireUsage | None = None
    error: WireError | None = None

    def add_to(self, facts: ResponseFacts) -> None:
        """Write what this says over ``facts``."""
        facts.message_id = short(self.id) or facts.message_id
        facts.model = short(self.model) or facts.model
        facts.stop_reason = short(self.stop_reason) or facts.stop_reason
        if self.usage is not None:
            self.usage.add_to(facts.usage)
        if self.error is not None:
            facts.error_type = short(self.error.type)
