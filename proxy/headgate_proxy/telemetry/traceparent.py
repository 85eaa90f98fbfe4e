"""The W3C ``traceparent`` header, read without the OpenTelemetry SDK: it decides about sampling before anything is built.

Source: https://www.w3.org/TR/trace-context/#traceparent-header
"""

import re
import secrets
from dataclasses import dataclass
from typing import Final

_VERSION_00: Final = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_LATER: Final = re.compile(r"(?!ff|00)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
_NO_TRACE: Final = "0" * 32
_NO_SPAN: Final = "0" * 16
_SAMPLED: Final = 0x01


@dataclass(frozen=True, slots=True)
class TraceParent:
    """A caller's trace context; ``header`` is the value to pass on unchanged."""

    trace_id: str
    sampled: bool
    header: str


def parse(header: str | None) -> TraceParent | None:
    """Return the caller's context, or None when there is none or it is malformed (then it is ignored, as W3C says)."""
    if not header:
        return None
    match = _VERSION_00.fullmatch(header) or _LATER.fullmatch(header)
    if match is None:
        return None
    trace_id, span_id, flags = match.groups()
    if trace_id == _NO_TRACE or span_id == _NO_SPAN:
        return None
    sampled = bool(int(flags, 16) & _SAMPLED)
    return TraceParent(trace_id, sampled, f"00-{trace_id}-{span_id}-{'01' if sampled else '00'}")


def unsampled() -> str:
    """Return a fresh ``traceparent`` that says: not sampled."""
    ids = secrets.token_hex(24)
    return f"00-{ids[:32]}-{ids[32:]}-00"
