"""A refresh that a person asks for by annotation: once, of the generation they name, within the same bounds as any other."""

import pytest
from tests.operator.credentials.objects import NS

from headgate_api.reasons import ConditionReason
from headgate_operator.refresh.executor import Renewed
from headgate_operator.refresh.verdict import Rest

from .world import World


async def _asked(world: World, generation: str) -> None:
    body = world.kube.objects[world.key.kind, NS, world.name]
    body["metadata"].setdefault("annotations", {})["headgate.dev/refresh"] = generation


async def test_the_generation_that_is_named_is_replaced_once() -> None:
    world = World()
    await world.sign_in()
    await world.condition()
    await _asked(world, "1")
    assert (await world.told_of())[:2] == ("True", "Scheduled")
    assert isinstance(await world.operator().refresh(world.key), Renewed)
    for _ in range(3):
        world.advance(minutes=2)
        result = await world.operator().refresh(world.key)
        assert isinstance(result, Rest) and result.reason is ConditionReason.SCHEDULED
        await world.condition()
    assert world.direct.asked == 1
    assert await world.works()
    text = "generation 2 replaces 1, as headgate.dev/refresh asked"
    assert [event for event in world.told.events if event[2] == text] == [("Normal", "Refreshed", text)]


@pytest.mark.parametrize("generation", ["2", "7", "x", "", "-1", "1.0", "9" * 40, "\u0661"])
async def test_a_generation_that_is_not_the_present_one_asks_for_nothing(generation: str) -> None:
    world = World()
    await world.sign_in()
    await _asked(world, generation)
    result = await world.operator().refresh(world.key)
    assert isinstance(result, Rest) and result.reason is ConditionReason.SCHEDULED
    assert world.direct.asked == 0


async def test_whoever_asks_again_and_again_waits_longer_and_longer() -> None:
    world = World()
    await world.sign_in()
    for generation in range(1, 40):
        await _asked(world, str(generation))
        result = await world.operator().refresh(world.key)
        if isinstance(result, Rest):
            assert result.reason is ConditionReason.SCHEDULED and "asked for" in result.message
            status, reason, message = await world.told_of()
            assert (status, reason) == ("True", "Refreshed") and "asked for" in message
            break
    else:
        pytest.fail("nothing bounds how often the vendor is asked")
    assert world.direct.asked == 1
    assert result.until is not None
    world.advance_to(result.until)
    await _asked(world, "2")
    assert isinstance(await world.operator().refresh(world.key), Renewed)


@pytest.mark.parametrize("spec", [{"suspend": True}, {"acknowledgement": None}])
async def test_no_request_overrules_what_forbids_refreshing(spec: dict[str, object]) -> None:
    world = World(spec=spec)
    await world.sign_in()
    await _asked(world, "1")
    assert isinstance(await world.operator().refresh(world.key), Rest)
    assert world.direct.asked == 0
