"""What a caller may ask of a model, in every protocol; each operation belongs to exactly one of them."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Literal

ProtocolName = Literal["Anthropic", "OpenAI", "Gemini"]


class Operation(StrEnum):
    """What a caller asks of a model."""

    MESSAGES = "messages"
    COUNT_TOKENS = "count_tokens"
    CHAT = "chat_completions"
    RESPONSES = "responses"


PATHS: Final[Mapping[Operation, str]] = {
    Operation.MESSAGES: "/v1/messages",
    Operation.COUNT_TOKENS: "/v1/messages/count_tokens",
    Operation.CHAT: "/v1/chat/completions",
    Operation.RESPONSES: "/v1/responses",
}
"""Where clients ask for each: the vendors' own paths."""
