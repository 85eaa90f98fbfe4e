"""Runs the refreshes of a term: each account at most once at a time, vendors apart, none all at once.

A refresh that has begun is finished whatever becomes of the term: nobody else has what the vendor answers. When the
process ends, those under way get a while for it.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Final, Protocol

from headgate_api.clock import Clock
from headgate_api.reasons import ConditionReason
from headgate_operator.engine.keys import Key
from headgate_operator.refresh.executor import Renewed, Result
from headgate_operator.refresh.lane import Lane
from headgate_operator.refresh.metrics import RefreshMetrics
from headgate_operator.refresh.verdict import Rest

SHUTDOWN_SECONDS: Final = 20.0
HOLD_SECONDS: Final = 15.0
"""How long at most a look that ended without tokens stands: then the account is looked at again, since it may be mended."""
_log = logging.getLogger(__name__)


class Refreshes(Protocol):
    """``RefreshExecutor``, or what stands in for it."""

    async def refresh(self, key: Key, refused: int | None = None) -> Result:
        """Refresh one account where that is due."""


class Refresher:
    """Turns "this account is due" into refreshes. ``settled`` is told each account that was looked at.

    Time is the event loop's, so that tests own it.
    """

    def __init__(
        self, executor: Refreshes, *, clock: Clock, settled: Callable[[Key], None], metrics: RefreshMetrics
    ) -> None:
        self._executor = executor
        self._clock = clock
        self._settled = settled
        self._metrics = metrics
        self._lanes: dict[str, Lane] = {}
        self._flights: dict[Key, asyncio.Task[None]] = {}
        self._answers: dict[Key, list[tuple[int | None, asyncio.Future[Result]]]] = {}
        self._held: dict[Key, tuple[float, Rest]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._group: asyncio.TaskGroup | None = None
        self._leads = False

    async def run(self) -> None:
        """Work until cancelled; then let what is under way end, for some seconds."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                self.end_term()
                self._group = None
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(SHUTDOWN_SECONDS):
                        while self._flights:
                            await asyncio.wait(self._flights.values())

    def begin_term(self) -> None:
        """Begin to take keys: this process leads."""
        self._leads = True
        self._held.clear()

    def end_term(self) -> None:
        """Take no more keys, forget those that wait, and tell whoever asked."""
        self._leads = False
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        for lane in self._lanes.values():
            lane.clear()
        for key in [k for k in self._answers if k not in self._flights]:
            self._answer(key, _not_leading())

    def due(self, key: Key, origin: str, expires: datetime | None) -> None:
        """Refresh an account as soon as its turn comes; ``origin`` of its token endpoint, ``expires`` its access token."""
        if key in self._flights or self._standing(key) is not None:
            return
        self._add(key, origin, expires, asked=False)

    async def ask(self, key: Key, origin: str, refused: int | None) -> Result:
        """Return what a refresh that somebody waits for comes to; all who wait for an account share one.

        ``refused``: the generation whose access token is of no use. A refresh under way counts if it ends with a newer one.
        """
        if not self._leads or self._group is None:
            return _not_leading()
        standing = self._standing(key)
        if standing is not None and key not in self._flights:
            return standing
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._answers.setdefault(key, []).append((refused, answer))
        if key not in self._flights:
            self._add(key, origin, None, asked=True)
        return await answer

    def _add(self, key: Key, origin: str, expires: datetime | None, *, asked: bool) -> None:
        if not self._leads:
            return
        self._lanes.setdefault(origin, Lane()).add(key, expires, asked=asked)
        self._pump(origin)

    def _pump(self, origin: str) -> None:
        """Begin with as many of a lane as may begin now."""
        group, lane, loop = self._group, self._lanes[origin], asyncio.get_running_loop()
        while group is not None and self._leads and (key := lane.take(loop.time())) is not None:
            self._flights[key] = group.create_task(self._fly(key, origin, lane))
        self._measure()
        again = lane.wake_at()
        if again is not None and self._leads and origin not in self._timers:
            self._timers[origin] = loop.call_at(again, self._wake, origin)

    def _wake(self, origin: str) -> None:
        self._timers.pop(origin, None)
        self._pump(origin)

    async def _fly(self, key: Key, origin: str, lane: Lane) -> None:
        asked = [generation for generation, _ in self._answers.get(key, ()) if generation is not None]
        result: Result = Rest(None, None, ConditionReason.UNAVAILABLE, "the operator stops; ask again")
        try:
            result = await self._executor.refresh(key, max(asked, default=None))
        except Exception:
            _log.exception("%s: a refresh failed in an unforeseen way", key)
            result = Rest(None, None, ConditionReason.UNAVAILABLE, "the refresh failed; see the operator's log")
        finally:
            lane.running -= 1
            del self._flights[key]
            self._hold(key, result)
            self._answer(key, result)
        self._settled(key)
        if key in self._answers:  # somebody asked meanwhile about what this flight has brought
            self._add(key, origin, None, asked=True)
        else:
            self._pump(origin)

    def _hold(self, key: Key, result: Result) -> None:
        """Let a look that ended without tokens stand for a while: nobody is asked the same again at once."""
        self._held.pop(key, None)
        if not isinstance(result, Rest) or result.healthy:
            return
        wait = HOLD_SECONDS if result.until is None else (result.until - self._clock.now()).total_seconds()
        self._held[key] = asyncio.get_running_loop().time() + min(max(wait, 0.0), HOLD_SECONDS), result

    def _standing(self, key: Key) -> Rest | None:
        """Return what the last look at an account came to, while that still stands."""
        until, result = self._held.get(key, (0.0, None))
        if result is None or until > asyncio.get_running_loop().time():
            return result
        del self._held[key]
        return None

    def _answer(self, key: Key, result: Result) -> None:
        """Answer everybody whom this result serves; those who were told a newer token is no good ask again."""
        left = []
        for refused, answer in self._answers.pop(key, []):
            stale = isinstance(result, Renewed) and refused is not None and result.generation <= refused
            if stale and self._leads:
                left.append((refused, answer))
            elif not answer.done():
                answer.set_result(result)
        if left:
            self._answers[key] = left

    def _measure(self) -> None:
        self._metrics.waiting.set(sum(len(lane) for lane in self._lanes.values()))
        self._metrics.in_flight.set(len(self._flights))


def _not_leading() -> Rest:
    return Rest(
        None, None, ConditionReason.UNAVAILABLE, "this operator does not lead; ask the broker that the head names"
    )
