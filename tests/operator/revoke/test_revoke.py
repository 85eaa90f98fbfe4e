"""A grant that somebody revokes: gone from the proxies at once, forgotten here, ended at the vendor, or its owner is told to."""

import asyncio
import json
from typing import Any

import pytest
from tests.operator.credentials.objects import NS, secret
from tests.operator.refresh.test_refresh import fault
from tests.operator.signin.world import SignInWorld, registered

from headgate_api.resources import SubscriptionAccount
from headgate_api.secret import Secret
from headgate_api.vault import access_path, grant_path
from headgate_dev.emulator import FaultKind
from headgate_operator.account.revoking import MOST_ATTEMPTS
from headgate_operator.refresh.executor import Renewed
from headgate_operator.revisions.bundles import account_form, laid_over
from headgate_runtime.vault import Vault, VaultCause, VaultUnavailable

ACCESS, GRANT = access_path(NS, "ada"), grant_path(NS, "ada")


async def _revoked(world: SignInWorld) -> None:
    """Ask for the revocation of the present grant, and let the operator look once."""
    grant = await world.grant_id()
    world.annotate(revoke=grant)
    await world.condition()


def _kept(world: SignInWorld) -> str:
    """Everything that Vault still holds of the account, in every version."""
    return repr({path: versions for path, versions in world.memory.versions.items() if path in (ACCESS, GRANT)})


async def test_a_revoked_grant_is_forgotten_and_ended_at_the_vendor() -> None:
    world = SignInWorld(revocation=True)
    await world.sign_in()
    await world.condition()
    await _revoked(world)
    assert await world.access() is None
    status, reason, message = await world.told_of("CredentialValid")
    assert (status, reason) == ("False", "Revoking") and "the vendor is being told" in message
    await world.revoker().revoke(world.key)
    assert world.server.grants.grants[0].revoked
    status, reason, message = await world.told_of("CredentialValid")
    assert (
        reason == "Revoked"
        and "revoked at the vendor at 2026-11-01T12:00:00Z" in message
        and "sign in again" in message
    )
    assert (await world.told_of("RefreshHealthy"))[:2] == ("False", "Revoked")
    assert (await world.told_of("Ready"))[:2] == ("False", "Revoked")
    assert "emulated-" not in _kept(world)
    assert [e[0] for e in world.told.events if e[1] == "Revoked" and "at the vendor" in e[2]] == ["Normal"]
    assert world.direct.asked == 2  # the refresh token, and the access token
    await world.revoker().revoke(world.key)
    assert world.direct.asked == 2


async def test_where_the_vendor_cannot_be_told_the_owner_is() -> None:
    world = SignInWorld(oauth=registered(revocation=False))
    await world.sign_in()
    await world.condition()
    await _revoked(world)
    _, _, message = await world.told_of("CredentialValid")
    assert "ada@team.example, ends it in the account settings at the vendor" in message
    assert ("Warning", "Revoked") in [event[:2] for event in world.told.events]
    assert "emulated-" not in _kept(world)
    await world.revoker().revoke(world.key)
    assert world.direct.asked == 0


async def test_a_vendor_that_is_away_is_told_later_and_not_for_ever() -> None:
    world = SignInWorld(revocation=True)
    await world.sign_in()
    await world.condition()
    fault(world, FaultKind.SERVER_ERROR, times=None)
    await _revoked(world)
    assert await world.access() is None
    for _ in range(200):
        await world.revoker().revoke(world.key)
        await world.condition()
        world.advance(seconds=20)
    assert world.direct.asked == MOST_ATTEMPTS
    _, _, message = await world.told_of("CredentialValid")
    assert "could not be told in 6 attempts" in message and "ada@team.example" in message
    assert "emulated-" not in _kept(world)
    assert [e[0] for e in world.told.events if e[1] == "Revoked" and "could not be told" in e[2]] == ["Warning"]


async def test_a_vendor_that_refuses_the_client_leaves_it_to_the_owner() -> None:
    world = SignInWorld(revocation=True)
    await world.sign_in()
    await world.condition()
    await _revoked(world)
    fault(world, FaultKind.OAUTH_ERROR, times=None, message="invalid_client", status=401)
    await world.revoker().revoke(world.key)
    _, _, message = await world.told_of("CredentialValid")
    assert "does not revoke it" in message and "ada@team.example" in message
    await world.revoker().revoke(world.key)
    assert world.direct.asked == 1


