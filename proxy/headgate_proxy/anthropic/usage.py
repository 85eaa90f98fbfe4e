"""What a Messages response says of itself on the wire, in the vendor's own terms."""

import msgspec

from headgate_proxy.protocols.facts import ResponseFacts, Usage, sane, short


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
            if (count := sane(getattr(self, name))) is not None:
                setattr(usage, name, count)
        if self.cache_creation is not None:
            usage.cache_creation_5m_input_tokens = sane(self.cache_creation.ephemeral_5m_input_tokens) or 0
            usage.cache_creation_1h_input_tokens = sane(self.cache_creation.ephemeral_1h_input_tokens) or 0


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
