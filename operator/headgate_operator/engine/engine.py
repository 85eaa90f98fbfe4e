"""One term of leadership at work: workers that reconcile, and sweeps that make sure nothing is forgotten.

The engine lives as long as this process holds the Lease; cancelling it stops every worker at its next await. What a
worker was doing then is finished by whoever looks next, since every step is planned from observation.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final

from headgate_api.clock import Clock
from headgate_api.resources import ProxyFleet, RolloutPolicy
from headgate_operator.credentials.executor import Unsettled
from headgate_operator.engine.keys import SNAPSHOT, Key
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
OWN_QUEUE: Final[Mapping[str, float]] = {ProxyFleet.KIND: 0.05, RolloutPolicy.KIND: 0.0, SNAPSHOT: 0.01}
"""Kinds with a queue and a worker of their own, and how long a look waits for others to join it (ten providers applied at
once make one snapshot, not ten). They ask Vault nothing, and must not wait behind objects that do."""
_PASSING: Final = (Conflict, NotLeading, KubeUnavailable, VaultUnavailable, Unsettled, TimeoutError)
"""Failures that pass by themselves: one line in the log, no traceback."""

_log = logging.getLogger(__name__)


class Engine:
    """Runs the reconcilers over work queues: one for objects with credentials, one for each kind that must not wait."""

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
        self._objects = WorkQueue()
        self._own = {kind: WorkQueue() for kind in OWN_QUEUE if kind in reconcilers}

    def enqueue(self, keys: Iterable[Key]) -> None:
        """Ask for a look at these objects as soon as a worker is free; at fleets and their heads a moment later."""
        for key in keys:
            if key.kind in self._reconcilers:
                self._queue_of(key).add(key, delay=OWN_QUEUE.get(key.kind, 0))
        self._measure()

    async def run(self) -> None:
        """Work until cancelled."""
        self._progress.term_began()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._sweep_forever())
                for kind, queue in self._own.items():
                    for _ in range(WORKERS if kind == RolloutPolicy.KIND else 1):
                        group.create_task(self._work(queue))
                for _ in range(WORKERS):
                    group.create_task(self._work(self._objects))
        finally:
            self._objects.close()
            for queue in self._own.values():
                queue.close()
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
        return self._own.get(key.kind, self._objects)

    def _measure(self) -> None:
        self._metrics.queue_depth.set(self._objects.depth + sum(queue.depth for queue in self._own.values()))

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
