"""A receiver of OTLP/HTTP traces that keeps what it gets: where tests and the demo see the spans that Headgate sent."""

import asyncio
import gzip
import zlib
from collections.abc import Sequence
from typing import Self

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from headgate_dev.background import Background
from headgate_dev.otlp.spans import Span, decode
from headgate_dev.otlp.tree import render

_MAX_BODY_BYTES = 64 * 1024 * 1024
_PROTOBUF = "application/x-protobuf"


class OTLPSink:
    """``async with OTLPSink() as sink:``; point an exporter at ``sink.url`` + ``/v1/traces`` (protobuf, gzip or not)."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self._host, self._port = host, port
        self._bodies: list[bytes] = []
        self._traces: dict[str, dict[str, Span]] = {}
        self._changed = asyncio.Condition()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Return the base address: what ``OTEL_EXPORTER_OTLP_ENDPOINT`` wants."""
        return f"http://{self._host}:{self._port}"

    @property
    def traces_url(self) -> str:
        """Return the full address: what an exporter's ``endpoint`` wants."""
        return f"{self.url}/v1/traces"

    @property
    def trace_ids(self) -> list[str]:
        """Return the ids of all traces seen, oldest first, as lower-case hex."""
        return list(self._traces)

    def spans(self, trace_id: str | None = None) -> list[Span]:
        """Return the spans of one trace (of all, without ``trace_id``) in the order of their start."""
        chosen = self._traces.values() if trace_id is None else [self._traces.get(trace_id, {})]
        return sorted(
            (span for trace in chosen for span in trace.values()), key=lambda span: (span.start, span.span_id)
        )

    def tree(self, trace_id: str, attributes: Sequence[str] = ()) -> str:
        """Return the trace as text; see ``headgate_dev.otlp.tree.render``."""
        return render(self.spans(trace_id), attributes)

    def contains(self, needle: bytes) -> bool:
        """Say whether ``needle`` occurs in anything received (inflated, otherwise as sent): for secrets that must not."""
        return any(needle in body for body in self._bodies)

    async def wait_for_trace(self, trace_id: str, spans: int = 1, timeout: float = 10.0) -> list[Span]:  # noqa: ASYNC109
        """Return the trace's spans once there are at least ``spans``; TimeoutError, naming what came, after ``timeout`` s."""
        try:
            async with asyncio.timeout(timeout), self._changed:
                await self._changed.wait_for(lambda: len(self._traces.get(trace_id, {})) >= spans)
        except TimeoutError:
            got = [span.name for span in self.spans(trace_id)]
            raise TimeoutError(f"trace {trace_id}: {len(got)} of {spans} spans after {timeout} s: {got}") from None
        return self.spans(trace_id)

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=_MAX_BODY_BYTES)
        app.router.add_post("/v1/traces", self._receive)
        self._runner = web.AppRunner(app, access_log=None, auto_decompress=False, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        try:
            await site.start()
        except BaseException:
            await self._runner.cleanup()
            raise
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _receive(self, request: web.Request) -> web.Response:
        if request.content_type != _PROTOBUF:
            return web.Response(status=415, text=f"Content-Type: expected {_PROTOBUF}, got {request.content_type}")
        try:
            body = _inflate(await request.read(), request.headers.get("Content-Encoding", "identity"))
            spans = decode(body)
        except (ValueError, OSError, EOFError, zlib.error) as error:
            return web.Response(status=400, text=f"the body is no OTLP trace export: {error}")
        self._bodies.append(body)
        for span in spans:
            self._traces.setdefault(span.trace_id, {})[span.span_id] = span
        async with self._changed:
            self._changed.notify_all()
        return web.Response(body=ExportTraceServiceResponse().SerializeToString(), content_type=_PROTOBUF)


class OTLPSinkThread:
    """The sink for code that blocks: ``with OTLPSinkThread() as sink:``; the same methods, from any thread."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self._background = Background(lambda: OTLPSink(host, port))

    def __enter__(self) -> Self:
        self._background.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._background.__exit__()

    @property
    def url(self) -> str:
        """Return the base address."""
        return self._background.inside.url

    @property
    def traces_url(self) -> str:
        """Return the full address for an exporter's ``endpoint``."""
        return self._background.inside.traces_url

    @property
    def trace_ids(self) -> list[str]:
        """Return the ids of all traces seen, oldest first."""
        return self._background.ask(lambda sink: sink.trace_ids)

    def spans(self, trace_id: str | None = None) -> list[Span]:
        """Return the spans of one trace, or of all."""
        return self._background.ask(lambda sink: sink.spans(trace_id))

    def tree(self, trace_id: str, attributes: Sequence[str] = ()) -> str:
        """Return the trace as text."""
        return render(self.spans(trace_id), attributes)

    def contains(self, needle: bytes) -> bool:
        """Say whether ``needle`` occurs in anything received."""
        return self._background.ask(lambda sink: sink.contains(needle))

    def wait_for_trace(self, trace_id: str, spans: int = 1, timeout: float = 10.0) -> list[Span]:
        """Block until the trace has at least ``spans`` spans and return them; TimeoutError after ``timeout`` seconds."""
        return self._background.call(lambda sink: sink.wait_for_trace(trace_id, spans, timeout))


def _inflate(body: bytes, encoding: str) -> bytes:
    match encoding:
        case "gzip":
            return gzip.decompress(body)
        case "deflate":
            return zlib.decompress(body)
        case "identity":
            return body
        case _:
            raise ValueError(f"Content-Encoding: {encoding} is not supported")
