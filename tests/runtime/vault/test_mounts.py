"""A Vault that is set up otherwise than Headgate needs: said as what it is, before anything is written there."""

from dataclasses import replace

import pytest

from headgate_api.clock import SystemClock
from headgate_api.redaction import Redactor
from headgate_api.vault import operator_policy
from headgate_runtime.vault import Vault, VaultDenied

from .conftest import Bao


@pytest.fixture(scope="module")
def kv1(bao: Bao) -> str:
    client = bao.server.client()
    client.sys.enable_secrets_engine("kv", path="kv1", options={"version": "1"})
    client.sys.create_or_update_policy("operator", operator_policy() + "\n" + operator_policy("kv1"))
    return "kv1"


async def test_nothing_is_written_to_a_version_1_engine(bao: Bao, kv1: str) -> None:
    async with Vault(replace(bao.settings("operator"), mount=kv1), SystemClock(), Redactor()) as vault:
        with pytest.raises(VaultDenied, match=r"kv version 1.*needs kv version 2"):
            await vault.write("team/llmproviders/x/api-key", {"value": "not-a-real-key"}, cas=0)
    assert (
        bao.server.client()
        .adapter.get(f"/v1/{kv1}/data/team/llmproviders/x/api-key", raise_exception=False)
        .status_code
        == 404
    )


async def test_a_missing_mount_is_not_taken_for_a_missing_record(bao: Bao) -> None:
    bao.server.client().sys.create_or_update_policy("operator", operator_policy() + "\n" + operator_policy("nowhere"))
    async with Vault(replace(bao.settings("operator"), mount="nowhere"), SystemClock(), Redactor()) as vault:
        with pytest.raises(VaultDenied, match=r"nothing mounted there.*vault\.mount"):
            await vault.read("team/llmproviders/x/api-key")


async def test_a_missing_role_is_named(bao: Bao) -> None:
    async with Vault(bao.settings("no-such-role"), SystemClock(), Redactor()) as vault:
        with pytest.raises(VaultDenied, match="role no-such-role at auth/jwt"):
            await vault.read("team/llmproviders/x/api-key")
