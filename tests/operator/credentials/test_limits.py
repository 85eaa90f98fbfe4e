"""An account's status tells its windows and resets, exactly when they matter and seldom otherwise."""

from datetime import datetime, timedelta
from typing import Any

from headgate_api.reasons import SkipReason
from headgate_api.resources.limits import LimitObservation, LimitWindow
from headgate_operator.limits.known import KnownLimits

from .objects import ACCOUNT, START, account, plan_file, provider, secret
from .world import World

ACCESS = "team/subscriptionaccounts/ada/access"
RESET = START + timedelta(hours=2)


async def world_with_grant() -> World:
    world = World()
    world.told.known = KnownLimits(world.clock)
    world.kube.put(provider(modes=("Subscription",)))
    world.kube.put(account())
    world.kube.put(secret("plan", plan_file("one")))
    await world.reconcile(ACCOUNT)
    return world


def tell(world: World, used: float, *, until: datetime | None = None, at: datetime | None = None) -> bool:
    """Have a proxy tell of the account; return whether that makes the operator look at it."""
    assert world.told.known is not None
    seen = LimitObservation(
        path=ACCESS,
        grant=world.status(ACCOUNT)["credential"]["grantId"],
        windows=(LimitWindow(name="5h", used_percent=used, resets_at=RESET),),
        limited_until=until,
        reason=SkipReason.RATE_LIMITED if until is not None else None,
        at=at or world.clock.now(),
    )
    return bool(world.told.known.observe(seen))


def windows(world: World) -> Any:
    return [(w["name"], w["usedPercent"], w["resetsAt"]) for w in world.status(ACCOUNT)["windows"]]


async def test_windows_stand_in_the_status_and_a_limit_in_a_condition() -> None:
    world = await world_with_grant()
    assert world.status(ACCOUNT)["windows"] == []
    assert "WithinLimits" not in {c["type"] for c in world.status(ACCOUNT)["conditions"]}
    assert tell(world, 42.7)
    await world.reconcile(ACCOUNT)
    assert windows(world) == [("5h", 42.0, "2026-11-01T14:00:00Z")]
    assert world.status(ACCOUNT)["windowsAt"] == "2026-11-01T12:00:00Z"
    assert world.condition(ACCOUNT, "WithinLimits")[:2] == ("True", "Available")
    world.clock.advance(5)
    assert tell(world, 100, until=RESET)
    await world.reconcile(ACCOUNT)
    status, reason, message = world.condition(ACCOUNT, "WithinLimits")
    assert (status, reason) == ("False", "RateLimited")
    assert "2026-11-01T14:00:00Z" in message
    assert world.status(ACCOUNT)["limitedUntil"] == "2026-11-01T14:00:00Z"
    assert world.condition(ACCOUNT, "Ready")[0] == "True"
    assert ("Warning", "RateLimited", message) in world.told.events


async def test_the_operator_looks_again_at_the_reset_and_the_limit_is_gone() -> None:
    world = await world_with_grant()
    tell(world, 100, until=RESET)
    wait = await world.reconcile(ACCOUNT)
    assert wait == 60  # the Secret is looked at every minute anyway
    world.clock.advance(2 * 3600 - 30)
    assert await world.reconcile(ACCOUNT) == 30
    world.clock.advance(29.999)
    await world.reconcile(ACCOUNT)
    assert world.condition(ACCOUNT, "WithinLimits")[0] == "False"
    world.clock.advance(0.001)
    await world.reconcile(ACCOUNT)
    assert world.condition(ACCOUNT, "WithinLimits")[0] == "True"
    assert "limitedUntil" not in world.status(ACCOUNT)
    assert windows(world) == []


async def test_a_busy_account_is_written_twice_a_minute_at_most() -> None:
    world = await world_with_grant()
    written = []
    for second in range(120):
        tell(world, second / 2)
        before = world.status(ACCOUNT)
        await world.reconcile(ACCOUNT)
        if world.status(ACCOUNT) != before:
            written.append(second)
        world.clock.advance(1)
    assert written == [0, 30, 60, 90]


async def test_a_new_leader_goes_on_from_the_status_and_tells_the_proxies() -> None:
    world = await world_with_grant()
    tell(world, 100, until=RESET)
    await world.reconcile(ACCOUNT)
    before = world.status(ACCOUNT)
    world.told.known = KnownLimits(world.clock)
    world.clock.advance(60)
    await world.reconcile(ACCOUNT)
    assert world.status(ACCOUNT) == before
    known = world.told.known.of(ACCESS, before["credential"]["grantId"])
    assert known is not None
    assert (known.limited_until, known.reason) == (RESET, SkipReason.RATE_LIMITED)


async def test_another_grant_does_not_inherit_the_limits_of_the_former() -> None:
    world = await world_with_grant()
    tell(world, 100, until=RESET)
    await world.reconcile(ACCOUNT)
    world.kube.put(secret("plan", plan_file("two")))
    await world.reconcile(ACCOUNT)
    assert "limitedUntil" not in world.status(ACCOUNT)
    assert "WithinLimits" not in {c["type"] for c in world.status(ACCOUNT)["conditions"]}
