"""The engine: sweeps, isolation of failures, and a stop that is at once."""

import asyncio
from collections.abc import Iterable

import pytest

from headgate_api.clock import SystemClock
from headgate_operator.engine.engine import SWEEP_SECONDS, Engine
from headgate_operator.engine.keys import Key
from headgate_operator.engine.progress import Progress
from headgate_operator.metrics import Metrics
from headgate_runtime.kube_errors import KubeUnavailable

GOOD = Key("LLMProvider", "team", "good")
BAD = Key("LLMProvider", "team", "bad")

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


class Recorder:
    """A reconciler that notes when it is called, and fails for one key."""

    def __init__(self, again: float | None = None) -> None:
        self.calls: list[tuple[Key, float]] = []
        self.again = again

    async def reconcile(self, key: Key) -> float | None:
        self.calls.append((key, asyncio.get_running_loop().time()))
        if key == BAD:
            raise KubeUnavailable("away")
        return self.again

    def times(self, key: Key) -> list[float]:
        return [at for called, at in self.calls if called == key]


def engine_of(reconciler: Recorder, keys: Iterable[Key] = (), failing_sweeps: int = 0) -> tuple[Engine, Metrics]:
    clock, metrics = SystemClock(), Metrics()
    left = failing_sweeps

    async def sweep() -> Iterable[Key]:
        nonlocal left
        if left:
            left -= 1
            raise KubeUnavailable("away")
        return keys

    engine = Engine({"LLMProvider": reconciler}, sweep=sweep, clock=clock, progress=Progress(clock), metrics=metrics)
    return engine, metrics


async def run_for(engine: Engine, seconds: float) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(seconds):
            await engine.run()


async def test_every_object_is_looked_at_in_every_sweep_without_any_event() -> None:
    reconciler = Recorder()
    engine, _ = engine_of(reconciler, [GOOD])
    await run_for(engine, SWEEP_SECONDS * 2.5)
    assert len(reconciler.times(GOOD)) == 3


async def test_a_sweep_that_fails_is_followed_by_the_next() -> None:
    reconciler = Recorder()
    engine, _ = engine_of(reconciler, [GOOD], failing_sweeps=1)
    await run_for(engine, SWEEP_SECONDS * 1.5)
    assert len(reconciler.times(GOOD)) == 1


async def test_a_failing_object_is_tried_again_and_delays_no_other() -> None:
    reconciler = Recorder(again=1.0)
    engine, metrics = engine_of(reconciler, [BAD, GOOD])
    await run_for(engine, 10)
    assert len(reconciler.times(GOOD)) == pytest.approx(10, abs=1)
    assert 4 <= len(reconciler.times(BAD)) <= 6
    labels = {"kind": "LLMProvider", "outcome": "retry"}
    assert metrics.registry.get_sample_value("headgate_operator_reconciles_total", labels) == len(reconciler.times(BAD))


async def test_a_stopped_engine_interrupts_what_its_workers_do() -> None:
    interrupted = asyncio.Event()

    class Slow(Recorder):
        async def reconcile(self, key: Key) -> float | None:
            try:
                await asyncio.sleep(50)
            except asyncio.CancelledError:
                interrupted.set()
                raise
            return None

    engine, _ = engine_of(Slow(), [GOOD])
    await run_for(engine, 1)
    assert interrupted.is_set()


async def test_a_look_that_hangs_is_cut_off_and_repeated() -> None:
    class Hanging(Recorder):
        async def reconcile(self, key: Key) -> float | None:
            await super().reconcile(key)
            await asyncio.Event().wait()
            return None

    reconciler = Hanging()
    engine, _ = engine_of(reconciler, [GOOD])
    await run_for(engine, 100)
    assert len(reconciler.times(GOOD)) == 2


async def test_a_fleet_does_not_wait_behind_objects_whose_vault_is_slow() -> None:
    looked: list[tuple[str, float]] = []

    class Slow:
        async def reconcile(self, key: Key) -> float | None:
            await asyncio.sleep(10)
            return None

    class Fleets:
        async def reconcile(self, key: Key) -> float | None:
            looked.append((key.name, asyncio.get_running_loop().time()))
            return None

    keys = [Key("LLMProvider", "team", f"p{number}") for number in range(50)] + [Key("ProxyFleet", "team", "default")]

    async def sweep() -> Iterable[Key]:
        return keys

    clock = SystemClock()
    engine = Engine(
        {"LLMProvider": Slow(), "ProxyFleet": Fleets()},
        sweep=sweep,
        clock=clock,
        progress=Progress(clock),
        metrics=Metrics(),
    )
    await run_for(engine, 5)
    assert [name for name, at in looked if at < 1] == ["default"]
