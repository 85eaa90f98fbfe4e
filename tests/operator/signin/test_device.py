"""Sign-in by device code: asked about at the vendor's pace, by one replica at a time, until the person has decided."""

import asyncio
from datetime import timedelta

import pytest
from tests.operator.credentials.objects import START

from headgate_api.signin import key_hash
from headgate_dev.emulator import FaultKind
from headgate_dev.emulator.faults import Fault
from headgate_runtime.vault import VaultCause

from .world import SignInWorld, replica


def _world() -> SignInWorld:
    return SignInWorld(redirect=None, device=True)


async def _poll(world: SignInWorld, name: str) -> float | None:
    """Poll as a freshly started replica does, once its time has come."""
    wait = await world.signing_in().sign_ins.devices.poll(name)
    if wait is not None:
        world.clock.advance(wait)
    return wait


async def test_a_person_signs_in_with_a_code_they_type_elsewhere() -> None:
    world = _world()
    async with replica(world) as broker:
        key = world.new_key()
        status, state = await broker.begin(key)
        assert (status, state["state"], state["method"]) == (200, "Pending", "DeviceCode")
        assert (state["userCode"], state["verificationURI"]) == ("EMUL-0001", "https:///oauth/device")
        assert state["expiresAt"] == "2026-11-01T12:15:00Z"
        name = key_hash(key)
        assert await _poll(world, name) == 5.0
        assert await _poll(world, name) == 5.0
        world.server.codes.decide("EMUL-0001", "allowed")
        assert await _poll(world, name) is None
        assert (await broker.tell(key))[1]["state"] == "Completed"
    await world.condition()
    assert await world.works()
    assert [call.error for call in world.server.calls] == ["authorization_pending", None]


async def test_nobody_asks_before_its_time_and_many_replicas_ask_as_often_as_one() -> None:
    world = _world()
    async with replica(world) as broker:
        key = world.new_key()
        await broker.begin(key)
    name = key_hash(key)
    for _ in range(12):
        await asyncio.gather(*(world.signing_in().sign_ins.devices.poll(name) for _ in range(4)))
        world.advance(seconds=1)
    assert len(world.server.calls) == 2
    assert {call.error for call in world.server.calls} == {"authorization_pending"}


async def test_a_vendor_that_says_slow_down_is_asked_less_often() -> None:
    world = _world()
    async with replica(world) as broker:
        key = world.new_key()
        await broker.begin(key)
    device = world.server.codes.devices["emulated-device-1"]
    world.advance(seconds=5)
    device.polled = world.clock.now()
    name = key_hash(key)
    assert await _poll(world, name) == 10.0
    assert await _poll(world, name) == 10.0
    assert [call.error for call in world.server.calls] == ["slow_down", "authorization_pending"]


@pytest.mark.parametrize(
    ("how", "state", "says"), [("denied", "Failed", "declined"), ("expired", "Expired", "expired")]
)
async def test_a_code_that_was_denied_or_has_expired_is_asked_about_no_more(how: str, state: str, says: str) -> None:
    world = _world()
    async with replica(world) as broker:
        key = world.new_key()
        await broker.begin(key)
        if how == "denied":
            world.server.codes.decide("EMUL-0001", "denied")
        else:
            world.server.codes.devices["emulated-device-1"].expires = START
        world.advance(seconds=5)
        assert await _poll(world, key_hash(key)) is None
        told = (await broker.tell(key))[1]
        assert told["state"] == state and says in told["message"] and "begin the sign-in again" in told["message"]
        assert await _poll(world, key_hash(key)) is None
    assert len(world.server.calls) == 1


async def test_a_code_that_nobody_typed_in_time_is_asked_about_no_more() -> None:
    world = _world()
    async with replica(world) as broker:
        key = world.new_key()
        await broker.begin(key)
        world.advance(minutes=15)
        assert await _poll(world, key_hash(key)) is None
        assert (await broker.tell(key))[1]["state"] == "Expired"
    assert world.server.calls == []


async def test_a_vendor_that_is_away_is_waited_for() -> None:
    world = _world()
    async with replica(world) as broker:
        key = world.new_key()
        await broker.begin(key)
    vendor, name = world.direct.vendor, key_hash(key)
    answer = vendor.answer
    fault = Fault(kind=FaultKind.SERVER_ERROR)
    vendor.answer = lambda call, credentials: vendor.refusal(call, fault) or answer(call, credentials)  # type: ignore[method-assign]
    world.advance(seconds=5)
    assert await _poll(world, name) == 10.0
    vendor.answer = answer  # type: ignore[method-assign]
    world.server.codes.decide("EMUL-0001", "allowed")
    assert await _poll(world, name) is None
    assert await world.grant() is not None


async def test_a_replica_that_dies_in_a_poll_is_followed_by_another() -> None:
    world = _world()
    async with replica(world) as broker:
        key = world.new_key()
        await broker.begin(key)
    name = key_hash(key)
    world.advance(seconds=5)

    async def dies() -> None:
        raise SystemError("killed")

    world.direct.before = dies
    assert await world.signing_in().sign_ins.devices.poll(name) is None
    world.direct.before = lambda: asyncio.sleep(0)
    world.server.codes.decide("EMUL-0001", "allowed")
    wait = await _poll(world, name)
    assert wait is not None and 60 < wait <= 120
    assert await _poll(world, name) is None
    assert await world.grant() is not None


async def test_a_vault_that_is_away_means_no_poll() -> None:
    world = _world()
    async with replica(world) as broker:
        key = world.new_key()
        await broker.begin(key)
    world.advance(seconds=5)
    world.memory.away = VaultCause.SEALED
    assert await _poll(world, key_hash(key)) == 5.0
    assert world.server.calls == []


async def test_a_sign_in_that_was_replaced_is_asked_about_no_more() -> None:
    world = _world()
    async with replica(world) as broker:
        key = world.new_key()
        await broker.begin(key)
        world.new_key("bob")
        world.advance(seconds=5)
        assert await _poll(world, key_hash(key)) is None
    assert world.server.calls == []


async def test_there_is_no_code_to_bring() -> None:
    world = _world()
    async with replica(world) as broker:
        key = world.new_key()
        await broker.begin(key)
        status, answer = await broker.bring(key, "code#state")
        assert (status, answer["error"]["reason"]) == (409, "NoCodeAwaited")


async def test_a_vendor_that_gives_no_device_code_is_said_so() -> None:
    world = _world()
    world.extra = {"clientId": "not-registered"}
    world.put_account()
    async with replica(world) as broker:
        status, answer = await broker.begin(world.new_key())
        assert (status, answer["error"]["reason"]) == (409, "ClientRefused")
        assert "clientId" in answer["error"]["message"]


async def test_the_running_replica_asks_by_itself() -> None:
    world = _world()
    world.server.codes.device  # noqa: B018 - the vendor is there
    async with replica(world) as broker:
        key = world.new_key()
        await broker.begin(key)
        world.server.codes.decide("EMUL-0001", "allowed")
        world.advance(seconds=6)
        for _ in range(400):
            if (await broker.tell(key))[1]["state"] == "Completed":
                break
        else:
            pytest.fail("nobody asked the vendor")
    grant = await world.grant()
    assert grant is not None and grant.obtained_at == START + timedelta(seconds=6)
