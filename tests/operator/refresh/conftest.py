"""A real OpenBao of this folder's own."""

from collections.abc import AsyncIterator, Iterator

import pytest

from headgate_api.clock import SystemClock
from headgate_api.redaction import Redactor
from headgate_api.secret import Secret
from headgate_api.vault import DEFAULT_MOUNT
from headgate_dev.cluster.arguments import Ports
from headgate_dev.cluster.openbao import OpenBao
from headgate_dev.host.network import free_ports
from headgate_dev.host.spawner import Spawner
from headgate_runtime.vault import Vault, VaultSession, VaultSettings


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
