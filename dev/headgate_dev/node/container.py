"""One container's life: start, probe, restart with back-off, end."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from headgate_api.clock import Clock, rfc3339
from headgate_dev.node.probes import Tally, Target, act
from headgate_dev.node.process import NOT_STARTED, Process
from headgate_dev.node.status import ContainerState

_FIRST_BACKOFF: Final = 0.2
_MAX_BACKOFF: Final = 10.0
_PROBE_GRACE: Final = 5.0
"""How long a container whose probe failed may take to end: nobody waits for its answers."""
_STABLE_SECONDS: Final = 10.0
"""A container that ran this long starts over with the shortest back-off."""


@dataclass(frozen=True)
class Place:
    """Where a container's process runs and leaves its traces."""

    folder: Path
    log: Path
    pid_file: Path


def restarts(policy: str, exit_code: int) -> bool:
    """Tell whether the pod's restartPolicy starts a container again that ended with ``exit_code``."""
    return policy == "Always" or (policy == "OnFailure" and exit_code != 0)


def next_backoff(last: float, ran_seconds: float) -> float:
    """Return the seconds to wait before the next start: doubling, from the shortest again after a stable run."""
    return _FIRST_BACKOFF if ran_seconds >= _STABLE_SECONDS else min(max(last * 2, _FIRST_BACKOFF), _MAX_BACKOFF)


class Container:
    """Runs a container until it is told to stop or its restart policy is satisfied; ``changed`` is called at each change."""

    def __init__(
        self,
        target: Target,
        place: Place,
        state: ContainerState,
        policy: str,
        clock: Clock,
        changed: Callable[[], None],
    ) -> None:
        self.state = state
        self._target = target
        self._place = place
        self._policy = policy
        self._clock = clock
        self._changed = changed
        self._stopping = asyncio.Event()
        self._grace = 30.0

    def stop(self, grace: float) -> None:
        """Ask it to end within ``grace`` seconds (preStop hook included); `run` returns when it has."""
        self._grace = grace
        self._stopping.set()

    async def run(self) -> int:
        """Run it, again and again as the policy says; return the last exit code."""
        backoff = 0.0
        while True:
            began = self._clock.monotonic()
            code = await self._run_once()
            if self._stopping.is_set() or not restarts(self._policy, code):
                self._set(state="terminated", exit_code=code, ready=False, started=False)
                return code
            backoff = next_backoff(backoff, self._clock.monotonic() - began)
            self._set(
                state="waiting",
                reason="CrashLoopBackOff",
                message=f"ended with code {code}; starts again after {backoff:.1f} s",
                exit_code=code,
                ready=False,
                started=False,
            )
            if await self._stopped_within(backoff):
                self._set(state="terminated")
                return code
            self.state.restarts += 1

    async def _run_once(self) -> int:
        if self._stopping.is_set():
            return self.state.exit_code or 0
        place = self._place
        try:
            process = await Process.start(self._target.plan, place.folder, place.log, place.pid_file)
        except OSError as error:
            with place.log.open("a") as log:
                log.write(f"{self._target.plan.argv[0]}: cannot be started: {error}\n")
            self.state.started_at = self.state.finished_at = rfc3339(self._clock.now())
            return NOT_STARTED
        self._set(state="running", started_at=rfc3339(self._clock.now()), message="")
        async with asyncio.TaskGroup() as group:
            helpers = [group.create_task(self._probe(process)), group.create_task(self._end_when_told(process))]
            code = await process.wait()
            for helper in helpers:
                helper.cancel()
        self.state.finished_at = rfc3339(self._clock.now())
        return code

    async def _end_when_told(self, process: Process) -> None:
        await self._stopping.wait()
        began = self._clock.monotonic()
        if hook := (self._target.container.get("lifecycle") or {}).get("preStop"):
            await act(hook, self._target, self._grace)
        await process.end(max(self._grace - (self._clock.monotonic() - began), 0.5))

    async def _probe(self, process: Process) -> None:
        container = self._target.container
        if (startup := container.get("startupProbe")) and not await self._until_verdict(startup):
            await process.end(_PROBE_GRACE)
            return
        self._set(started=True, ready="readinessProbe" not in container)
        async with asyncio.TaskGroup() as group:
            if readiness := container.get("readinessProbe"):
                group.create_task(self._follow_readiness(readiness))
            if liveness := container.get("livenessProbe"):
                group.create_task(self._follow_liveness(liveness, process))

    async def _until_verdict(self, probe: Mapping[str, Any]) -> bool:
        tally = Tally()
        await asyncio.sleep(probe.get("initialDelaySeconds", 0))
        while True:
            tally = tally.after(await self._attempt(probe), probe)
            if tally.verdict is not None:
                return tally.verdict
            await asyncio.sleep(probe.get("periodSeconds", 10))

    async def _follow_readiness(self, probe: Mapping[str, Any]) -> None:
        tally = Tally()
        await asyncio.sleep(probe.get("initialDelaySeconds", 0))
        while True:
            tally = tally.after(await self._attempt(probe), probe)
            self._set(ready=tally.verdict is True)
            # A container that is not ready yet is asked again soon, or every rollout here would wait a full period.
            await asyncio.sleep(probe.get("periodSeconds", 10) if tally.verdict else _FIRST_BACKOFF)

    async def _follow_liveness(self, probe: Mapping[str, Any], process: Process) -> None:
        tally = Tally(verdict=True)
        # Without a delay the first question comes after one period: a process that just began cannot answer yet.
        await asyncio.sleep(probe.get("initialDelaySeconds") or probe.get("periodSeconds", 10))
        while True:
            tally = tally.after(await self._attempt(probe), probe)
            if tally.verdict is False:
                await process.end(_PROBE_GRACE)
                return
            await asyncio.sleep(probe.get("periodSeconds", 10))

    async def _attempt(self, probe: Mapping[str, Any]) -> bool:
        return await act(probe, self._target, probe.get("timeoutSeconds", 1))

    async def _stopped_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return False
        return True

    def _set(self, **changes: Any) -> None:
        before = dict(vars(self.state))
        for name, value in changes.items():
            setattr(self.state, name, value)
        if vars(self.state) != before:
            self._changed()
