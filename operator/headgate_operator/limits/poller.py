"""Asks vendors about idle accounts while this process leads: a few at a time, vendors apart, each seldom.

Nothing depends on an answer: what is not known of an account's limits is learnt when a request meets one.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter

from headgate_api.clock import Clock
from headgate_api.origins import origin_of
from headgate_api.resources.auth import UsagePolling
from headgate_api.resources.limits import LimitObservation
from headgate_operator.engine.keys import Key
from headgate_operator.limits.asking import Polled, PollOutcome, interval_of
from headgate_operator.limits.schedule import due_at
from headgate_operator.refresh.lane import Lane

_log = logging.getLogger(__name__)
_IN_ORDER = (PollOutcome.OBSERVED, PollOutcome.NOT_NEEDED)


class Asker(Protocol):
    """``UsageAsker``, or what stands in for it."""

    async def ask(self, key: Key) -> Polled:
        """Ask about one account."""


@dataclass(frozen=True, slots=True)
class _Tried:
    at: datetime
    failures: int
    not_before: datetime | None = None


class UsagePoller:
    """``look`` is called whenever an account is reconciled; ``run`` carries the questions."""

    def __init__(
        self,
        asker: Asker,
        *,
        clock: Clock,
        observed: Callable[[LimitObservation], set[Key]],
        touched: Callable[[set[Key]], None],
        registry: CollectorRegistry,
    ) -> None:
        """``observed`` takes what was learnt and returns whose status is to show it; ``touched`` is told of those."""
        self._asker = asker
        self._clock = clock
        self._observed = observed
        self._touched = touched
        self._polls = Counter(
            "headgate_operator_usage_polls",
            "Questions about idle accounts' usage, by outcome.",
            ["outcome"],
            registry=registry,
        )
        self._lanes: dict[str, Lane] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._flights: set[Key] = set()
        self._tried: dict[Key, _Tried] = {}
        self._since: datetime | None = None
        self._group: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Work until cancelled: for one term of leadership."""
        self._since = self._clock.now()
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                await asyncio.get_running_loop().create_future()
        finally:
            self._group = self._since = None
            for timer in self._timers.values():
                timer.cancel()
            self._timers.clear()
            self._lanes.clear()
            self._flights.clear()

    def look(self, key: Key, usage: UsagePolling, heard: datetime | None) -> float | None:
        """Have an account asked about if it is due; return the seconds until the next look (None: this process does not lead).

        ``heard``: when anybody last told of its limits.
        """
        if self._since is None:
            return None
        interval, tried, now = interval_of(usage), self._tried.get(key), self._clock.now()
        due = due_at(
            str(key),
            interval,
            heard,
            self._since,
            None if tried is None else tried.at,
            0 if tried is None else tried.failures,
        )
        if tried is not None and tried.not_before is not None:
            due = max(due, tried.not_before)
        if due > now:
            return (due - now).total_seconds()
        self._add(key, usage)
        return interval.total_seconds()

    def _add(self, key: Key, usage: UsagePolling) -> None:
        try:
            origin = origin_of(usage.endpoint)
        except ValueError:
            return
        if key not in self._flights:
            self._lanes.setdefault(origin, Lane()).add(key, None, asked=False)
            self._pump(origin)

    def _pump(self, origin: str) -> None:
        group, lane, loop = self._group, self._lanes.get(origin), asyncio.get_running_loop()
        if group is None or lane is None:
            return
        while (key := lane.take(loop.time())) is not None:
            self._flights.add(key)
            group.create_task(self._fly(key, origin, lane), name=f"poll {key}")
        again = lane.wake_at()
        if again is not None and origin not in self._timers:
            self._timers[origin] = loop.call_at(again, self._wake, origin)

    def _wake(self, origin: str) -> None:
        self._timers.pop(origin, None)
        self._pump(origin)

    async def _fly(self, key: Key, origin: str, lane: Lane) -> None:
        try:
            polled = await self._asker.ask(key)
        except Exception:
            _log.exception("%s: a question about its usage failed in an unforeseen way", key)
            polled = Polled(PollOutcome.NOT_USAGE, "see the operator's log")
        finally:
            lane.running -= 1
            self._flights.discard(key)
        self._note(key, polled)
        self._pump(origin)

    def _note(self, key: Key, polled: Polled) -> None:
        self._polls.labels(polled.outcome).inc()
        before, now = self._tried.get(key), self._clock.now()
        failures = 0 if polled.outcome in _IN_ORDER else (before.failures if before is not None else 0) + 1
        self._tried[key] = _Tried(now, failures, None if polled.wait is None else now + polled.wait)
        if failures == 1:
            _log.warning(
                "an account's usage could not be asked for",
                extra={"account": str(key), "outcome": polled.outcome, "problem": polled.problem},
            )
        if polled.seen is not None:
            self._touched(self._observed(polled.seen))


class NoPolls:
    """Asks nobody: for a process that only looks."""

    def look(self, _key: Key, _usage: UsagePolling, _heard: datetime | None) -> float | None:
        """Return None."""
        return None
