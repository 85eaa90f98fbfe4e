"""One request that falls back, seen in its trace, its metrics and its log line: the same words everywhere."""

import aiohttp
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

from headgate_api.reasons import AuthMode, SkipReason
from headgate_dev.emulator import Emulator
from headgate_proxy.edge.ports import Outcome
from headgate_proxy.protocols.facts import ResponseFacts, Usage
from headgate_proxy.selection.states import Exhausted, Fallback, Skipped
from headgate_proxy.telemetry.exporting import client_trace_config

from .conftest import BY_KEY, BY_PLAN, CALLER, CANARY, FALLBACK, REVOKED, Watched, route
from .test_sampling import SPAN, TRACE, header

FACTS = ResponseFacts(
    Usage(input_tokens=10, cache_read_input_tokens=5, cache_creation_input_tokens=2, output_tokens=7),
    model="claude-sonnet-1",
    message_id="msg_1",
    stop_reason="end_turn",
)
OUTCOME = Outcome(200, facts=FACTS, streaming=True, request_bytes=100, response_bytes=200)


async def fall_back(watched: Watched, headers: dict[str, str], outcome: Outcome = OUTCOME) -> None:
    """Go through a request's events as the edge does, with real upstream calls."""
    configs = [client_trace_config(watched.provider)]
    async with Emulator() as vendor, aiohttp.ClientSession(trace_configs=configs) as session:
        trace = watched.telemetry.begin(headers, request_id="req-1", method="POST", path="/v1/messages")
        trace.authenticated(CALLER)
        trace.routed(route(vendor.url), "rev-1", streaming=True)
        trace.selected(BY_PLAN)
        with trace.upstream(BY_PLAN):
            async with session.get(f"{vendor.url}/v1/messages?key={CANARY}") as answer:
                assert answer.status >= 400
        trace.failed(BY_PLAN, REVOKED)
        trace.selected(BY_KEY)
        trace.fell_back(FALLBACK)
        with trace.upstream(BY_KEY):
            async with session.get(f"{vendor.url}/v1/messages"):
                pass
        watched.clock.advance(1.5)
        trace.first_byte(200)
        watched.clock.advance(2)
        trace.finished(outcome)


