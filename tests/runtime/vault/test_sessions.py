"""Signing in, renewing, and carrying a token over a restart."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from headgate_api.clock import ManualClock, SystemClock
from headgate_api.redaction import Redactor
from headgate_api.secret import Secret
from headgate_api.vault import api_key_path
from headgate_runtime.vault import Vault, VaultCause, VaultDenied, VaultSession, VaultUnavailable

from .conftest import Bao

PATH = api_key_path("team", "session")


async def test_a_revoked_token_is_replaced_within_the_same_call(bao: Bao, operator: Vault) -> None:
    await operator.read(PATH)
    before = operator.session
    assert before is not None
    bao.server.client().auth.token.revoke(before.token.reveal())
    assert await operator.read(PATH) is None
    assert operator.session is not None and operator.session.token != before.token


async def test_the_token_is_renewed_without_the_projected_token(bao: Bao, tmp_path: Path) -> None:
    clock = ManualClock(SystemClock().now())
    settings = bao.settings("operator")
    async with Vault(settings, clock, Redactor()) as vault:
        await vault.read(PATH)
        before = vault.session
        assert before is not None and before.expires_at is not None
        clock.advance(2401)
        bao.token_file.rename(tmp_path / "away")
        try:
            await vault.read(PATH)
        finally:
            (tmp_path / "away").rename(bao.token_file)
        after = vault.session
        assert after is not None and after.expires_at is not None
        assert after.token == before.token
        assert after.expires_at > before.expires_at


async def test_a_token_at_the_end_of_its_longest_life_is_replaced(bao: Bao) -> None:
    async with Vault(bao.settings("brief"), SystemClock(), Redactor()) as vault:
        seen: set[str] = set()
        async with asyncio.timeout(20):
            while len(seen) < 2:
                await vault.read(PATH)
                assert vault.session is not None
                seen.add(vault.session.token.reveal())
                await asyncio.sleep(0.25)


async def test_a_kept_session_serves_after_a_restart_and_a_dead_one_is_replaced(bao: Bao, operator: Vault) -> None:
    await operator.read(PATH)
    kept = operator.session
    assert kept is not None
    redactor = Redactor()
    async with Vault(bao.settings("operator"), SystemClock(), redactor) as restarted:
        restarted.restore(kept)
        await restarted.read(PATH)
        assert restarted.session is kept
        assert redactor.redact(f"token {kept.token.reveal()!r}") == "token '***'"
    dead = VaultSession(Secret("s.no-such-token"), SystemClock().now(), SystemClock().now() + timedelta(hours=1))
    async with Vault(bao.settings("operator"), SystemClock(), redactor) as restarted:
        restarted.restore(dead)
        await restarted.read(PATH)
        assert restarted.session is not None and restarted.session.token != dead.token


async def test_an_unknown_role_is_a_denial_that_names_role_and_path(bao: Bao) -> None:
    async with Vault(bao.settings("nobody"), SystemClock(), Redactor()) as vault:
        with pytest.raises(VaultDenied, match="role nobody at auth/jwt"):
            await vault.read(PATH)


async def test_a_missing_projected_token_names_the_variable(bao: Bao, tmp_path: Path) -> None:
    settings = bao.settings("operator")
    settings = type(settings)(address=settings.address, role="operator", token_file=tmp_path / "none")
    async with Vault(settings, SystemClock(), Redactor()) as vault:
        with pytest.raises(VaultUnavailable, match="HEADGATE_VAULT_TOKEN_FILE") as raised:
            await vault.read(PATH)
        assert raised.value.cause is VaultCause.NO_TOKEN
