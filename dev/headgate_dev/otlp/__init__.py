"""An OTLP sink: receives the traces Headgate exports, for tests to assert on and for the demo to show."""

from headgate_dev.otlp.sink import OTLPSink, OTLPSinkThread
from headgate_dev.otlp.spans import Span, SpanEvent
from headgate_dev.otlp.tree import render

__all__ = ["OTLPSink", "OTLPSinkThread", "Span", "SpanEvent", "render"]
