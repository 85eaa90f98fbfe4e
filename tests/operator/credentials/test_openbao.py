"""Two operators on one real OpenBao: each content is stored once, whoever is first."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from headgate_api.clock import SystemClock
from headgate_api.redaction import Redactor
from headgate_api.secret import Secret
from headgate_api.vault import DEFAULT_MOUNT, access_path, api_key_path, grant_path
from headgate_dev.cluster.arguments import Ports
from headgate_dev.cluster.openbao import OpenBao
from headgate_dev.host.network import free_ports
from headgate_dev.host.spawner import Spawner
from headgate_operator.credentials.store import Store
from headgate_runtime.vault import Vault, VaultSession, VaultSettings

from .objects import ACCOUNT, NS, PROVIDER, account, plan_file, provider, secret
from .world import World


@pytest.fixture(scope="module")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    state = tmp_path_factory.mktemp("openbao")
    first, second = free_ports(2)
    ports = Ports(**dict.fromkeys(Ports.__dataclass_fields__, 0) | {"openbao": first, "openbao_cluster": second})
    spawner = Spawner()
    server = OpenBao(state, ports, spawner, state, changed=lambda: None)
    try:
        server.start()
        server.initialise()
        server.client().sys.enable_secrets_engine("kv", path=DEFAULT_MOUNT, options={"version": "2"})
        yield server
    finally:
        server.close()
        spawner.close()


@pytest.fixture
async def vault(bao: OpenBao) -> AsyncIterator[Vault]:
    settings = VaultSettings(address=bao.address, role="unused")
    async with Vault(settings, SystemClock(), Redactor()) as opened:
        opened.restore(VaultSession(Secret(bao.root_token_file.read_text()), SystemClock().now()))
        yield opened


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
