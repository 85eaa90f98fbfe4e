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
    GENERATE_CONTENT = "generate_content"
    STREAM_GENERATE_CONTENT = "stream_generate_content"
    COUNT_CONTENT_TOKENS = "count_content_tokens"


PATHS: Final[Mapping[Operation, str]] = {
    Operation.MESSAGES: "/v1/messages",
    Operation.COUNT_TOKENS: "/v1/messages/count_tokens",
    Operation.CHAT: "/v1/chat/completions",
    Operation.RESPONSES: "/v1/responses",
    Operation.GENERATE_CONTENT: "/v1beta/models/{model}:generateContent",
    Operation.STREAM_GENERATE_CONTENT: "/v1beta/models/{model}:streamGenerateContent",
    Operation.COUNT_CONTENT_TOKENS: "/v1beta/models/{model}:countTokens",
}
"""Where clients ask for each: the vendors' own paths."""
