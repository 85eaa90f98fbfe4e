"""The broker is killed at every await of a sign-in, and Vault fails at every write: the account works, or its person is told.

Against a real OpenBao; the vendor's codes are single-use.
"""

import contextlib
import itertools
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast

import pytest
from tests.operator.credentials.objects import NS
from tests.operator.credentials.world import Crash

from headgate_api.secret import Secret
from headgate_api.signin import SignInState, key_hash
from headgate_api.vault import grant_path, sign_in_path
from headgate_operator.broker.authentication import Refused
from headgate_operator.signin.assembly import SigningIn
from headgate_operator.signin.flow import REDEEMING
from headgate_runtime.vault import Vault, VaultCause, VaultError, VaultRecord, VaultUnavailable

from .world import SignInWorld

if TYPE_CHECKING:
    from headgate_operator.signin.flows import Listing


@dataclass
class Begun:
    """A sign-in whose person holds the vendor's code."""

    world: SignInWorld
    key: Secret
    code: str
    state: str

    @property
    def name(self) -> str:
        return key_hash(self.key)

    async def redeem(self, replica: SigningIn) -> None:
        asked, kept = await replica.sign_ins.kept(self.name)
        await replica.redeemer.redeem(asked, kept, Secret(self.code))

    async def tell(self) -> SignInState:
        """Ask a freshly started replica how the sign-in stands."""
        return await self.world.signing_in().sign_ins.tell(f"Bearer {self.key.reveal()}", NS, self.world.name)


@pytest.fixture
async def fresh(vault: Vault) -> AsyncIterator[Any]:
    async def begun(name: str) -> Begun:
        world = SignInWorld(vault=vault, name=name)
        key = world.new_key()
        state = await world.signing_in().sign_ins.begin(f"Bearer {key.reveal()}", NS, name, None)
        assert state.authorization_url is not None
        code, _, given = world.code(state.authorization_url).partition("#")
        world.faults.calls = 0
        return Begun(world, key, code, given)

    yield begun


async def _end(begun: Begun) -> str:
    """Look as the person does, now and later, and check that how it ends is true."""
    world, seen = begun.world, []
    for _ in range(2):
        state = await begun.tell()
        seen.append(state.state)
        if state.state != "Pending":
            break
        if state.authorization_url is not None:
            assert world.server.calls == []  # the code is not spent, and may still be brought
            await begun.redeem(world.signing_in())
            continue
        world.clock.advance(REDEEMING.total_seconds() + 1)
    state = await begun.tell()
    if state.state == "Completed":
        assert await world.condition() is not None
        assert await world.works()
        status = world.kube.objects[world.key.kind, NS, world.name]["status"]
        assert status["signIn"]["grantId"] == state.grant_id
        return "works"
    assert state.state == "Failed", seen
    assert "begin the sign-in again" in state.message
    assert await world.grant() is None
    return "says so"


@pytest.mark.parametrize("when", ["before", "after"])
async def test_killed_at_any_await_it_works_or_says_so(fresh: Any, when: Literal["before", "after"]) -> None:
    whole = await fresh(f"whole-{when}")
    await whole.redeem(whole.world.signing_in())
    total, ends = whole.world.faults.calls, []
    assert total == 13
    for step in range(1, total + 1):
        begun = await fresh(f"{when}-{step}")
        world = begun.world
        world.faults.at, world.faults.when = step, when
        try:
            await begun.redeem(world.signing_in())
        except Crash:
            world.faults.at = None
            flow = await world.kv.read(sign_in_path(begun.name))
            assert flow is not None
            lost = flow.data["phase"] == "Redeeming" and await world.grant() is None
            ends.append(await _end(begun))
            assert ends[-1] == ("says so" if lost else "works"), f"killed {when} call {step}"
        world.faults.at = None
        assert sum(call.error is None for call in world.server.calls) <= 1
    assert {"works", "says so"} == set(ends)


@pytest.mark.parametrize("when", ["before", "after"])
async def test_killed_at_any_await_of_a_poll_it_works_or_says_so(
    vault: Vault, when: Literal["before", "after"]
) -> None:
    ends = []
    for step in itertools.count(1):
        world = SignInWorld(vault=vault, name=f"device-{when}-{step}", redirect=None, device=True)
        key = world.new_key()
        await world.signing_in().sign_ins.begin(f"Bearer {key.reveal()}", NS, world.name, None)
        user_code = next(iter(world.server.codes.devices.values())).user_code
        world.server.codes.decide(user_code, "allowed")
        world.advance(seconds=5)
        world.faults.calls, world.faults.at, world.faults.when = 0, step, when
        with contextlib.suppress(Crash):
            await world.signing_in().sign_ins.devices.poll(key_hash(key))
        world.faults.at = None
        if world.faults.calls < step:
            break
        while (wait := await world.signing_in().sign_ins.devices.poll(key_hash(key))) is not None:
            world.clock.advance(wait)
        ends.append(await _end(Begun(world, key, "", "")))
        assert sum(call.error is None for call in world.server.calls) == 1
    assert len(ends) > 12
    assert {"works", "says so"} == set(ends)


