"""One term of leadership at work: workers that reconcile, and sweeps that make sure nothing is forgotten.

The engine lives as long as this process holds the Lease; cancelling it stops every worker at its next await. What a
worker was doing then is finished by whoever looks next, since every step is planned from observation.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final

from headgate_api.clock import Clock
from headgate_api.resources import ProxyFleet
from headgate_operator.credentials.executor import Unsettled
from headgate_operator.engine.keys import Key
from headgate_operator.engine.progress import Progress
from headgate_operator.engine.queue import WorkQueue
from headgate_operator.engine.reconciler import Reconciler
from headgate_operator.leadership_lease import NotLeading
from headgate_operator.metrics import Metrics
from headgate_runtime.kube_errors import Conflict, KubeUnavailable
from headgate_runtime.vault_errors import VaultUnavailable

WORKERS: Final = 4
SWEEP_SECONDS: Final = 30.0
RECONCILE_SECONDS: Final = 60.0
FLEET_DEBOUNCE_SECONDS: Final = 0.05
"""Applying ten providers at once makes one snapshot, not ten."""
_PASSING: Final = (Conflict, NotLeading, KubeUnavailable, VaultUnavailable, Unsettled, TimeoutError)
"""Failures that pass by themselves: one line in the log, no traceback."""

_log = logging.getLogger(__name__)


class Engine:
    """Runs the reconcilers over two work queues."""

    def __init__(
        self,
        reconcilers: Mapping[str, Reconciler],
        *,
        sweep: Callable[[], Awaitable[Iterable[Key]]],
        clock: Clock,
        progress: Progress,
        metrics: Metrics,
    ) -> None:
        self._reconcilers = reconcilers
        self._sweep = sweep
        self._clock = clock
        self._progress = progress
        self._metrics = metrics
        self._objects, self._fleets = WorkQueue(), WorkQueue()

    def enqueue(self, keys: Iterable[Key]) -> None:
        """Ask for a look at these objects as soon as a worker is free; at fleets a moment later."""
        for key in keys:
            if key.kind in self._reconcilers:
                self._queue_of(key).add(key, delay=FLEET_DEBOUNCE_SECONDS if key.kind == ProxyFleet.KIND else 0)
        self._measure()

    async def run(self) -> None:
        """Work until cancelled."""
        self._progress.term_began()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._sweep_forever())
                group.create_task(self._work(self._fleets))
                for _ in range(WORKERS):
                    group.create_task(self._work(self._objects))
        finally:
            self._objects.close()
            self._fleets.close()
            self._progress.term_ended()
            self._metrics.queue_depth.set(0)

    async def _sweep_forever(self) -> None:
        while True:
            try:
                self.enqueue(await self._sweep())
            except (KubeUnavailable, TimeoutError) as error:
                _log.warning(
                    "The API server gives no list of objects; what is known stands", extra={"error": str(error)}
                )
            except Exception:
                _log.exception("A sweep over all objects failed")
            self._progress.swept()
            await asyncio.sleep(SWEEP_SECONDS)

    def _queue_of(self, key: Key) -> WorkQueue:
        """Return the queue of a key: fleets ask Vault nothing, and must not wait behind objects that do."""
        return self._fleets if key.kind == ProxyFleet.KIND else self._objects

    def _measure(self) -> None:
        self._metrics.queue_depth.set(self._objects.depth + self._fleets.depth)

    async def _work(self, queue: WorkQueue) -> None:
        while True:
            key = await queue.take()
            try:
                await self._look(key, queue)
            finally:
                queue.done(key)
                self._measure()

    async def _look(self, key: Key, queue: WorkQueue) -> None:
        started = self._clock.monotonic()
        outcome = "error"
        try:
            async with asyncio.timeout(RECONCILE_SECONDS):
                again = await self._reconcilers[key.kind].reconcile(key)
            outcome = "success"
        except _PASSING as error:
            outcome = "retry"
            delay = queue.failed(key)
            _log.warning(
                "%s: %s; looking again",
                key,
                error or type(error).__name__,
                extra={"reason": type(error).__name__, "retry_seconds": delay},
            )
        except Exception:
            delay = queue.failed(key)
            _log.exception("%s could not be reconciled; looking again", key, extra={"retry_seconds": delay})
        else:
            queue.succeeded(key)
            if again is not None:
                queue.add(key, delay=max(again, 0.05))
        finally:
            seconds = self._clock.monotonic() - started
            self._metrics.reconciled(key.kind, outcome, seconds)
