"""Begins the trace of each request; whether it is sampled is decided first, so that the others cost next to nothing."""

import random
from collections.abc import Mapping
from typing import Final

from opentelemetry.context import Context
from opentelemetry.trace import Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from headgate_api.clock import Clock
from headgate_proxy.telemetry import traceparent
from headgate_proxy.telemetry.metrics import ProxyMetrics
from headgate_proxy.telemetry.record import Record
from headgate_proxy.telemetry.requestlog import RequestLog
from headgate_proxy.telemetry.spans import SampledTrace
from headgate_proxy.telemetry.trace import PlainTrace

_PERCENT: Final = 100


class Telemetry:
    """Implements ``edge.ports.Telemetry``. Without a tracer nothing is sampled, and a caller's context passes unchanged."""

    def __init__(
        self,
        metrics: ProxyMetrics,
        log: RequestLog,
        clock: Clock,
        *,
        tracer: Tracer | None,
        sampling_percent: int,
        track: str,
        source: random.Random | None = None,
    ) -> None:
        self._metrics = metrics
        self._log = log
        self._clock = clock
        self._tracer = tracer
        self._percent = sampling_percent
        self._track = track
        self._random = source if source is not None else random.Random()  # noqa: S311 - which requests to look at: no secret
        self._propagator = TraceContextTextMapPropagator()

    def begin(self, headers: Mapping[str, str], *, request_id: str, method: str, path: str) -> PlainTrace:
        """Return the request's trace; the caller's ``traceparent`` decides about sampling, else the configured share."""
        record = Record(request_id, method, path, self._track, self._clock.monotonic())
        caller = traceparent.parse(headers.get("traceparent"))
        if caller is not None:
            record.trace_id = caller.trace_id
        if self._tracer is None:
            passed_on = None if caller is None else caller.header
            return PlainTrace(record, self._metrics, self._log, self._clock, passed_on)
        sampled = self._random.random() * _PERCENT < self._percent if caller is None else caller.sampled
        if not sampled:
            passed_on = traceparent.unsampled() if caller is None else caller.header
            return PlainTrace(record, self._metrics, self._log, self._clock, passed_on)
        parent = Context()
        if caller is not None:
            carrier = {"traceparent": caller.header}
            if state := headers.get("tracestate"):
                carrier["tracestate"] = state
            parent = self._propagator.extract(carrier, parent)
        return SampledTrace(record, self._metrics, self._log, self._clock, self._tracer, parent)
