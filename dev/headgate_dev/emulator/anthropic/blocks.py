"""Content blocks of a request: their shape, their text, their cache breakpoints; the vocabulary of the other modules here."""

import base64
import hashlib
import re
from collections.abc import Iterator

from headgate_dev.emulator.script import JsonObject

_REQUIRED: dict[str, dict[str, type | tuple[type, ...]]] = {
    "text": {"text": str},
    "tool_use": {"id": str, "name": str, "input": dict},
    "tool_result": {"tool_use_id": str},
    "thinking": {"thinking": str, "signature": str},
    "redacted_thinking": {"data": str},
    "image": {"source": dict},
    "document": {"source": dict},
}
_TOOL_USE_ID = re.compile(r"^[a-zA-Z0-9_-]+$")


def signature(thinking: str) -> str:
    """Return the signature this vendor puts on a thinking block and asks to get back unchanged."""
    return base64.b64encode(hashlib.sha256(b"headgate emulated thinking\n" + thinking.encode()).digest()).decode()


def check_content(where: str, content: object, *, only_text: bool = False, may_be_empty: bool = False) -> Iterator[str]:
    """Yield what the vendor refuses in ``content``, a string or a list of blocks found at ``where``."""
    if isinstance(content, str):
        if not content and not only_text and not may_be_empty:
            yield f"{where}: text content must be non-empty"
        return
    if not isinstance(content, list):
        yield f"{where}: Input should be a valid string or list"
        return
    if not content and not only_text and not may_be_empty:
        yield f"{where}: content must be non-empty"
    for index, block in enumerate(content):
        yield from _check_block(f"{where}.{index}", block, only_text)


def _check_block(where: str, block: object, only_text: bool) -> Iterator[str]:
    if not isinstance(block, dict) or not isinstance(block.get("type"), str):
        yield f"{where}.type: Field required"
        return
    kind = block["type"]
    if only_text and kind != "text":
        yield f"{where}.type: Input should be 'text'"
    for name, wanted in _REQUIRED.get(kind, {}).items():
        if name not in block:
            yield f"{where}.{kind}.{name}: Field required"
            return
        if not isinstance(block[name], wanted):
            yield f"{where}.{kind}.{name}: Input has the wrong type"
            return
    if kind == "text" and not block["text"]:
        yield f"{where}: text content blocks must be non-empty"
    if kind == "tool_use" and not _TOOL_USE_ID.match(block["id"]):
        yield f"{where}.tool_use.id: String should match pattern '{_TOOL_USE_ID.pattern}'"
    if kind == "thinking" and block["thinking"] and block["signature"] != signature(block["thinking"]):
        yield f"{where}: Invalid `signature` in `thinking` block"
    control = block.get("cache_control")
    if control is not None and not _valid_cache_control(control):
        yield f"{where}.cache_control: Input should be ephemeral with a ttl of '5m' or '1h'"


def _valid_cache_control(control: object) -> bool:
    return (
        isinstance(control, dict)
        and control.get("type") == "ephemeral"
        and control.get("ttl", "5m") in {"5m", "1h", None}
    )


def as_blocks(content: object) -> list[JsonObject]:
    """Return ``content`` as a list of blocks; a string is one text block."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def text_of(content: object) -> str:
    """Return the texts of ``content`` joined."""
    return "".join(str(block["text"]) for block in as_blocks(content) if block.get("type") == "text")


def prefix(request: JsonObject) -> list[JsonObject]:
    """Return everything a prompt cache covers, in its order: tools, system, then the messages' blocks."""
    messages = [message for message in request.get("messages", []) if isinstance(message, dict)]
    blocks = [*request.get("tools", []), *as_blocks(request.get("system"))]
    for message in messages:
        blocks.extend(as_blocks(message.get("content")))
    return [block for block in blocks if isinstance(block, dict)]


def breakpoints(request: JsonObject) -> list[tuple[int, str]]:
    """Return (index into ``prefix``, ttl "5m" or "1h") of every block that asks to be cached up to itself.

    A ``cache_control`` of the whole request marks the last block.
    """
    blocks = prefix(request)
    found = [
        (index, block["cache_control"].get("ttl") or "5m")
        for index, block in enumerate(blocks)
        if isinstance(block.get("cache_control"), dict)
    ]
    whole = request.get("cache_control")
    if isinstance(whole, dict) and blocks and (not found or found[-1][0] != len(blocks) - 1):
        found.append((len(blocks) - 1, whole.get("ttl") or "5m"))
    return found
