"""Server-sent events as vendors frame them: one place decides the bytes that tests compare."""

import json
from typing import Any


def compact_json(value: object) -> bytes:
    """Return ``value`` as the vendor writes JSON: compact, UTF-8, not escaped to ASCII."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def frame(event: dict[str, Any]) -> bytes:
    """Return ``event`` as one SSE event named by its ``type`` (Anthropic API docs, "Streaming messages")."""
    return b"event: " + str(event["type"]).encode() + b"\ndata: " + compact_json(event) + b"\n\n"
