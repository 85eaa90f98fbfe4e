"""One JSON line per request, written without the logging machinery: it is on every request's way.

Names and reasons come from resources and closed vocabularies; what the upstream said of itself is the only foreign text,
and passes through the redactor.
"""

import contextlib
from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import UNSET

from headgate_api.clock import Clock
from headgate_api.redaction import MASK, Redactor
from headgate_proxy.edge.ports import Outcome
from headgate_proxy.telemetry.record import Record
from headgate_runtime.logs import timestamp

_DIGITS: Final = 6
_Maybe = str | msgspec.UnsetType


class _Usage(msgspec.Struct):
    input_tokens: int
    output_tokens: int
    cache_read_input_tokens: int
    cache_creation_input_tokens: int
    reasoning_output_tokens: int | msgspec.UnsetType = UNSET


class _Line(msgspec.Struct, kw_only=True):
    """The members of a line, in their order; what is UNSET is left out."""

    time: str
    level: str = "INFO"
    logger: str = "headgate.request"
    component: str = "proxy"
    message: str = "request"
    request_id: str
    method: str
    path: str
    track: str
    trace_id: _Maybe = UNSET
    caller: _Maybe = UNSET
    caller_pod: _Maybe = UNSET
    provider: _Maybe = UNSET
    model: _Maybe = UNSET
    revision: str | msgspec.UnsetType | None = UNSET
    policy: _Maybe = UNSET
    rollout: _Maybe = UNSET
    decision: _Maybe = UNSET
    decision_reason: _Maybe = UNSET
    sticky_source: _Maybe = UNSET
    streaming: bool | msgspec.UnsetType = UNSET
    auth_mode: _Maybe = UNSET
    account: _Maybe = UNSET
    skipped: list[str] | msgspec.UnsetType = UNSET
    fallback_reason: _Maybe = UNSET
    attempts: int | msgspec.UnsetType = UNSET
    first_byte_seconds: float | msgspec.UnsetType = UNSET
    duration_seconds: float | msgspec.UnsetType = UNSET
    status: int | msgspec.UnsetType = UNSET
    request_bytes: int | msgspec.UnsetType = UNSET
    response_bytes: int | msgspec.UnsetType = UNSET
    truncated: bool | msgspec.UnsetType = UNSET
    disconnected: bool | msgspec.UnsetType = UNSET
    usage: _Usage | msgspec.UnsetType = UNSET
    error_type: _Maybe = UNSET
    response_model: _Maybe = UNSET
    response_id: _Maybe = UNSET
    stop_reason: _Maybe = UNSET
    upstream_error_type: _Maybe = UNSET


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

    def _line(self, record: Record) -> _Line:
        line = _Line(
            time=self._time(),
            request_id=record.request_id,
            method=record.method,
            path=record.path,
            track=record.track,
        )
        if record.trace_id is not None:
            line.trace_id = record.trace_id
        if record.caller is not None:
            line.caller = record.caller.actor
            if record.caller.pod is not None:
                line.caller_pod = record.caller.pod
        if record.route is not None:
            line.provider = record.route.provider.label
            line.model = record.route.model.name
            line.revision = record.revision
            line.streaming = record.streaming
        if record.policy is not None and record.rollout is not None:
            self._add_rollout(line, record, record.policy, record.rollout)
        if record.selection is not None:
            line.auth_mode = record.selection.mode.value
            if record.selection.account is not None:
                line.account = record.selection.account
        if record.skipped:
            line.skipped = [str(item) for item in record.skipped]
        if record.fallbacks:
            line.fallback_reason = record.fallbacks[-1].reason.value
        if record.attempts > 1:
            line.attempts = record.attempts
        if record.first_byte is not None:
            line.first_byte_seconds = round(record.first_byte - record.started, _DIGITS)
        if record.ended is not None:
            line.duration_seconds = round(record.ended - record.started, _DIGITS)
        if record.outcome is not None:
            self._add_outcome(line, record.outcome, relayed=record.relayed)
        return line

    def _add_rollout(self, line: _Line, record: Record, policy: str, rollout: str) -> None:
        line.policy, line.rollout = policy, rollout
        if (decision := record.decision) is not None:
            line.decision, line.decision_reason = decision.track.value, decision.reason.value
            if decision.source is not None:
                line.sticky_source = decision.source

    def _add_outcome(self, line: _Line, outcome: Outcome, *, relayed: bool) -> None:
        line.status = outcome.status
        line.request_bytes = outcome.request_bytes
        line.response_bytes = outcome.response_bytes
        if outcome.truncated:
            line.truncated = True
        if outcome.disconnected:
            line.disconnected = True
        foreign: dict[str, str] = {}
        if outcome.error_type is not None:
            foreign["error_type"] = outcome.error_type
        facts = outcome.facts
        if facts is not None:
            usage = facts.usage
            if (
                not relayed
            ):  # the pod that serves a request tells what it used: summing up lines must not count it twice
                line.usage = _Usage(
                    usage.input_tokens,
                    usage.output_tokens,
                    usage.cache_read_input_tokens,
                    usage.cache_creation_input_tokens,
                    usage.reasoning_output_tokens or UNSET,
                )
            if facts.model is not None:
                foreign["response_model"] = facts.model
            if facts.message_id is not None:
                foreign["response_id"] = facts.message_id
            if facts.stop_reason is not None:
                foreign["stop_reason"] = facts.stop_reason
            if facts.error_type is not None:
                foreign["upstream_error_type"] = facts.error_type
        for key, value in self._clean(foreign).items():
            setattr(line, key, value)

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
