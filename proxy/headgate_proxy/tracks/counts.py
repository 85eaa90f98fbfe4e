"""What the deciding proxy counts of both tracks of each rollout, for the operator to judge the canary by.

Only requests that a rollout governs are counted, and only under the rollouts and steps of the present head: so it stays as
small as the head is, and a step's counts begin at zero.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from headgate_api.clock import Clock
from headgate_api.pricing import cost_micro_usd, price
from headgate_api.report import TTFT_BASE, RolloutObservation, TrackCounts
from headgate_api.resources import Model
from headgate_api.snapshot import Head
from headgate_proxy.edge.ports import Outcome
from headgate_proxy.protocols.facts import Usage
from headgate_proxy.tracks.decide import Decision, Track
from headgate_proxy.tracks.wire import Notes

_BASE: Final = math.log(TTFT_BASE)


@dataclass(slots=True)
class _Counts:
    requests: int = 0
    errors: int = 0
    auth_failures: int = 0
    fallbacks: int = 0
    truncated: int = 0
    costed: int = 0
    cost_micro_usd: int = 0
    first_token: dict[int, int] = field(default_factory=dict)

    def told(self) -> TrackCounts:
        return TrackCounts(
            requests=self.requests,
            errors=self.errors,
            auth_failures=self.auth_failures,
            fallbacks=self.fallbacks,
            truncated=self.truncated,
            costed=self.costed,
            cost_micro_usd=self.cost_micro_usd,
            first_token=dict(self.first_token),
        )


_Step = tuple[str, str, int]


class RolloutCounts:
    """The counts under the present head."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._counts: dict[_Step, dict[Track, _Counts]] = {}

    def follow(self, head: Head) -> None:
        """Count under this head's rollouts and steps from now on; what has ended is forgotten."""
        steps = {(policy, split.revision, split.step) for policy, split in head.rollouts.items()}
        self._counts = {
            step: self._counts.get(step) or {Track.STABLE: _Counts(), Track.CANARY: _Counts()} for step in steps
        }

    def tally(self, decision: Decision, model: Model | None) -> "Tally":
        """Return what one request is counted by; ``model`` tells what it costs (None: nobody knows)."""
        return Tally(self, decision, model, self._clock)

    def of(self, decision: Decision) -> _Counts | None:
        """Return the counts of the decision's rollout, step and track, while the head carries that step."""
        tracks = self._counts.get((decision.policy, decision.split.revision, decision.split.step))
        return None if tracks is None else tracks[decision.track]

    def observations(self) -> tuple[RolloutObservation, ...]:
        """Return everything counted, for the report."""
        return tuple(
            RolloutObservation(
                policy=policy,
                revision=revision,
                step=step,
                stable=tracks[Track.STABLE].told(),
                canary=tracks[Track.CANARY].told(),
            )
            for (policy, revision, step), tracks in sorted(self._counts.items())
        )


class Tally:
    """One governed request, from its decision to its end."""

    __slots__ = ("_clock", "_counts", "_decision", "_first_token", "_mark", "_model", "_started", "_tail", "notes")

    def __init__(self, counts: RolloutCounts, decision: Decision, model: Model | None, clock: Clock) -> None:
        self._counts = counts
        self._decision = decision
        self._model = model
        self._clock = clock
        self._started = clock.monotonic()
        self._first_token: float | None = None
        self._mark = self._tail = b""
        self.notes = Notes()

    def watching(self, feed: Callable[[bytes], None], mark: bytes) -> Callable[[bytes], None]:
        """Return ``feed``, with the first token's time taken on the way.

        ``mark`` stands in the event that brings it (what comes before is the vendor's greeting).
        """
        self._mark = mark

        def watch(piece: bytes) -> None:
            if self._first_token is None:
                self._look(piece)
            feed(piece)

        return watch

    def lost(self, *, turned_away: bool = False) -> None:
        """Count a request that the canary did not serve: it is not counted again, whoever serves it.

        ``turned_away``: the canary refused the caller.
        """
        if (counts := self._counts.of(self._decision)) is not None:
            counts.requests += 1
            counts.errors += 1
            counts.auth_failures += turned_away

    def ended(self, outcome: Outcome) -> None:
        """Count the request; one whose client left early is not counted, since nothing can be said of it."""
        counts = None if outcome.disconnected else self._counts.of(self._decision)
        if counts is None:
            return
        facts = outcome.facts
        counts.requests += 1
        counts.errors += outcome.status >= 500
        counts.auth_failures += self.notes.auth_failed
        counts.fallbacks += self.notes.fell_back
        counts.truncated += outcome.truncated or _cut_short(outcome)
        if outcome.streaming and self._first_token is not None:
            bucket = bucket_of(self._first_token - self._started)
            counts.first_token[bucket] = counts.first_token.get(bucket, 0) + 1
        if facts is not None and (cost := self._cost(facts.usage)) is not None:
            counts.costed += 1
            counts.cost_micro_usd += cost

    def _look(self, piece: bytes) -> None:
        seen = self._tail + piece
        if self._mark in seen:
            self._first_token = self._clock.monotonic()
        self._tail = seen[1 - len(self._mark) :]

    def _cost(self, usage: Usage) -> int | None:
        model = self._model
        pricing = price(model.upstream_name or model.name, model.pricing) if model is not None else None
        if pricing is None or not (usage.input_tokens or usage.output_tokens):
            return None
        long = min(usage.cache_creation_1h_input_tokens, usage.cache_creation_input_tokens)
        return cost_micro_usd(
            pricing,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cache_read=usage.cache_read_input_tokens,
            cache_write_5m=usage.cache_creation_input_tokens - long,
            cache_write_1h=long,
        )


def _cut_short(outcome: Outcome) -> bool:
    """Tell whether a stream that ended in good order was none the less cut short.

    A canary pod ends a stream whose upstream broke off with an error event, as this proxy does for its own; and a stream that
    ends without the reason why the model stopped has lost its end.
    """
    facts = outcome.facts
    if facts is None or not outcome.streaming or outcome.status >= 400:
        return False
    return facts.error_type is not None or facts.stop_reason is None


def bucket_of(seconds: float) -> int:
    """Return the class of a time to the first token: class ``n`` ends at ``TTFT_BASE ** n`` milliseconds."""
    millis = seconds * 1000
    return max(0, math.ceil(math.log(millis) / _BASE)) if millis > 1 else 0
