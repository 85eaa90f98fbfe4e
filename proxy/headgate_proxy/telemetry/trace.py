"""A request that is not sampled: metrics and the log line, at next to no cost."""

import contextlib
from contextlib import AbstractContextManager
from typing import Final

from headgate_api.clock import Clock
from headgate_proxy.callers.caller import Caller
from headgate_proxy.credentials.refreshing import RefreshOutcome
from headgate_proxy.edge.ports import Outcome
from headgate_proxy.routing.provider import Route
from headgate_proxy.selection.states import Exhausted, Failure, Fallback, Selection
from headgate_proxy.telemetry.metrics import ProxyMetrics
from headgate_proxy.telemetry.record import Record
from headgate_proxy.telemetry.requestlog import RequestLog
from headgate_proxy.tracks.decide import Decision, Track

_NOTHING: Final = contextlib.nullcontext()


class PlainTrace:
    """Implements ``edge.ports.RequestTrace`` without spans; the sampled one builds on it."""

    def __init__(
        self, record: Record, metrics: ProxyMetrics, log: RequestLog, clock: Clock, traceparent: str | None
    ) -> None:
        self._record = record
        self._metrics = metrics
        self._log = log
        self._clock = clock
        self._traceparent = traceparent
        metrics.began()

    @property
    def sampled(self) -> bool:
        """Return False: the upstream call goes by the plain session."""
        return False

    @property
    def traceparent(self) -> str | None:
        """Return the ``traceparent`` to send upstream."""
        return self._traceparent

    def authenticated(self, caller: Caller) -> None:
        """Note who calls."""
        self._record.caller = caller

    def routed(self, route: Route, revision: str | None, *, streaming: bool) -> None:
        """Note where the request goes."""
        self._record.route = route
        self._record.revision = revision
        self._record.streaming = streaming

    def decided(self, decision: Decision) -> None:
        """Note on which track the request goes."""
        record = self._record
        record.policy, record.rollout, record.decision = decision.policy, decision.split.revision, decision
        record.relayed = decision.track is Track.CANARY
        self._metrics.decided(decision)

    def relaying(self, decision: Decision) -> AbstractContextManager[None]:
        """Return the context of one relay."""
        return _NOTHING

    def not_relayed(self, instead: Decision) -> None:
        """Note that stable serves what no canary pod took."""
        self._record.decision, self._record.relayed = instead, False
        self._metrics.not_relayed(instead)

    def admitted(self, policy: str, revision: str, request_id: str) -> None:
        """Note the rollout that the request was relayed for, and its id."""
        self._record.policy, self._record.rollout, self._record.request_id = policy, revision, request_id

    def selected(self, decision: Selection | Exhausted) -> None:
        """Note one decision of selection."""
        record = self._record
        if decision.skipped:
            self._metrics.skipped(record, record.note_skips(decision.skipped))
        if isinstance(decision, Selection):
            record.selection = decision
            self._metrics.selected(record, decision)

    def fell_back(self, fallback: Fallback) -> None:
        """Note a move to another mode, or its denial."""
        self._record.fallbacks.append(fallback)
        self._metrics.fell_back(self._record, fallback)

    def upstream(self, selection: Selection) -> AbstractContextManager[None]:
        """Return the context of one upstream call."""
        self._record.attempts += 1
        return _NOTHING

    def failed(self, selection: Selection, failure: Failure) -> None:
        """Note a failed attempt."""
        self._metrics.failed(self._record, selection, failure)

    def refresh_asked(self, selection: Selection, outcome: RefreshOutcome) -> None:
        """Note what a refresh came to."""

    def first_byte(self, status: int) -> None:
        """Note that the response's head is passed on."""
        self._record.first_byte = self._clock.monotonic()
        self._record.open_stream = self._record.streaming
        self._metrics.first_byte(self._record)

    def finished(self, outcome: Outcome) -> None:
        """Note the end."""
        self._record.outcome = outcome
        self._record.ended = self._clock.monotonic()
        self._metrics.finished(self._record)
        self._log.finished(self._record)
