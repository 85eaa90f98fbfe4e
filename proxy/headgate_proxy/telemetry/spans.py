"""A sampled request: the same events as spans.

The tree is the SERVER span ``chat {model}`` with, in order, ``headgate.select``, the CLIENT span of the instrumented
session, and for a fallback ``headgate.fallback``, another ``headgate.select`` and another CLIENT span. Where a rollout decides,
``headgate.track`` comes first; a relayed request then has one CLIENT span, and the rest of the tree is the canary pod's.
"""

from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import urlsplit

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer

from headgate_api.clock import Clock
from headgate_proxy.callers.caller import Caller
from headgate_proxy.credentials.refreshing import RefreshOutcome
from headgate_proxy.edge.ports import Outcome
from headgate_proxy.routing.provider import Route
from headgate_proxy.selection.states import Exhausted, Failure, Fallback, Selection
from headgate_proxy.telemetry import semconv
from headgate_proxy.telemetry.metrics import ProxyMetrics
from headgate_proxy.telemetry.record import Record
from headgate_proxy.telemetry.requestlog import RequestLog
from headgate_proxy.telemetry.trace import PlainTrace
from headgate_proxy.tracks.decide import Decision


class SampledTrace(PlainTrace):
    """Implements ``edge.ports.RequestTrace`` with spans."""

    def __init__(
        self,
        record: Record,
        metrics: ProxyMetrics,
        log: RequestLog,
        clock: Clock,
        tracer: Tracer,
        parent: Context,
    ) -> None:
        super().__init__(record, metrics, log, clock, None)
        self._tracer = tracer
        self._span: Span = tracer.start_span(
            f"{record.method} {record.path}",
            context=parent,
            kind=SpanKind.SERVER,
            attributes={
                semconv.HTTP_METHOD: record.method,
                semconv.HTTP_ROUTE: record.path,
                semconv.REQUEST_ID: record.request_id,
                semconv.TRACK: record.track,
            },
        )
        self._context = trace.set_span_in_context(self._span, Context())
        record.trace_id = trace.format_trace_id(self._span.get_span_context().trace_id)

    @property
    def sampled(self) -> bool:
        """Return True: the upstream call goes by the instrumented session, which sends its own ``traceparent``."""
        return True

    def authenticated(self, caller: Caller) -> None:
        """Note who calls."""
        super().authenticated(caller)
        self._span.set_attribute(semconv.CALLER_NAMESPACE, caller.namespace)
        self._span.set_attribute(semconv.CALLER_SERVICE_ACCOUNT, caller.service_account)
        if caller.pod is not None:
            self._span.set_attribute(semconv.CALLER_POD, caller.pod)

    def routed(self, route: Route, revision: str | None, *, streaming: bool) -> None:
        """Name the span by operation and model."""
        super().routed(route, revision, streaming=streaming)
        provider = route.provider
        attributes: dict[str, Any] = {
            semconv.PROVIDER: semconv.PROVIDER_OF_PROTOCOL[provider.spec.protocol],
            semconv.REQUEST_MODEL: route.asked,
            semconv.HEADGATE_PROVIDER: provider.label,
            semconv.STREAMING: streaming,
        }
        if revision is not None:
            attributes[semconv.REVISION] = revision
        endpoint = urlsplit(provider.upstream.base_url)
        if endpoint.hostname is not None:
            attributes[semconv.SERVER_ADDRESS] = endpoint.hostname
            attributes[semconv.SERVER_PORT] = endpoint.port or (80 if endpoint.scheme == "http" else 443)
        operation = next(
            (name for end, name in semconv.OPERATION_OF_PATH.items() if self._record.path.endswith(end)), None
        )
        if operation is not None:
            attributes[semconv.OPERATION] = operation
            self._span.update_name(f"{operation} {route.asked}")
        self._span.set_attributes(attributes)

    def decided(self, decision: Decision) -> None:
        """Make a span of the decision."""
        super().decided(decision)
        attributes: dict[str, Any] = _rollout(decision.policy, decision.split.revision) | {
            semconv.TRACK_DECIDED: decision.track.value,
            semconv.TRACK_REASON: decision.reason.value,
        }
        if decision.source is not None:
            attributes[semconv.STICKY_SOURCE] = decision.source
        self._tracer.start_span(semconv.SPAN_TRACK, context=self._context, attributes=attributes).end()
        self._span.set_attributes(attributes)

    def relaying(self, decision: Decision) -> AbstractContextManager[None]:
        """Return the context in which the instrumented session finds its parent span; the canary pod continues the trace."""
        return self._current()

    def not_relayed(self, instead: Decision) -> None:
        """Note a relay that did not come about as an event of the request's span."""
        super().not_relayed(instead)
        attributes = {semconv.TRACK_DECIDED: instead.track.value, semconv.TRACK_REASON: instead.reason.value}
        self._span.set_attributes(attributes)
        self._span.add_event(semconv.EVENT_NOT_RELAYED, {semconv.TRACK_REASON: instead.reason.value})

    def admitted(self, policy: str, revision: str, request_id: str) -> None:
        """Note the rollout that the request was relayed for, and its id."""
        super().admitted(policy, revision, request_id)
        self._span.set_attributes({**_rollout(policy, revision), semconv.REQUEST_ID: request_id})

    def selected(self, decision: Selection | Exhausted) -> None:
        """Make a span of the decision, with what was passed over and why."""
        super().selected(decision)
        attributes: dict[str, Any] = {semconv.SKIPPED: [str(item) for item in decision.skipped]}
        if isinstance(decision, Selection):
            attributes[semconv.AUTH_MODE] = decision.mode.value
            if decision.account is not None:
                attributes[semconv.ACCOUNT] = decision.account
        span = self._tracer.start_span(semconv.SPAN_SELECT, context=self._context, attributes=attributes)
        if isinstance(decision, Exhausted):
            span.set_status(Status(StatusCode.ERROR, "no auth mode is left"))
        span.end()

    def fell_back(self, fallback: Fallback) -> None:
        """Make a span of the move, or of its denial."""
        super().fell_back(fallback)
        attributes = {
            semconv.FALLBACK_FROM: fallback.from_mode.value,
            semconv.FALLBACK_TO: "Denied" if fallback.to_mode is None else fallback.to_mode.value,
            semconv.FALLBACK_REASON: fallback.reason.value,
        }
        if fallback.account is not None:
            attributes[semconv.ACCOUNT] = fallback.account
        self._tracer.start_span(semconv.SPAN_FALLBACK, context=self._context, attributes=attributes).end()

    def upstream(self, selection: Selection) -> AbstractContextManager[None]:
        """Return the context in which the instrumented session finds its parent span."""
        super().upstream(selection)
        return self._current()

    def _current(self) -> AbstractContextManager[None]:
        # Nothing of this concerns the CLIENT span's own end: the session ends it.
        return trace.use_span(  # type: ignore[return-value]
            self._span, end_on_exit=False, record_exception=False, set_status_on_exception=False
        )

    def failed(self, selection: Selection, failure: Failure) -> None:
        """Note a failed attempt as an event of the request's span."""
        super().failed(selection, failure)
        attributes: dict[str, Any] = {
            semconv.FAILURE_REASON: failure.reason.value,
            semconv.AUTH_MODE: selection.mode.value,
        }
        if selection.account is not None:
            attributes[semconv.ACCOUNT] = selection.account
        if failure.status is not None:
            attributes[semconv.HTTP_STATUS] = failure.status
        self._span.add_event(semconv.EVENT_ATTEMPT_FAILED, attributes)

    def refresh_asked(self, selection: Selection, outcome: RefreshOutcome) -> None:
        """Note a refresh that was waited for as an event of the request's span."""
        attributes = {semconv.REFRESH_OUTCOME: outcome.value}
        if selection.account is not None:
            attributes[semconv.ACCOUNT] = selection.account
        self._span.add_event(semconv.EVENT_REFRESH_ASKED, attributes)

    def first_byte(self, status: int) -> None:
        """Note when the response began."""
        super().first_byte(status)
        self._span.add_event(semconv.EVENT_FIRST_BYTE)

    def finished(self, outcome: Outcome) -> None:
        """End the request's span with what is known of the answer."""
        super().finished(outcome)
        record, span = self._record, self._span
        attributes: dict[str, Any] = {semconv.HTTP_STATUS: outcome.status}
        if record.selection is not None:
            attributes[semconv.AUTH_MODE] = record.selection.mode.value
            if record.selection.account is not None:
                attributes[semconv.ACCOUNT] = record.selection.account
        if record.fallbacks:
            attributes[semconv.FALLBACK_REASON] = record.fallbacks[-1].reason.value
        if record.first_byte is not None:
            attributes[semconv.TIME_TO_FIRST_BYTE] = record.first_byte - record.started
        if outcome.truncated:
            attributes[semconv.TRUNCATED] = True
        if outcome.disconnected:
            attributes[semconv.DISCONNECTED] = True
        attributes |= _facts(outcome)
        if outcome.status >= 400 or outcome.truncated:
            attributes[semconv.ERROR_TYPE] = outcome.error_type or str(outcome.status)
        span.set_attributes(attributes)
        if outcome.status >= 500 or outcome.truncated:
            span.set_status(Status(StatusCode.ERROR, outcome.error_type))
        span.end()


def _rollout(policy: str, revision: str) -> dict[str, Any]:
    return {semconv.POLICY: policy, semconv.ROLLOUT: revision}


def _facts(outcome: Outcome) -> dict[str, Any]:
    facts = outcome.facts
    if facts is None:
        return {}
    usage = facts.usage
    attributes: dict[str, Any] = {
        semconv.INPUT_TOKENS: usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens,
        semconv.OUTPUT_TOKENS: usage.output_tokens,
    }
    if usage.cache_read_input_tokens:
        attributes[semconv.CACHE_READ_TOKENS] = usage.cache_read_input_tokens
    if usage.cache_creation_input_tokens:
        attributes[semconv.CACHE_CREATION_TOKENS] = usage.cache_creation_input_tokens
    if usage.reasoning_output_tokens:
        attributes[semconv.REASONING_TOKENS] = usage.reasoning_output_tokens
    if facts.model is not None:
        attributes[semconv.RESPONSE_MODEL] = facts.model
    if facts.message_id is not None:
        attributes[semconv.RESPONSE_ID] = facts.message_id
    if facts.stop_reason is not None:
        attributes[semconv.FINISH_REASONS] = [facts.stop_reason]
    return attributes
