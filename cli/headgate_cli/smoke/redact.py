"""Payloads as they may be shown: their shape and numbers, lengths in place of text, nothing that looks like a secret."""

from typing import Any, Final

from headgate_api.redaction import Redactor

_WORDS: Final = frozenset(
    ("type", "role", "model", "id", "object", "stop_reason", "service_tier", "name", "display_name", "created_at")
)
"""Fields whose text is vocabulary or a name, not content."""
_ITEMS: Final = 4
"""Items of a list that are shown."""


def redact(value: Any, redactor: Redactor, field: str = "") -> Any:
    """Return a JSON value without content: ``field`` is the name it stands under; errors keep their message, masked."""
    if isinstance(value, dict):
        return {
            str(key): redactor.redact(item)
            if (field, key) == ("error", "message") and isinstance(item, str)
            else redact(item, redactor, str(key))
            for key, item in value.items()
        }
    if isinstance(value, list):
        shown = [redact(item, redactor, field) for item in value[:_ITEMS]]
        return shown if len(value) <= _ITEMS else [*shown, f"<{len(value) - _ITEMS} more>"]
    if isinstance(value, str):
        return redactor.redact(value) if field in _WORDS else f"<{len(value)} characters>"
    return value
