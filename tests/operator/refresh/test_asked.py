"""From the proxies' request to the vendor and back: endpoint, refresher and executor together."""

import asyncio

import pytest

from .asking import ask, broker
from .world import World

PROXIES = 200
PATH = "team/subscriptionaccounts/ada/access"


@pytest.mark.parametrize("revoked", [False, True])
async def test_two_hundred_simultaneous_refusals_are_one_refresh_and_all_learn_what_it_came_to(revoked: bool) -> None:
    world = World()
    await world.sign_in()
    world.server.grants.grants[0].revoked = revoked
    async with broker(world.operator(), world.kube, world.kv, world.clock) as http:
        answers = await asyncio.gather(*(ask(http, proxy, PATH, 1) for proxy in range(PROXIES)))
        late = await ask(http, 0, PATH, 1)
    assert world.direct.asked == 1
    assert {status for status, _ in [*answers, late]} == {409 if revoked else 200}
    if revoked:
        assert {body["error"]["reason"] for _, body in answers} == {"ReauthenticationRequired"}
    else:
        assert {(body["version"], body["generation"]) for _, body in answers} == {(2, 2)}
        assert await world.works()


async def test_a_suspended_account_is_not_refreshed_for_any_number_of_proxies() -> None:
    world = World(spec={"suspend": True})
    await world.sign_in()
    async with broker(world.operator(), world.kube, world.kv, world.clock) as http:
        answers = await asyncio.gather(*(ask(http, proxy, PATH, 1) for proxy in range(20)))
    assert world.direct.asked == 0
    assert {(status, body["error"]["reason"]) for status, body in answers} == {(409, "Suspended")}
