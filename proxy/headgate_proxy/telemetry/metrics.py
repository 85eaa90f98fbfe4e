"""Prometheus metrics of a proxy, in a registry of its own; label values come from resources and closed vocabularies only.

Children are looked up once per label set and kept, since a request touches several of them.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final, Generic, TypeVar, cast

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from headgate_api.names import METRIC_PREFIX
from headgate_api.snapshot import Head
from headgate_proxy.credentials.refreshing import RefreshOutcome
from headgate_proxy.selection.states import Failure, Fallback, Selection, Skipped
from headgate_proxy.telemetry.record import Record
from headgate_proxy.tracks.decide import Decision

PREFIX: Final = f"{METRIC_PREFIX}proxy_"
_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)

_M = TypeVar("_M", bound=Counter | Histogram)


class _Family(Generic[_M]):
    """A metric whose children are kept by their label values."""

    def __init__(self, metric: _M) -> None:
        self._metric = metric
        self._children: dict[tuple[str, ...], _M] = {}

    def __call__(self, *labels: str) -> _M:
        child = self._children.get(labels)
        if child is None:
            child = cast("_M", self._metric.labels(*labels)) if labels else self._metric
            self._children[labels] = child
        return child

    def keep(self, wanted: Callable[[tuple[str, ...]], bool]) -> None:
        """Drop the children whose labels are not wanted any more."""
        for labels in [labels for labels in self._children if not wanted(labels)]:
            del self._children[labels]
            self._metric.remove(*labels)


class ProxyMetrics:
    """All that a proxy counts; one typed method per event."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *labels: str) -> _Family[Counter]:
            return _Family(Counter(PREFIX + name, text, labels, registry=registry))

        def histogram(name: str, text: str, *labels: str) -> _Family[Histogram]:
            return _Family(Histogram(PREFIX + name, text, labels, buckets=_SECONDS, registry=registry))

        self._requests = counter(
            "requests", "Requests answered.", "path", "provider", "model", "status", "auth_mode", "track"
        )
        self._duration = histogram("request_duration_seconds", "Until the last byte.", "provider", "streaming")
        self._first_byte = histogram(
            "time_to_first_byte_seconds", "Until the response's head.", "provider", "streaming"
        )
        self._selections = counter("selections", "Times a mode was picked.", "provider", "auth_mode")
        self._skips = counter("skips", "Times a mode or account was passed over.", "provider", "auth_mode", "reason")
        self._fallbacks = counter(
            "fallbacks",
            "Moves to another mode; to is Denied where none was allowed.",
            "provider",
            "from",
            "to",
            "reason",
        )
        self._failures = counter(
            "upstream_failures",
            "Attempts that failed before the first byte; credential says whether it was the credential's fault.",
            "provider",
            "auth_mode",
            "reason",
            "status",
            "credential",
        )
        self._tokens = counter(
            "tokens", "Tokens as the upstream counts them.", "provider", "model", "auth_mode", "kind"
        )
        self._truncated = counter("truncated", "Responses that broke off after their first byte.", "provider")
        self._disconnected = counter("client_disconnects", "Clients that left before the end.", "provider")
        self._decisions = counter(
            "track_decisions",
            "Requests that a rollout governs, by the track they went on and why.",
            "policy",
            "revision",
            "track",
            "reason",
        )
        self._relayed = counter(
            "relayed_requests", "Requests that a canary pod answered for this one.", "policy", "revision", "status"
        )
        self._not_relayed = counter(
            "relay_failures", "Why a canary pod did not take a request.", "policy", "revision", "reason"
        )
        self._ejections = counter("canary_ejections", "Canary pods that kept failing and were left alone for a while.")
        self._rollouts: frozenset[tuple[str, str]] = frozenset()
        self._snapshot_failures = counter("snapshot_failures", "Why configuration was not taken up.", "reason")
        self._credential_failures = counter("credential_failures", "Why credentials were not read.", "reason")
        self._report_failures = counter("report_failures", "Why reports did not reach the broker.", "reason")
        self._refreshes = counter(
            "refresh_requests", "Times the broker was asked for a newer access token, by what came of it.", "outcome"
        )
        self._export_failures = counter("trace_export_failures", "Batches of spans that did not reach the receiver.")
        self._certificates_refused = counter("certificates_refused", "Certificates that could not be served with.")
        self._certificate_expiry = Gauge(
            PREFIX + "certificate_expiry_timestamp_seconds",
            "When the certificate served with expires (seconds since 1970); 0 without one.",
            registry=registry,
        )
        self._open_requests = self._open_streams = 0
        requests = Gauge(PREFIX + "open_requests", "Requests in progress.", registry=registry)
        requests.set_function(lambda: self._open_requests)
        streams = Gauge(PREFIX + "open_streams", "Streams whose head was sent.", registry=registry)
        streams.set_function(lambda: self._open_streams)

    def began(self) -> None:
        """Count a request in progress."""
        self._open_requests += 1

    def selected(self, record: Record, selection: Selection) -> None:
        """Count the mode that was picked."""
        self._selections(record.provider, selection.mode).inc()

    def skipped(self, record: Record, skipped: list[Skipped]) -> None:
        """Count what was passed over."""
        for item in skipped:
            self._skips(record.provider, item.mode, item.reason).inc()

    def fell_back(self, record: Record, fallback: Fallback) -> None:
        """Count a move to another mode, or one that was denied."""
        to = "Denied" if fallback.to_mode is None else fallback.to_mode
        self._fallbacks(record.provider, fallback.from_mode, to, fallback.reason).inc()

    def failed(self, record: Record, selection: Selection, failure: Failure) -> None:
        """Count an attempt that failed."""
        status = "" if failure.status is None else str(failure.status)
        fault = "true" if failure.marks else "false"
        self._failures(record.provider, selection.mode, failure.reason, status, fault).inc()

    def first_byte(self, record: Record) -> None:
        """Measure the time to the response's head."""
        if record.first_byte is not None:
            kind = "true" if record.streaming else "false"
            self._first_byte(record.provider, kind).observe(record.first_byte - record.started)
        if record.open_stream:
            self._open_streams += 1

    def finished(self, record: Record) -> None:
        """Count the request with all that is known of it."""
        self._open_requests -= 1
        if record.open_stream:
            self._open_streams -= 1
        outcome = record.outcome
        if outcome is None or record.ended is None:
            return
        if record.relayed and record.policy is not None and record.rollout is not None:
            self._relayed(record.policy, record.rollout, str(outcome.status)).inc()
            return  # the canary pod counts it as its own
        provider, model, mode = record.provider, record.model, record.mode
        self._requests(record.path, provider, model, str(outcome.status), mode, record.track).inc()
        self._duration(provider, "true" if record.streaming else "false").observe(record.ended - record.started)
        if outcome.truncated:
            self._truncated(provider).inc()
        if outcome.disconnected:
            self._disconnected(provider).inc()
        if outcome.facts is not None:
            usage = outcome.facts.usage
            for kind, count in (
                ("input", usage.input_tokens),
                ("output", usage.output_tokens),
                ("cache_read", usage.cache_read_input_tokens),
                ("cache_creation", usage.cache_creation_input_tokens),
            ):
                if count:
                    self._tokens(provider, model, mode, kind).inc(count)

    def decided(self, decision: Decision) -> None:
        """Count the track that a request goes on."""
        self._decisions(decision.policy, decision.split.revision, decision.track, decision.reason).inc()

    def not_relayed(self, instead: Decision) -> None:
        """Count a request that no canary pod took."""
        self._not_relayed(instead.policy, instead.split.revision, instead.reason).inc()

    def canary_ejected(self) -> None:
        """Count a canary pod that is left alone for a while."""
        self._ejections().inc()

    def follow(self, head: Head) -> None:
        """Drop the series of rollouts that ended before the head before this one: every scrape has seen their last count."""
        now = frozenset((policy, split.revision) for policy, split in head.rollouts.items())
        if now != self._rollouts:
            kept = now | self._rollouts
            for family in (self._decisions, self._relayed, self._not_relayed):
                family.keep(lambda labels: (labels[0], labels[1]) in kept)
            self._rollouts = now

    def snapshot_failed(self, reason: str) -> None:
        """Count a failure to take up configuration."""
        self._snapshot_failures(reason).inc()

    def credential_failed(self, reason: str) -> None:
        """Count a failure to read or keep a credential."""
        self._credential_failures(reason).inc()

    def report_failed(self, reason: str) -> None:
        """Count a report that the broker did not take."""
        self._report_failures(reason).inc()

    def refresh_asked(self, outcome: RefreshOutcome) -> None:
        """Count a question to the broker."""
        self._refreshes(outcome).inc()

    def certificate_refused(self) -> None:
        """Count a certificate that is no good."""
        self._certificates_refused().inc()

    def serving_until(self, not_after: datetime) -> None:
        """Tell when the certificate in use expires."""
        self._certificate_expiry.set(not_after.timestamp())

    def export_failed(self) -> None:
        """Count a batch of spans that was lost."""
        self._export_failures().inc()