async def test_the_id_of_another_grant_revokes_nothing() -> None:
    world = SignInWorld(revocation=True)
    await world.sign_in()
    world.annotate(revoke="an-older-grant")
    await world.condition()
    assert (await world.told_of("CredentialValid"))[0] == "True"
    await world.revoker().revoke(world.key)
    assert await world.works()


async def test_a_refresh_under_way_ends_first_and_none_of_its_tokens_is_forgotten() -> None:
    world = SignInWorld(revocation=True)
    await world.sign_in()
    await world.condition()
    world.advance(hours=6)

    async def revoked_meanwhile() -> None:
        await _revoked(world)

    world.direct.after = revoked_meanwhile
    assert isinstance(await world.operator().refresh(world.key), Renewed)
    world.direct.after = lambda: asyncio.sleep(0)
    assert (await world.told_of("CredentialValid"))[:2] == ("False", "Revoking")
    assert await world.access() is None
    await world.condition()
    await world.revoker().revoke(world.key)
    vendor = world.server.grants.grants[0]
    assert vendor.generation == 2 and vendor.revoked
    assert await world.access() is None
    assert "emulated-" not in repr(await world.grant())


async def test_nothing_is_refreshed_while_a_grant_is_being_revoked() -> None:
    world = SignInWorld(revocation=True)
    await world.sign_in()
    world.advance(hours=6)
    world.annotate(revoke=await world.grant_id())
    result = await world.operator().refresh(world.key, 1)
    assert not isinstance(result, Renewed) and result.reason == "Revoked"
    assert world.direct.asked == 0


async def test_a_secret_that_gitops_restores_brings_nothing_back_but_a_new_one_does() -> None:
    world = SignInWorld(revocation=True)
    world.put_account(credential={"importSecretRef": {"name": "plan", "key": "value"}})
    world.kube.put(secret("plan", _file(world), labels={"argocd.argoproj.io/instance": "team"}))
    await world.condition()
    imported = await world.grant()
    assert imported is not None
    await _revoked(world)
    await world.revoker().revoke(world.key)
    for _ in range(3):
        assert (await world.told_of("CredentialValid"))[:2] == ("False", "Revoked")
    assert await world.access() is None
    world.kube.put(secret("plan", _file(world)))
    await world.condition()
    renewed = await world.grant()
    assert renewed is not None and renewed.grant_id != imported.grant_id
    assert (await world.told_of("CredentialValid"))[0] == "True"
    world.kube.put(secret("plan", _file(world, again=1)))
    await world.condition()
    assert (await world.grant_id()) == renewed.grant_id


async def test_signing_in_again_does_not_keep_the_vendor_from_being_told() -> None:
    world = SignInWorld(revocation=True)
    await world.sign_in()
    await world.condition()
    used = world.kube.objects[world.key.kind, NS, "ada"]["status"]["credential"]["version"]
    await _revoked(world)
    key = world.new_key()
    replica = world.signing_in()
    state = await replica.sign_ins.begin(f"Bearer {key.reveal()}", NS, "ada", None)
    asked, kept = await replica.sign_ins.kept(next(iter(await replica.sign_ins.flows.names())))
    assert kept.flow is not None and state.authorization_url is not None
    await replica.redeemer.redeem(asked, kept, Secret(world.code(state.authorization_url).partition("#")[0]))
    assert (await world.told_of("CredentialValid"))[0] == "True"
    await world.revoker().revoke(world.key)
    first, second = world.server.grants.grants
    assert first.revoked and not second.revoked
    assert await world.works()
    status = world.kube.objects[world.key.kind, NS, "ada"]["status"]["credential"]
    assert status["version"] > used  # so that no proxy takes the new token for the one it holds
    assert status["revokedGrants"] == ["grant-1"] and "formerGrants" not in {k for k, v in status.items() if v}


async def test_no_form_of_a_guarded_account_goes_on_with_a_revoked_grant() -> None:
    world = SignInWorld(revocation=True)
    await world.sign_in()
    await world.condition()
    before = account_form(SubscriptionAccount.from_wire(world.kube.objects[world.key.kind, NS, "ada"]))
    assert before.access is not None
    await _revoked(world)
    now = SubscriptionAccount.from_wire(world.kube.objects[world.key.kind, NS, "ada"])
    assert laid_over(before, now).access is None


async def test_vault_away_nothing_is_revoked_into_the_void() -> None:
    world = SignInWorld(revocation=True)
    await world.sign_in()
    await world.condition()
    world.annotate(revoke=await world.grant_id())
    world.memory.away = VaultCause.SEALED
    await world.condition()
    with pytest.raises(VaultUnavailable):
        await world.revoker().revoke(world.key)
    assert world.direct.asked == 0
    world.memory.away = None
    await world.condition()
    await world.revoker().revoke(world.key)
    assert world.server.grants.grants[0].revoked