async def test_killed_before_the_vendor_was_asked_the_code_may_be_lost_but_it_is_said(fresh: Any) -> None:
    begun = await fresh("taken")
    world = begun.world
    world.direct.before = _killed
    with pytest.raises(Crash):
        await begun.redeem(world.signing_in())
    assert (await begun.tell()).message.startswith("the vendor's answer is awaited")
    world.clock.advance(REDEEMING.total_seconds() + 1)
    state = await begun.tell()
    assert state.state == "Failed" and "begin the sign-in again" in state.message


async def _killed() -> None:
    raise Crash


@dataclass
class FailingVault:
    """A real Vault whose n-th write fails, before or after it took effect."""

    inner: Vault
    at: int
    when: Literal["before", "after"]
    writes: int = 0
    paths: list[str] = field(default_factory=list)

    async def read(self, path: str, version: int | None = None) -> VaultRecord | None:
        return await self.inner.read(path, version)

    async def read_for_update(self, path: str) -> tuple[VaultRecord | None, int]:
        return await self.inner.read_for_update(path)

    async def write(self, path: str, data: Mapping[str, Any], *, cas: int) -> int:
        self.writes += 1
        self.paths.append(path)
        if self.writes == self.at and self.when == "before":
            raise VaultUnavailable(VaultCause.TIMEOUT)
        version = await self.inner.write(path, data, cas=cas)
        if self.writes == self.at and self.when == "after":
            raise VaultUnavailable(VaultCause.TIMEOUT)
        return version

    async def delete(self, path: str) -> None:
        await self.inner.delete(path)

    async def readable_versions(self, path: str) -> tuple[int, ...]:
        return await self.inner.readable_versions(path)

    async def destroy(self, path: str, versions: Iterable[int]) -> None:
        await self.inner.destroy(path, versions)

    async def list(self, path: str) -> tuple[str, ...]:
        return await self.inner.list(path)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("at", [1, 2, 3])
async def test_whichever_write_fails_it_works_or_says_so(
    fresh: Any, vault: Vault, at: int, when: Literal["before", "after"]
) -> None:
    begun = await fresh(f"write-{at}-{when}")
    failing = FailingVault(vault, at, when)
    try:
        await begun.redeem(begun.world.signing_in(cast("Listing", failing)))
    except VaultError:
        assert at == 1
        assert begun.world.server.calls == []
    assert await _end(begun) == ("says so" if (at, when) == (1, "after") else "works")
    assert failing.paths[1:2] in ([grant_path(NS, begun.world.name)], [])


async def test_a_grant_that_came_meanwhile_and_is_newer_stays(fresh: Any) -> None:
    begun = await fresh("overtaken")
    world = begun.world

    async def overtaken() -> None:
        world.advance(seconds=5)
        await world.sign_in()

    world.direct.after = overtaken
    await begun.redeem(world.signing_in())
    state = await begun.tell()
    assert state.state == "Failed" and "newer credential" in state.message
    grant = await world.grant()
    assert grant is not None and grant.grant_id.startswith("grant-")


async def test_an_account_that_goes_meanwhile_gets_no_grant(fresh: Any) -> None:
    begun = await fresh("gone")
    world = begun.world

    async def goes() -> None:
        del world.kube.objects[world.key.kind, NS, world.name]

    world.direct.after = goes
    await begun.redeem(world.signing_in())
    assert await world.grant() is None
    with pytest.raises(Refused):
        await begun.tell()


async def test_what_was_imported_before_is_remembered_on(fresh: Any) -> None:
    begun = await fresh("imported")
    world = begun.world
    await world.sign_in()
    stored = await world.grant()
    assert stored is not None
    path = grant_path(NS, world.name)
    _, version = await world.kv.read_for_update(path)
    await world.kv.write(
        path, stored.model_copy(update={"imports": ("abc",), "obtained_at": None}).to_vault(), cas=version
    )
    await begun.redeem(world.signing_in())
    grant = await world.grant()
    assert grant is not None and grant.sign_in is not None and grant.imports == ("abc",)


async def test_sign_ins_that_are_over_are_swept_away(vault: Vault) -> None:
    world = SignInWorld(vault=vault, name="swept")
    for _ in range(3):
        key = world.new_key()
        await world.signing_in().sign_ins.begin(f"Bearer {key.reveal()}", NS, "swept", None)
        world.advance(seconds=1)
    replica = world.signing_in()
    left = len(await vault.list("_headgate/sign-ins"))
    assert await replica.janitor.sweep() >= 2
    assert len(await vault.list("_headgate/sign-ins")) < left
    assert (await replica.sign_ins.tell(f"Bearer {key.reveal()}", NS, "swept")).state == "Pending"
    world.advance(hours=2)
    await replica.janitor.sweep()
    assert await vault.list("_headgate/sign-ins") == ()