def attributes(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


async def test_the_trace_is_a_tree_that_continues_the_callers(watched: Watched) -> None:
    await fall_back(watched, header("01"))
    spans = sorted(watched.exporter.get_finished_spans(), key=lambda span: span.start_time or 0)
    assert [(span.name, span.kind) for span in spans] == [
        ("chat sonnet", SpanKind.SERVER),
        ("headgate.select", SpanKind.INTERNAL),
        ("GET", SpanKind.CLIENT),
        ("headgate.select", SpanKind.INTERNAL),
        ("headgate.fallback", SpanKind.INTERNAL),
        ("GET", SpanKind.CLIENT),
    ]
    server, first, call, second, moved, _ = spans
    assert server.parent is not None
    assert (f"{server.parent.trace_id:032x}", f"{server.parent.span_id:016x}") == (TRACE, SPAN)
    assert {span.parent.span_id for span in spans[1:] if span.parent} == {server.context.span_id}
    assert attributes(first)["headgate.auth.mode"] == "Subscription"
    assert attributes(first)["headgate.account"] == "alice"
    assert attributes(second)["headgate.auth.skipped"] == ("Subscription/bob=NotOwner", "Subscription/alice=Revoked")
    assert attributes(moved) == {
        "headgate.fallback.from": "Subscription",
        "headgate.fallback.to": "APIKey",
        "headgate.fallback.reason": "Revoked",
        "headgate.account": "alice",
    }
    assert "?" not in str(attributes(call)["url.full"])
    assert attributes(server) == attributes(server) | {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": "sonnet",
        "gen_ai.response.model": "claude-sonnet-1",
        "gen_ai.response.finish_reasons": ("end_turn",),
        "gen_ai.usage.input_tokens": 17,
        "gen_ai.usage.output_tokens": 7,
        "headgate.auth.mode": "APIKey",
        "headgate.fallback.reason": "Revoked",
        "headgate.provider": "team/claude",
        "headgate.revision": "rev-1",
        "headgate.track": "stable",
        "headgate.caller.namespace": "team",
        "headgate.caller.service_account": "agent",
        "http.response.status_code": 200,
    }
    assert server.status.status_code is StatusCode.UNSET


@pytest.mark.parametrize(
    ("protocol", "path", "vendor", "operation"),
    [
        ("OpenAI", "/openai/v1/chat/completions", "openai", "chat"),
        ("OpenAI", "/backend-api/codex/responses", "openai", "chat"),
        ("Gemini", "/v1beta/models/{model}:streamGenerateContent", "gcp.gemini", "generate_content"),
        ("Gemini", "/v1beta/models/{model}:countTokens", "gcp.gemini", None),
    ],
)
def test_a_span_names_vendor_and_operation_as_the_conventions_do(
    watched: Watched, protocol: str, path: str, vendor: str, operation: str | None
) -> None:
    trace = watched.telemetry.begin(header("01"), request_id="req-1", method="POST", path=path)
    trace.routed(route(protocol=protocol), "rev-1", streaming=True)
    thought = ResponseFacts(Usage(input_tokens=10, output_tokens=7, reasoning_output_tokens=4))
    trace.finished(Outcome(200, facts=thought))
    (span,) = watched.exporter.get_finished_spans()
    assert span.name == (f"POST {path}" if operation is None else f"{operation} sonnet")
    told = attributes(span)
    assert told["gen_ai.provider.name"] == vendor
    assert told.get("gen_ai.operation.name") == operation
    assert (told["gen_ai.usage.output_tokens"], told["gen_ai.usage.reasoning.output_tokens"]) == (7, 4)
    assert watched.line["usage"]["reasoning_output_tokens"] == 4


@pytest.mark.parametrize("flags", ["00", "01"])
async def test_metrics_and_log_are_the_same_sampled_or_not(flags: str) -> None:
    watched = Watched()
    await fall_back(watched, header(flags))
    labels = {"provider": "team/claude"}
    count = watched.sample(
        "requests_total",
        **labels,
        path="/v1/messages",
        model="claude-sonnet",
        status="200",
        auth_mode="APIKey",
        track="stable",
    )
    assert count == 1
    assert watched.sample("selections_total", **labels, auth_mode="Subscription") == 1
    assert watched.sample("skips_total", **labels, auth_mode="Subscription", reason="Revoked") == 1
    moved = {"from": "Subscription", "to": "APIKey", "reason": "Revoked"}
    assert watched.sample("fallbacks_total", **labels, **moved) == 1
    failed = {"auth_mode": "Subscription", "reason": "Revoked", "status": "401", "credential": "true"}
    assert watched.sample("upstream_failures_total", **labels, **failed) == 1
    tokens = {"model": "claude-sonnet", "auth_mode": "APIKey", "kind": "output"}
    assert watched.sample("tokens_total", **labels, **tokens) == 7
    assert watched.sample("time_to_first_byte_seconds_sum", **labels, streaming="true") == 1.5
    assert watched.sample("request_duration_seconds_sum", **labels, streaming="true") == 3.5
    assert (watched.sample("open_requests"), watched.sample("open_streams")) == (0, 0)
    assert watched.line == watched.line | {
        "time": "2026-01-01T00:00:03.500Z",
        "request_id": "req-1",
        "trace_id": TRACE,
        "caller": "system:serviceaccount:team:agent",
        "provider": "team/claude",
        "model": "claude-sonnet",
        "auth_mode": "APIKey",
        "fallback_reason": "Revoked",
        "skipped": ["Subscription/bob=NotOwner", "Subscription/alice=Revoked"],
        "revision": "rev-1",
        "status": 200,
        "attempts": 2,
        "first_byte_seconds": 1.5,
        "duration_seconds": 3.5,
        "usage": {
            "input_tokens": 10,
            "output_tokens": 7,
            "cache_read_input_tokens": 5,
            "cache_creation_input_tokens": 2,
        },
    }


async def test_a_secret_that_an_upstream_echoes_stays_inside(watched: Watched) -> None:
    facts = ResponseFacts(Usage(), model=CANARY, message_id=CANARY, stop_reason="end_turn", error_type=CANARY)
    await fall_back(watched, header("01"), Outcome(502, error_type=CANARY, facts=facts, truncated=True))
    assert CANARY not in watched.everything()
    assert watched.line["response_model"] == "***"
    assert watched.line["stop_reason"] == "end_turn"


def test_a_request_nobody_could_serve(watched: Watched) -> None:
    skipped = (Skipped(AuthMode.SUBSCRIPTION, SkipReason.REVOKED, "alice"),)
    denied = Fallback(AuthMode.SUBSCRIPTION, None, SkipReason.REVOKED, "alice")
    trace = watched.telemetry.begin({}, request_id="req-1", method="POST", path="/v1/messages")
    trace.authenticated(CALLER)
    trace.routed(route(), "rev-1", streaming=False)
    trace.selected(Exhausted(skipped, denied))
    trace.fell_back(denied)
    trace.finished(Outcome(502, error_type="api_error"))
    labels = {"provider": "team/claude", "from": "Subscription", "to": "Denied", "reason": "Revoked"}
    assert watched.sample("fallbacks_total", **labels) == 1
    select, moved, server = watched.exporter.get_finished_spans()
    assert select.status.status_code is StatusCode.ERROR
    assert attributes(moved)["headgate.fallback.to"] == "Denied"
    assert (attributes(server)["error.type"], server.status.status_code) == ("api_error", StatusCode.ERROR)
    assert "auth_mode" not in watched.line


def test_a_refused_caller_is_counted_without_a_provider(watched: Watched) -> None:
    trace = watched.telemetry.begin({}, request_id="req-1", method="GET", path="unknown")
    trace.finished(Outcome(401, error_type="authentication_error"))
    (span,) = watched.exporter.get_finished_spans()
    assert span.name == "GET unknown"
    labels = {"path": "unknown", "provider": "", "model": "", "status": "401", "auth_mode": "", "track": "stable"}
    assert watched.sample("requests_total", **labels) == 1
