"""Spans reach a real OTLP receiver; without one, requests do not notice and the log says so once."""

import logging

import pytest
from prometheus_client import CollectorRegistry

from headgate_api.redaction import Redactor
from headgate_api.secret import Secret
from headgate_dev.host.network import free_ports
from headgate_dev.otlp import OTLPSinkThread
from headgate_proxy.telemetry.exporting import otlp_processor, tracer_provider
from headgate_proxy.telemetry.metrics import ProxyMetrics

from .conftest import CANARY


def test_spans_arrive_redacted() -> None:
    failures: list[None] = []
    with OTLPSinkThread() as sink:
        processor = otlp_processor(sink.url, Redactor([Secret(CANARY)]), lambda: failures.append(None))
        provider = tracer_provider(processor, fleet="edge", namespace="system", pod="proxy-0")
        span = provider.get_tracer("test").start_span(f"chat {CANARY}", attributes={"a": CANARY, "b": [CANARY, "kept"]})
        span.record_exception(ValueError(CANARY))
        span.end()
        provider.shutdown()
        (seen,) = sink.wait_for_trace(f"{span.get_span_context().trace_id:032x}", spans=1, timeout=10)
        assert seen.name == "chat ***"
        assert seen.attributes["a"] == "***"
        assert seen.service == "headgate-proxy"
        assert not sink.contains(CANARY.encode())
    assert not failures


def test_an_outage_is_said_once_and_every_lost_batch_counted(caplog: pytest.LogCaptureFixture) -> None:
    registry = CollectorRegistry()
    (port,) = free_ports(1)
    processor = otlp_processor(f"http://127.0.0.1:{port}", Redactor(), ProxyMetrics(registry).export_failed)
    provider = tracer_provider(processor, fleet="edge", namespace="system", pod="proxy-0")
    tracer = provider.get_tracer("test")
    with caplog.at_level(logging.INFO):
        tracer.start_span("one").end()
        provider.force_flush(10_000)
        tracer.start_span("two").end()
        provider.shutdown()
    assert (registry.get_sample_value("headgate_proxy_trace_export_failures_total") or 0) >= 1
    assert [record.message for record in caplog.records] == ["traces are being dropped"]