async def _deleted(world: SignInWorld) -> None:
    world.put_account(deletionPolicy="Revoke")
    await world.condition()
    world.kube.mark_deleted(world.key)
    await world.look()


async def test_deleting_with_revoke_tells_the_vendor_before_the_object_goes() -> None:
    world = SignInWorld(revocation=True)
    await world.sign_in()
    await _deleted(world)
    body = world.kube.find("SubscriptionAccount", "ada")
    assert body is not None and await world.access() is None
    assert "deletion waits" in next(c["message"] for c in body["status"]["conditions"] if c["type"] == "Ready")
    await world.revoker().revoke(world.key)
    await world.look()
    assert world.kube.find("SubscriptionAccount", "ada") is None
    assert world.server.grants.grants[0].revoked
    assert not {ACCESS, GRANT} & world.memory.versions.keys()
    assert "revoked at the vendor" in next(e[2] for e in world.told.events if e[1] == "Forgotten")


async def test_deleting_waits_for_no_vendor_longer_than_minutes() -> None:
    world = SignInWorld(revocation=True)
    await world.sign_in()
    fault(world, FaultKind.SERVER_ERROR, times=None)
    await _deleted(world)
    for _ in range(7):
        await world.revoker().revoke(world.key)
        await world.look()
        world.advance(seconds=20)
    await world.look()
    assert world.kube.find("SubscriptionAccount", "ada") is None
    kind, _, message = next(e for e in world.told.events if e[1] == "Forgotten")
    assert kind == "Warning" and "ada@team.example" in message
    assert not {ACCESS, GRANT} & world.memory.versions.keys()


async def test_no_token_is_said_anywhere(caplog: pytest.LogCaptureFixture) -> None:
    world = SignInWorld(revocation=True)
    await world.sign_in()
    await world.condition()
    await _revoked(world)
    await world.revoker().revoke(world.key)
    await world.condition()
    assert "emulated-access" not in repr((world.told.events, world.kube.objects)) + caplog.text
    assert "emulated-refresh" not in repr((world.told.events, world.kube.objects)) + caplog.text


async def test_a_real_vault_keeps_no_readable_version_and_numbers_go_on(vault: Vault) -> None:
    world = SignInWorld(vault=vault, name="real", revocation=True)
    await world.sign_in()
    world.advance(hours=6)
    await world.operator().refresh(world.key)
    await world.condition()
    access, grant = access_path(NS, "real"), grant_path(NS, "real")
    assert await vault.readable_versions(access) == (1, 2)
    await _revoked(world)
    await world.revoker().revoke(world.key)
    await world.condition()
    assert await vault.readable_versions(access) == ()
    for version in await vault.readable_versions(grant):
        record = await vault.read(grant, version)
        assert record is not None and "emulated-" not in repr(record.data)
    await world.sign_in()
    await world.condition()
    assert await vault.readable_versions(access) == (3,)
    assert await world.works()


def _file(world: SignInWorld, *, again: int | None = None) -> str:
    """A credential file of a fresh grant of the vendor's; ``again``: of the first one."""
    if again is None:
        issued: Any = world.server.grants.begin("not-a-real-client", "s", world.clock.now(), world.credentials)
        world.files = [*getattr(world, "files", []), (issued.access_token, issued.refresh_token)]  # type: ignore[attr-defined]
    access, refresh = world.files[0 if again is not None else -1]  # type: ignore[attr-defined]
    return json.dumps({"claudeAiOauth": {"accessToken": access, "refreshToken": refresh}})


async def test_proxies_lose_the_token_even_while_vault_is_away_or_denies() -> None:
    world = SignInWorld(revocation=True)
    await world.sign_in()
    await world.condition()
    world.annotate(revoke=await world.grant_id())
    world.memory.away = VaultCause.SEALED
    status, reason, message = await world.told_of("CredentialValid")
    assert (status, reason) == ("False", "Revoking") and "as soon as Vault can be asked" in message
    credential = world.kube.objects[world.key.kind, NS, "ada"]["status"]["credential"]
    assert "version" not in credential and credential["revokedGrants"] == ["grant-1"]
    await world.look()
    assert world.kube.objects[world.key.kind, NS, "ada"]["status"]["credential"] == credential
    world.memory.away = None
    await world.look()
    await world.revoker().revoke(world.key)
    assert world.server.grants.grants[0].revoked
