"""The sink receives what the real OpenTelemetry exporter sends."""

import asyncio
from collections.abc import Iterator

import aiohttp
import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode, format_trace_id

from headgate_dev.otlp import OTLPSink, OTLPSinkThread


@pytest.fixture
def sink() -> Iterator[OTLPSinkThread]:
    with OTLPSinkThread() as running:
        yield running


def send(url: str, compression: Compression = Compression.NoCompression) -> str:
    """Send one trace of three spans and return its id."""
    provider = TracerProvider(resource=Resource({"service.name": "proxy"}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(endpoint=url, compression=compression)))
    tracer = provider.get_tracer("test")
    with tracer.start_as_current_span("chat", kind=SpanKind.SERVER, attributes={"gen_ai.request.model": "m"}) as root:
        with tracer.start_as_current_span(
            "select mode", attributes={"headgate.auth_mode": "APIKey", "n": (1, 2)}
        ) as select:
            select.add_event("skipped", {"reason": "Revoked"})
        with tracer.start_as_current_span("POST", kind=SpanKind.CLIENT) as upstream:
            upstream.set_status(Status(StatusCode.ERROR, "overloaded"))
        trace_id = format_trace_id(root.get_span_context().trace_id)
    provider.shutdown()
    return trace_id


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip, Compression.Deflate])
def test_spans_arrive_whole(sink: OTLPSinkThread, compression: Compression) -> None:
    trace_id = send(sink.traces_url, compression)
    root, select, upstream = sink.wait_for_trace(trace_id, spans=3)
    assert sink.trace_ids == [trace_id]
    assert (root.name, root.kind, root.service, root.parent_id) == ("chat", "SERVER", "proxy", None)
    assert select.parent_id == upstream.parent_id == root.span_id
    assert select.attributes == {"headgate.auth_mode": "APIKey", "n": (1, 2)}
    assert [(event.name, event.attributes) for event in select.events] == [("skipped", {"reason": "Revoked"})]
    assert (upstream.status, upstream.status_message) == ("ERROR", "overloaded")
    assert root.start <= select.start <= select.end <= root.end


def test_secrets_are_found_in_compressed_bodies_too(sink: OTLPSinkThread) -> None:
    send(sink.traces_url, Compression.Gzip)
    assert sink.contains(b"headgate.auth_mode")
    assert not sink.contains(b"canary")


def test_a_trace_is_shown_as_a_tree(sink: OTLPSinkThread) -> None:
    trace_id = send(sink.traces_url)
    sink.wait_for_trace(trace_id, spans=3)
    lines = sink.tree(trace_id, ["headgate.*"]).splitlines()
    assert lines[0].startswith("chat [proxy] ")
    assert lines[1].startswith("├─ select mode [proxy] ")
    assert lines[2].split() == ["│", "headgate.auth_mode=APIKey"]
    assert "skipped" in lines[3]
    assert "reason=Revoked" in lines[3]
    assert lines[4].startswith("└─ POST [proxy] ")
    assert lines[4].endswith("ERROR overloaded")


def test_waiting_says_what_is_missing(sink: OTLPSinkThread) -> None:
    trace_id = send(sink.traces_url)
    with pytest.raises(TimeoutError, match=r"3 of 4 spans .*select mode"):
        sink.wait_for_trace(trace_id, spans=4, timeout=0.05)


async def test_a_waiter_is_woken_by_the_span_it_waits_for() -> None:
    async with OTLPSink() as sink, asyncio.TaskGroup() as group:
        sent = group.create_task(asyncio.to_thread(send, sink.traces_url))
        trace_id = await sent
        assert len(await sink.wait_for_trace(trace_id, spans=3)) == 3


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{}", {"Content-Type": "application/json"}, 415),
        (b"\xff\xff", {"Content-Type": "application/x-protobuf"}, 400),
        (b"no gzip", {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"}, 400),
        (b"", {"Content-Type": "application/x-protobuf", "Content-Encoding": "zstd"}, 400),
    ],
)
async def test_what_is_no_export_is_refused(body: bytes, headers: dict[str, str], status: int) -> None:
    async with (
        OTLPSink() as sink,
        aiohttp.ClientSession() as http,
        http.post(sink.traces_url, data=body, headers=headers) as response,
    ):
        assert response.status == status
        assert sink.trace_ids == []
