"""Proxies whose upstream refuses a federated token, and the broker: one exchange for all, and what they learn otherwise."""

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.operator.credentials.objects import PROVIDER
from tests.operator.refresh.asking import ask, broker

from headgate_operator.federation.settings import FEDERATED, provider_of
from headgate_operator.refresh.assembly import ByKind

from .world import World

if TYPE_CHECKING:
    from headgate_operator.engine.keys import Key

PROXIES = 200


@pytest.mark.parametrize("denied", [False, True])
async def test_two_hundred_simultaneous_refusals_are_one_exchange_and_all_learn_what_it_came_to(denied: bool) -> None:
    world = World()
    await world.exchange()
    world.advance(minutes=2)
    if denied:
        world.vendor.rules.clear()
    settled: list[Key] = []
    executor = ByKind({FEDERATED: world.executor(memory=world.memory)})
    path = world.federation.path
    async with broker(executor, world.kube, world.kv, world.clock, world.memory, settled.append) as http:
        answers = await asyncio.gather(*(ask(http, proxy, path, 1) for proxy in range(PROXIES)))
        late = await ask(http, 0, path, 1)
    assert world.direct.asked == 2, "the first token's, and one more"
    assert {status for status, _ in [*answers, late]} == {409 if denied else 200}
    if denied:
        assert {body["error"]["reason"] for _, body in answers} == {"FederationRefused"}
        assert "eyJ" not in repr(answers)
    else:
        assert {(body["version"], body["generation"]) for _, body in answers} == {(2, 2)}
        assert world.works()
    assert {provider_of(key) for key in settled} == {PROVIDER}


async def test_who_loses_a_race_in_vault_is_told_to_come_again() -> None:
    world = World()
    await world.exchange()

    async def another_writes() -> None:
        world.vault.versions[world.federation.path].append(None)

    executor = ByKind({FEDERATED: world.executor(memory=world.memory)})
    world.direct.after = another_writes
    async with broker(executor, world.kube, world.kv, world.clock, world.memory) as http:
        status, body = await ask(http, 1, world.federation.path, 1)
    assert (status, body["error"]["reason"]) == (503, "Refreshing"), "another writer was first: look again"
