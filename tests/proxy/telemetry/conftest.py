"""One provider, one caller, and a telemetry whose spans, metrics and log lines can be looked at."""

import json
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry, generate_latest

from headgate_api.clock import ManualClock
from headgate_api.reasons import AuthMode, SkipReason
from headgate_api.redaction import Redactor
from headgate_api.resources import LLMProviderSpec
from headgate_api.resources.proxyfleet import Allowances
from headgate_api.secret import Secret
from headgate_api.snapshot import ProviderEntry, ProviderForm
from headgate_proxy.callers.caller import Caller
from headgate_proxy.routing.provider import Route, compile_provider
from headgate_proxy.selection.states import Failure, Fallback, Held, Selection, Skipped
from headgate_proxy.telemetry.exporting import RedactingExporter, tracer_provider
from headgate_proxy.telemetry.metrics import ProxyMetrics
from headgate_proxy.telemetry.requestlog import RequestLog
from headgate_proxy.telemetry.telemetry import Telemetry

CANARY = "canary-" + "7d" * 8
CALLER = Caller("team", "agent", "uid-1", "agent-0")
HELD = Held(Secret(CANARY), frozenset({"https://api.example.com"}), "path", 1)
BY_PLAN = Selection(AuthMode.SUBSCRIPTION, "alice", HELD)
REVOKED = Failure(SkipReason.REVOKED, 401)
FALLBACK = Fallback(AuthMode.SUBSCRIPTION, AuthMode.API_KEY, SkipReason.REVOKED, "alice")
BY_KEY = Selection(
    AuthMode.API_KEY,
    None,
    HELD,
    (
        Skipped(AuthMode.SUBSCRIPTION, SkipReason.NOT_OWNER, "bob"),
        Skipped(AuthMode.SUBSCRIPTION, SkipReason.REVOKED, "alice"),
    ),
    FALLBACK,
)


def route(endpoint: str = "https://api.example.com", protocol: str = "Anthropic") -> Route:
    spec = LLMProviderSpec.model_validate(
        {
            "protocol": protocol,
            "endpoint": endpoint,
            "models": [{"name": "claude-sonnet", "aliases": ["sonnet"]}],
            "auth": {"modes": ["Subscription", "APIKey"], "apiKey": {}},
        }
    )
    form = ProviderForm(revision="r1", spec=spec)
    entry = ProviderEntry(namespace="team", name="claude", generation=1, stable=form)
    provider = compile_provider(entry, form, (), Allowances())
    return Route(provider, spec.models[0], "sonnet")


@dataclass
class Watched:
    """Telemetry and everything it gives off."""

    percent: int = 100
    clock: ManualClock = field(default_factory=lambda: ManualClock(datetime(2026, 1, 1, tzinfo=UTC)))
    redactor: Redactor = field(default_factory=lambda: Redactor([Secret(CANARY)]))
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    exporter: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)
    written: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        metrics = ProxyMetrics(self.registry)
        processor = SimpleSpanProcessor(RedactingExporter(self.exporter, self.redactor, metrics.export_failed))
        self.provider = tracer_provider(processor, fleet="edge", namespace="system", pod="proxy-0")
        log = RequestLog(self.written.append, self.redactor, self.clock)
        self.telemetry = Telemetry(
            metrics,
            log,
            self.clock,
            tracer=self.provider.get_tracer("test"),
            sampling_percent=self.percent,
            track="stable",
            source=random.Random(1),  # noqa: S311 - so that the share is the same in every run
        )
        self.untraced = Telemetry(metrics, log, self.clock, tracer=None, sampling_percent=100, track="stable")

    @property
    def line(self) -> dict[str, Any]:
        return dict(json.loads(self.written[-1]))

    def sample(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"headgate_proxy_{name}", labels)

    def everything(self) -> str:
        """Return all that left the process."""
        spans = "".join(span.to_json() for span in self.exporter.get_finished_spans())
        return spans + generate_latest(self.registry).decode() + b"".join(self.written).decode()


@pytest.fixture
def watched() -> Watched:
    return Watched()
