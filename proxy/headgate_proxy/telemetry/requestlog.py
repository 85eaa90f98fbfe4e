"""One JSON line per request, written without the logging machinery: it is on every request's way.

Names and reasons come from resources and closed vocabularies; what the upstream said of itself is the only foreign text,
and passes through the redactor.
"""

import contextlib
from collections.abc import Callable
from typing import Any, Final

import msgspec

from headgate_api.clock import Clock
from headgate_api.redaction import MASK, Redactor
from headgate_proxy.telemetry.record import Record
from headgate_runtime.logs import timestamp

_DIGITS: Final = 6


class RequestLog:
    """Writes the line of a finished request through ``write`` (bytes with a newline), in one call."""

    def __init__(self, write: Callable[[bytes], object], redactor: Redactor, clock: Clock) -> None:
        self._write = write
        self._redactor = redactor
        self._clock = clock
        self._encode = msgspec.json.Encoder().encode
        self._second = (-1, "")

    def finished(self, record: Record) -> None:
        """Write the line; a reader of the log that went away must not fail the request."""
        with contextlib.suppress(OSError):
            self._write(self._encode(self._line(record)) + b"\n")

    def _line(self, record: Record) -> dict[str, Any]:
        outcome = record.outcome
        line: dict[str, Any] = {
            "time": self._time(),
            "level": "INFO",
            "logger": "headgate.request",
            "component": "proxy",
            "message": "request",
            "request_id": record.request_id,
            "method": record.method,
            "path": record.path,
            "track": record.track,
        }
        if record.trace_id is not None:
            line["trace_id"] = record.trace_id
        if record.caller is not None:
            line["caller"] = record.caller.actor
            if record.caller.pod is not None:
                line["caller_pod"] = record.caller.pod
        if record.route is not None:
            line["provider"] = record.route.provider.label
            line["model"] = record.route.model.name
            line["revision"] = record.revision
            line["streaming"] = record.streaming
        if record.selection is not None:
            line["auth_mode"] = record.selection.mode.value
            if record.selection.account is not None:
                line["account"] = record.selection.account
        if record.skipped:
            line["skipped"] = [str(item) for item in record.skipped]
        if record.fallbacks:
            line["fallback_reason"] = record.fallbacks[-1].reason.value
        if record.attempts > 1:
            line["attempts"] = record.attempts
        if record.first_byte is not None:
            line["first_byte_seconds"] = round(record.first_byte - record.started, _DIGITS)
        if record.ended is not None:
            line["duration_seconds"] = round(record.ended - record.started, _DIGITS)
        if outcome is not None:
            line["status"] = outcome.status
            line["request_bytes"] = outcome.request_bytes
            line["response_bytes"] = outcome.response_bytes
            if outcome.truncated:
                line["truncated"] = True
            if outcome.disconnected:
                line["disconnected"] = True
            foreign: dict[str, str | None] = {"error_type": outcome.error_type}
            if outcome.facts is not None:
                facts, usage = outcome.facts, outcome.facts.usage
                foreign |= {
                    "response_model": facts.model,
                    "response_id": facts.message_id,
                    "stop_reason": facts.stop_reason,
                    "upstream_error_type": facts.error_type,
                }
                line["usage"] = {
                    "input_tokens": usage.input_tokens,
                    "output_tokens": usage.output_tokens,
                    "cache_read_input_tokens": usage.cache_read_input_tokens,
                    "cache_creation_input_tokens": usage.cache_creation_input_tokens,
                }
            line |= self._clean({key: value for key, value in foreign.items() if value is not None})
        return line

    def _time(self) -> str:
        """Return the time as ``logs.timestamp`` writes it; the seconds are formatted once for all lines that share them."""
        now = self._clock.now()
        second = int(now.timestamp())
        if second != self._second[0]:
            self._second = (second, timestamp(second)[: -len("000Z")])
        return f"{self._second[1]}{now.microsecond // 1000:03d}Z"

    def _clean(self, texts: dict[str, str]) -> dict[str, str]:
        if not texts:
            return texts
        joined = "\n".join(texts.values())
        if self._redactor.redact(joined) == joined:  # one pass over all of them: the usual case
            return texts
        return {key: value if self._redactor.redact(value) == value else MASK for key, value in texts.items()}
