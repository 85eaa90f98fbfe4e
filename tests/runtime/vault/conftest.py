"""A real OpenBao of this folder's own, set up with the contract's policies and a jwt auth method whose key we hold."""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from headgate_api import vault as contract
from headgate_api.clock import SystemClock
from headgate_api.redaction import Redactor
from headgate_dev.cluster.arguments import Ports
from headgate_dev.cluster.openbao import OpenBao
from headgate_dev.host.network import free_ports
from headgate_dev.host.spawner import Spawner
from headgate_runtime.vault import Vault
from headgate_runtime.vault_settings import VaultSettings


@dataclass(frozen=True)
class Bao:
    """The server, and a way to write the projected token a pod would have."""

    server: OpenBao
    token_file: Path
    mint: Callable[[], str]

    def settings(self, role: str, *, deadline: float = 5.0) -> VaultSettings:
        return VaultSettings(
            address=self.server.address,
            role=role,
            auth="jwt",
            auth_path="jwt",
            token_file=self.token_file,
            deadline_seconds=deadline,
        )


def _ports() -> Ports:
    first, second = free_ports(2)
    return Ports(**dict.fromkeys(Ports.__dataclass_fields__, 0) | {"openbao": first, "openbao_cluster": second})


@pytest.fixture(scope="session")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bao]:
    state = tmp_path_factory.mktemp("openbao")
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    def mint() -> str:
        now = SystemClock().now()
        claims = {"sub": "pod", "aud": "vault", "iat": now, "exp": now + timedelta(hours=1)}
        return jwt.encode(claims, key, algorithm="ES256")

    spawner = Spawner()
    server = OpenBao(state, _ports(), spawner, state, changed=lambda: None)
    try:
        server.start()
        server.initialise()
        _prepare(server, public.decode())
        token_file = state / "token"
        token_file.write_text(mint())
        yield Bao(server, token_file, mint)
    finally:
        server.close()
        spawner.close()


def _prepare(server: OpenBao, public_key: str) -> None:
    client = server.client()
    client.sys.enable_secrets_engine("kv", path=contract.DEFAULT_MOUNT, options={"version": "2"})
    client.sys.create_or_update_policy("operator", contract.operator_policy())
    client.sys.create_or_update_policy("proxy", contract.proxy_policy())
    client.sys.enable_auth_method("jwt")
    client.write_data("auth/jwt/config", data={"jwt_validation_pubkeys": [public_key]})
    for role, ttl, longest in (("operator", "1h", "24h"), ("proxy", "1h", "24h"), ("brief", "3s", "5s")):
        client.write_data(
            f"auth/jwt/role/{role}",
            data={
                "role_type": "jwt",
                "user_claim": "sub",
                "bound_audiences": ["vault"],
                "token_policies": ["operator" if role == "brief" else role],
                "token_ttl": ttl,
                "token_max_ttl": longest,
            },
        )


@pytest.fixture
async def operator(bao: Bao) -> AsyncIterator[Vault]:
    async with Vault(bao.settings("operator", deadline=2.0), SystemClock(), Redactor()) as vault:
        yield vault


@pytest.fixture
async def proxy(bao: Bao) -> AsyncIterator[Vault]:
    async with Vault(bao.settings("proxy"), SystemClock(), Redactor()) as vault:
        yield vault
