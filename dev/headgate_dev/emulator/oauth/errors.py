"""How an authorization server refuses: the standard's shape, and the one OpenAI answers with."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Dialect(StrEnum):
    """Whose habits the server has: shape of its errors, and whether refresh tokens rotate."""

    STANDARD = "Standard"  # RFC 6749 errors, rotating refresh tokens (as Anthropic)
    OPENAI = "OpenAI"  # {"error": {"code"}} for refresh tokens, 401; rotating
    GOOGLE = "Google"  # RFC 6749 errors; the refresh token stays


@dataclass(eq=False)
class OAuthRefused(Exception):  # noqa: N818 - an answer, not a defect
    """The server refuses; ``error`` is RFC 6749's word, ``code`` OpenAI's where it has one of its own."""

    error: str
    description: str
    status: int = 400
    code: str | None = None

    def body(self, dialect: Dialect) -> dict[str, Any]:
        """Return the JSON to answer with."""
        if dialect is Dialect.OPENAI and self.code is not None:
            return {"error": {"message": self.description, "type": "invalid_request_error", "code": self.code}}
        return {"error": self.error, "error_description": self.description}

    def answered(self, dialect: Dialect) -> int:
        """Return the HTTP status to answer with."""
        return 401 if dialect is Dialect.OPENAI and self.code is not None else self.status
