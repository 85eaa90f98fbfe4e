"""Operators that fight, freeze, wake and die in any order: one refresh in flight, no token lost that anybody still had."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.operator.credentials.world import Crash

from headgate_api.reasons import ConditionReason
from headgate_operator.refresh.executor import Renewed, Result
from headgate_operator.refresh.verdict import Rest
from headgate_runtime.vault import VaultCause

from .turns import Stage
from .world import World


async def _due() -> World:
    world = World()
    await world.sign_in()
    world.advance(hours=6)
    return world


async def _run_to(stage: Stage, operator: int, name: str | None = None) -> None:
    """Let one operator go on until it is about to do ``name`` (or has ended)."""
    await stage.settle()
    while operator in stage.turns.waiting:
        if name is not None and stage.turns.names[operator].startswith(name):
            return
        stage.turns.go(operator)
        await stage.settle()


async def _good_end(world: World) -> str:
    """Have proxies use the account: a refused token is reported, as they do. It works in the end, or says what it needs."""
    result: Result = await world.until_settled(world.operator())
    for _ in range(4):
        if await world.works():
            return "works"
        grant = await world.grant()
        assert grant is not None
        result = await world.until_settled(world.operator(), grant.generation)
        if isinstance(result, Rest) and result.reason is ConditionReason.REAUTHENTICATION_REQUIRED:
            return "says so"
    raise AssertionError(f"silently dead: {result}")


async def test_many_operators_at_once_ask_the_vendor_once() -> None:
    world = await _due()
    operators = [world.operator() for _ in range(8)]
    results = await asyncio.gather(*(operator.refresh(world.key, 1) for operator in operators for _ in range(3)))
    assert (world.direct.asked, world.direct.most) == (1, 1)
    assert sum(isinstance(result, Renewed) for result in results) >= 1
    assert await world.works()


@pytest.mark.parametrize("at", ["write", "wrote", "connect"])
async def test_who_wakes_after_their_claim_has_run_out_sends_nothing(at: str) -> None:
    world = await _due()
    stage = Stage(world)
    async with asyncio.TaskGroup() as group:
        frozen = stage.start(group)
        await _run_to(stage, frozen, at)
        world.advance(seconds=400)
        other = await world.until_settled(world.operator())
        assert isinstance(other, Renewed)
        assert world.direct.asked == 1
        await _run_to(stage, frozen)
    assert len(stage.flights) == 0
    assert await world.works()
    assert isinstance(stage.tasks[frozen].result(), Rest)


async def test_who_wakes_with_new_tokens_in_hand_stores_them_and_what_is_dead_is_found_out() -> None:
    world = await _due()
    stage = Stage(world)
    async with asyncio.TaskGroup() as group:
        frozen = stage.start(group)
        await _run_to(stage, frozen, "answered")
        world.advance(seconds=400)
        other = await world.until_settled(world.operator())
        assert isinstance(other, Rest) and other.reason is ConditionReason.REAUTHENTICATION_REQUIRED
        await _run_to(stage, frozen)
    grant = await world.grant()
    assert grant is not None and grant.generation == 2  # a vendor that forgives reuse would take these
    assert await _good_end(world) == "says so"


async def test_a_frozen_operator_within_its_claim_finishes_and_others_wait_for_it() -> None:
    world = await _due()
    stage = Stage(world)
    async with asyncio.TaskGroup() as group:
        frozen = stage.start(group)
        await _run_to(stage, frozen, "answered")
        world.advance(seconds=100)
        waits = await world.operator().refresh(world.key, 1)
        assert isinstance(waits, Rest) and waits.reason is ConditionReason.REFRESHING
        await _run_to(stage, frozen)
    assert await world.works()
    assert world.direct.asked == 1


async def test_an_import_while_a_refresh_is_under_way_wins() -> None:
    world = await _due()
    stage = Stage(world)
    async with asyncio.TaskGroup() as group:
        slow = stage.start(group)
        await _run_to(stage, slow, "answered")
        await world.sign_in()
        await _run_to(stage, slow)
    grant = await world.grant()
    assert grant is not None and (grant.grant_id, grant.generation) == ("grant-2", 1)
    assert await world.works()


async def test_other_changes_of_the_record_meanwhile_do_not_cost_the_new_tokens() -> None:
    world = await _due()
    stage = Stage(world)
    path = "team/subscriptionaccounts/ada/grant"
    async with asyncio.TaskGroup() as group:
        slow = stage.start(group)
        await _run_to(stage, slow, "answered")
        world.memory.put(path, (world.memory.latest(path) or {}) | {"origins": ["https://another.example"]})
        await _run_to(stage, slow)
    grant = await world.grant()
    assert grant is not None and grant.origins == ("https://another.example",)
    assert await world.works()


@pytest.mark.looptime
@pytest.mark.parametrize("cause", [VaultCause.SEALED, VaultCause.TIMEOUT])
@pytest.mark.parametrize("seconds", [1, 60, 3600])
async def test_new_tokens_wait_in_memory_for_a_vault_that_went_away(cause: VaultCause, seconds: float) -> None:
    world = await _due()

    async def vault_goes_away() -> None:
        world.memory.away = cause

    world.direct.after = vault_goes_away
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(world.operator().refresh(world.key))
        await asyncio.sleep(seconds)
        world.advance(seconds=seconds)
        assert not waiting.done()
        world.memory.away = None
        impatient = await world.operator().refresh(world.key, 1)  # another operator, in the same moment
        assert isinstance(impatient, Rest)
    assert isinstance(waiting.result(), Renewed)
    assert world.direct.asked == 1
    assert await world.works()


@pytest.mark.looptime
@pytest.mark.parametrize("lost", [1, 2, 3])
async def test_a_write_that_fails_or_loses_its_answer_is_made_good(lost: int) -> None:
    """Vault takes the ``lost``-th write (claim, conclusion, access record) and its answer never arrives."""
    for taken in (True, False):
        world = await _due()
        write, count = world.memory.write, 0

        async def flaky(path: str, data: object, *, cas: int) -> int:
            nonlocal count
            count += 1
            version = await write(path, data, cas=cas) if taken or count != lost else 0  # type: ignore[arg-type]  # noqa: B023
            if count == lost:
                from headgate_runtime.vault import VaultUnavailable

                raise VaultUnavailable(VaultCause.TIMEOUT)
            return version

        world.memory.write = flaky  # type: ignore[method-assign]
        result = await world.until_settled(world.operator())
        await world.condition()  # the account's own plan publishes what is not yet
        assert isinstance(result, Renewed)
        assert world.direct.asked == 1
        assert await world.works()


_ACTIONS = st.lists(
    st.tuples(st.sampled_from(["go", "go", "go", "go", "start", "kill", "pass", "pass-long"]), st.integers(0, 7)),
    max_size=60,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_ACTIONS)
def test_in_any_history_one_refresh_is_in_flight_and_no_account_dies_silently(actions: list[tuple[str, int]]) -> None:
    async def play() -> None:
        world = await _due()
        stage = Stage(world)
        harmless = True
        async with asyncio.TaskGroup() as group:
            stage.start(group)
            for action, which in actions:
                await stage.settle()
                ready = sorted(stage.turns.waiting)
                if action == "start" and len(stage.tasks) < 6:
                    stage.start(group, 1 if which % 2 else None)
                elif action == "pass":
                    world.advance(seconds=10)
                elif action == "pass-long":
                    world.advance(seconds=200)
                    harmless = False
                elif action == "kill" and ready:
                    stage.turns.go(ready[which % len(ready)], Crash())
                    harmless = False
                elif ready:
                    stage.turns.go(ready[which % len(ready)])
            for operator in sorted(stage.tasks):
                await _run_to(stage, operator)
        assert world.direct.most <= 1
        end = await _good_end(world)
        if harmless and world.clock.monotonic() < 6 * 3600 + 60:
            assert end == "works"

    asyncio.run(play())
