"""The operator is killed at every await of a revocation: the next one ends it, at the vendor too, and no token stays anywhere."""

import contextlib
from typing import Literal

import pytest
from tests.operator.credentials.objects import NS
from tests.operator.credentials.world import Crash
from tests.operator.signin.world import SignInWorld

from headgate_api.vault import access_path, grant_path
from headgate_runtime.vault import Vault


async def _world(vault: Vault, name: str, *, deletion: bool) -> SignInWorld:
    world = SignInWorld(vault=vault, name=name, revocation=True, spec={"deletionPolicy": "Revoke"} if deletion else {})
    await world.sign_in()
    await world.condition()
    if deletion:
        world.kube.mark_deleted(world.key)
    else:
        world.annotate(revoke=await world.grant_id())
    world.faults.calls = 0
    return world


async def _whole(world: SignInWorld) -> None:
    """Do all that an operator does: look, tell the vendor, look."""
    await world.look()
    await world.revoker().revoke(world.key)
    await world.look()


@pytest.mark.parametrize("deletion", [False, True])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_killed_at_any_await_it_is_revoked_in_the_end(
    vault: Vault, when: Literal["before", "after"], deletion: bool
) -> None:
    kind = f"{when}-{'deleted' if deletion else 'revoked'}"
    whole = await _world(vault, f"{kind}-whole", deletion=deletion)
    await _whole(whole)
    total = whole.faults.calls
    assert total > 20
    for step in range(1, total + 1):
        world = await _world(vault, f"{kind}-{step}", deletion=deletion)
        world.faults.at, world.faults.when = step, when
        with contextlib.suppress(Crash):
            await _whole(world)
        world.faults.at = None
        await _whole(world)
        world.advance(minutes=1)  # an attempt was counted, and perhaps not made
        await _whole(world)
        assert world.server.grants.grants[0].revoked, f"killed {when} call {step}"
        assert await vault.readable_versions(access_path(NS, world.name)) == ()
        for version in await vault.readable_versions(grant_path(NS, world.name)):
            record = await vault.read(grant_path(NS, world.name), version)
            assert record is not None and "emulated-" not in repr(record.data)
        if deletion:
            assert world.kube.find("SubscriptionAccount", world.name) is None
        else:
            assert (await world.told_of("CredentialValid"))[:2] == ("False", "Revoked")
