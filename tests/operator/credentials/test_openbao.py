"""Two operators on one real OpenBao: each content is stored once, whoever is first."""

import asyncio

from headgate_api.vault import access_path, api_key_path, grant_path
from headgate_operator.credentials.store import Store
from headgate_runtime.vault import Vault

from .objects import ACCOUNT, NS, PROVIDER, account, plan_file, provider, secret
from .world import World


async def test_two_operators_at_once_store_each_content_once(vault: Vault) -> None:
    world = World(vault)
    world.kube.put(provider(modes=("Subscription", "APIKey")))
    world.kube.put(account())
    world.kube.put(secret("key", "not-a-real-key"))
    world.kube.put(secret("plan", plan_file("one")))
    await asyncio.gather(*(world.reconcile(key) for _ in range(3) for key in (PROVIDER, ACCOUNT)))
    for key in (ACCOUNT, PROVIDER):
        await world.reconcile(key)
        assert world.condition(key, "Ready")[0] == "True"
    versions = {
        path: (await vault.read_for_update(path))[1]
        for path in (api_key_path(NS, "claude"), grant_path(NS, "ada"), access_path(NS, "ada"))
    }
    assert set(versions.values()) == {1}
    stored = await Store(vault).grant(NS, "ada")
    assert stored.record is not None and stored.record.refresh_token is not None
    assert stored.record.refresh_token.reveal() == "not-real-refresh-one"
    emptied = world.kube.find("Secret", "plan")
    assert emptied is not None and emptied["data"] == {}

    world.kube.mark_deleted(PROVIDER)
    world.kube.put(account(deletionPolicy="Revoke"))
    world.kube.mark_deleted(ACCOUNT)
    await asyncio.gather(*(world.reconcile(key) for _ in range(2) for key in (PROVIDER, ACCOUNT)))
    for path in versions:
        assert await vault.read_for_update(path) == (None, 0)
    assert world.kube.find("LLMProvider", "claude") is None


async def test_operators_that_start_together_agree_on_one_hash_key(vault: Vault) -> None:
    keys = await asyncio.gather(*(Store(vault).hash_key() for _ in range(5)))
    assert len({key.reveal() for key in keys}) == 1
