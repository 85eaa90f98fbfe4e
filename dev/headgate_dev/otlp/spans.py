"""Spans as a test or a terminal wants them: read once from OTLP's protobuf, then plain data."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1 import trace_pb2

Attribute = str | bool | int | float | bytes | tuple["Attribute", ...] | dict[str, "Attribute"] | None


@dataclass(frozen=True)
class SpanEvent:
    """Something that happened during a span; ``time`` is nanoseconds since the epoch."""

    name: str
    time: int
    attributes: dict[str, Attribute]


@dataclass(frozen=True)
class Span:
    """One finished span; ids are lower-case hex, times nanoseconds since the epoch, ``parent_id`` None for a root.

    ``kind`` is OpenTelemetry's name (INTERNAL, SERVER, CLIENT, ...); ``status`` is UNSET, OK or ERROR.
    """

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    kind: str
    service: str
    start: int
    end: int
    attributes: dict[str, Attribute]
    events: tuple[SpanEvent, ...]
    status: str
    status_message: str

    @property
    def milliseconds(self) -> float:
        """Return how long the span took."""
        return (self.end - self.start) / 1e6


def decode(body: bytes) -> list[Span]:
    """Return the spans of an OTLP/HTTP trace export; ValueError when ``body`` is none.

    Source: opentelemetry-proto, ``collector/trace/v1/trace_service.proto``.
    """
    try:
        return list(_spans(ExportTraceServiceRequest.FromString(body)))
    except DecodeError as error:
        raise ValueError(str(error)) from None


def _spans(request: ExportTraceServiceRequest) -> Iterator[Span]:
    for resource_spans in request.resource_spans:
        service = str(_attributes(resource_spans.resource.attributes).get("service.name", ""))
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                yield _span(span, service)


def _span(span: trace_pb2.Span, service: str) -> Span:
    return Span(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex() or None,
        name=span.name,
        kind=trace_pb2.Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        service=service,
        start=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
        attributes=_attributes(span.attributes),
        events=tuple(
            SpanEvent(event.name, event.time_unix_nano, _attributes(event.attributes)) for event in span.events
        ),
        status=trace_pb2.Status.StatusCode.Name(span.status.code).removeprefix("STATUS_CODE_"),
        status_message=span.status.message,
    )


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, Attribute]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Attribute:
    match value.WhichOneof("value"):
        case None:
            return None
        case "array_value":
            return tuple(_value(item) for item in value.array_value.values)
        case "kvlist_value":
            return _attributes(value.kvlist_value.values)
        case field:
            plain: Attribute = getattr(value, field)
            return plain
