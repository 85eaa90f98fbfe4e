"""The way of spans out of the process: redacted, batched in a thread of their own, and never in a request's way."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import aiohttp
import yarl
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation._semconv import _StabilityMode
from opentelemetry.instrumentation.aiohttp_client import create_trace_config
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Status

from headgate_api.redaction import Redactor

_EXPORT_SECONDS: Final = 5.0
_DELAY_MILLIS: Final = 1000
_QUEUE: Final = 2048
_BATCH: Final = 256

_log = logging.getLogger(__name__)


class RedactingExporter(SpanExporter):
    """Passes spans on with every text redacted; tells once when an outage begins and once when it ends."""

    def __init__(self, inner: SpanExporter, redactor: Redactor, failed: Callable[[], None]) -> None:
        self._inner = inner
        self._redactor = redactor
        self._failed = failed
        self._away = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export a batch; whatever goes wrong, the batch is dropped and counted."""
        problem = "the receiver did not take them"
        try:
            result = self._inner.export([self._clean(span) for span in spans])
        except Exception as error:  # the thread must outlive whatever a receiver does
            problem, result = f"{type(error).__name__}: {error}", SpanExportResult.FAILURE
        if result is SpanExportResult.SUCCESS:
            if self._away:
                _log.info("traces are exported again")
            self._away = False
            return result
        self._failed()
        if not self._away:
            _log.warning("traces are being dropped", extra={"problem": self._redactor.redact(problem)})
        self._away = True
        return result

    def shutdown(self) -> None:
        """Release the connections."""
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Pass on."""
        return self._inner.force_flush(timeout_millis)

    def _clean(self, span: ReadableSpan) -> ReadableSpan:
        return ReadableSpan(
            name=self._redactor.redact(span.name),
            context=span.context,
            parent=span.parent,
            resource=span.resource,
            attributes=self._attributes(span.attributes),
            events=[Event(event.name, self._attributes(event.attributes), event.timestamp) for event in span.events],
            links=span.links,
            kind=span.kind,
            status=Status(span.status.status_code, self._text(span.status.description)),
            start_time=span.start_time,
            end_time=span.end_time,
            instrumentation_scope=span.instrumentation_scope,
        )

    def _text(self, value: str | None) -> str | None:
        return None if value is None else self._redactor.redact(value)

    def _attributes(self, attributes: Mapping[str, Any] | None) -> dict[str, Any]:
        return {key: self._value(value) for key, value in (attributes or {}).items()}

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._redactor.redact(value)
        if isinstance(value, tuple | list):
            return tuple(self._value(item) for item in value)
        return value


def otlp_processor(endpoint: str, redactor: Redactor, failed: Callable[[], None]) -> SpanProcessor:
    """Return the processor that sends batches to ``endpoint``/v1/traces from its own thread; its queue is bounded."""
    # The exporter logs every failed try with a traceback; RedactingExporter says it once per outage.
    logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL)
    exporter = OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces", timeout=_EXPORT_SECONDS)
    return BatchSpanProcessor(
        RedactingExporter(exporter, redactor, failed),
        max_queue_size=_QUEUE,
        schedule_delay_millis=_DELAY_MILLIS,
        max_export_batch_size=_BATCH,
        export_timeout_millis=_EXPORT_SECONDS * 1000,
    )


def tracer_provider(processor: SpanProcessor, *, fleet: str, namespace: str, pod: str) -> TracerProvider:
    """Return a provider that records all it is asked to: whether to ask is decided before (``telemetry``)."""
    resource = Resource.create(
        {
            "service.name": "headgate-proxy",
            "service.namespace": namespace,
            "service.instance.id": pod,
            "k8s.namespace.name": namespace,
            "k8s.pod.name": pod,
            "headgate.fleet": fleet,
        }
    )
    provider = TracerProvider(resource=resource, sampler=ALWAYS_ON, shutdown_on_exit=False)
    provider.add_span_processor(processor)
    return provider


def client_trace_config(provider: TracerProvider) -> aiohttp.TraceConfig:
    """Return the instrumentation of the session that sampled requests use; a URL's query and user never enter a span."""
    return create_trace_config(url_filter=_bare, tracer_provider=provider, sem_conv_opt_in_mode=_StabilityMode.HTTP)


def _bare(url: yarl.URL) -> str:
    return str(url.with_query(None).with_fragment(None).with_user(None))
