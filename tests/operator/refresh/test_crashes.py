"""The operator is killed at every await of a refresh: the next one leaves an account that works, or says what it needs.

Against a real OpenBao and a real HTTPS vendor whose refresh tokens are single-use, and whose reuse ends the grant.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Literal

import pytest
from tests.operator.credentials.objects import START
from tests.operator.credentials.world import Crash, Faults

from headgate_api.clock import ManualClock
from headgate_dev.emulator import Emulator, throwaway_tls
from headgate_dev.emulator.anthropic.vendor import Anthropic
from headgate_dev.emulator.oauth import Client as Registered
from headgate_dev.emulator.oauth import OAuthServer, WithOAuth, refreshes_at_once
from headgate_operator.oauth.answers import HttpAnswer
from headgate_operator.oauth.http import OAuthHttp
from headgate_operator.refresh.executor import RefreshExecutor, Renewed
from headgate_runtime.vault import Vault

from .world import CLIENT, World


@dataclass
class Site:
    emulator: Emulator
    oauth: OAuthServer
    clock: ManualClock

    def at_once(self) -> int:
        return refreshes_at_once(self.oauth.calls, self.emulator.requests)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    clock = ManualClock(START)
    oauth = OAuthServer(Registered(CLIENT))
    async with Emulator(
        vendor=WithOAuth(Anthropic(), oauth), tls=throwaway_tls(("127.0.0.1",)), clock=clock
    ) as emulator:
        yield Site(emulator, oauth, clock)


@dataclass
class CrashingHttp:
    """The real adapter; the process may be gone before the request left, or when its answer had come."""

    faults: Faults
    answered: bool = False

    async def send(self, request: Any, **options: Any) -> HttpAnswer:
        self.faults.before()
        answer = await OAuthHttp().send(request, **options)
        self.answered = True
        self.faults.after()
        return answer


async def _world(site: Site, vault: Vault, name: str) -> World:
    ca = site.emulator.tls.ca_pem if site.emulator.tls else None
    world = World(
        vault=vault,
        name=name,
        url=site.emulator.url,
        ca=ca,
        oauth=site.oauth,
        credentials=site.emulator.credentials,
        clock=site.clock,
    )
    await world.sign_in()
    world.advance(hours=6)
    world.faults.calls = 0
    return world


def _operator(world: World) -> tuple[RefreshExecutor, CrashingHttp]:
    sender = CrashingHttp(world.faults)
    return world.operator(sender), sender


async def _end(world: World) -> str:
    """Take over with fresh operators until the account has come to an end, and check that it is a good one."""
    result = await world.until_settled(_operator(world)[0])
    condition = await world.condition()
    assert condition is not None
    if condition[1] == "ReauthenticationRequired":
        assert "signs in again" in condition[2]
        return "says so"
    assert condition[0] == "True", (result, condition)
    assert await world.works()
    world.advance(hours=7)
    assert isinstance(await world.until_settled(_operator(world)[0]), Renewed)
    assert await world.works()
    return "works"


@pytest.mark.parametrize("when", ["before", "after"])
async def test_killed_at_any_await_it_works_or_says_so(
    site: Site, vault: Vault, when: Literal["before", "after"]
) -> None:
    whole = await _world(site, vault, f"whole-{when}")
    assert isinstance(await _operator(whole)[0].refresh(whole.key), Renewed)
    total, ends = whole.faults.calls, []
    assert total == 8  # account, fleets, grant, claim, vendor, conclusion, and the access record read and written
    for step in range(1, total + 2):
        world = await _world(site, vault, f"{when}-{step}")
        operator, sender = _operator(world)
        world.faults.at, world.faults.when = step, when
        try:
            await operator.refresh(world.key)
        except Crash:
            world.faults.at = None
        world.faults.at = None
        stored = await world.grant()
        lost = sender.answered and stored is not None and stored.generation == 1
        end = await _end(world)
        assert end == ("says so" if lost else "works"), f"killed {when} call {step}"
        ends.append(end)
    assert ends.count("says so") == 1
    assert site.at_once() == 1


async def test_killed_again_and_again_no_token_is_spent_twice_by_somebody_who_knew_better(
    site: Site, vault: Vault
) -> None:
    for first in range(3, 7):
        for second in range(3, 7):
            world = await _world(site, vault, f"twice-{first}-{second}")
            for step in (first, second):
                world.faults.calls, world.faults.at, world.faults.when = 0, step, "after"
                with contextlib.suppress(Crash):
                    await world.until_settled(_operator(world)[0], looks=3)
                world.faults.at = None
            await _end(world)
    assert site.at_once() == 1


async def test_operators_that_fight_over_one_account_ask_the_vendor_once(site: Site, vault: Vault) -> None:
    world = await _world(site, vault, "fought-over")
    before = len(site.oauth.calls)
    results = await asyncio.gather(*(_operator(world)[0].refresh(world.key, 1) for _ in range(8)))
    assert sum(isinstance(result, Renewed) for result in results) >= 1
    assert len(site.oauth.calls) - before == 1
    assert site.at_once() == 1
    assert await _end(world) == "works"
