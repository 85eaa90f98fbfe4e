"""A Vault that is away, sealed or hung costs a caller its deadline at most, and soon nothing."""

import asyncio
import os
import threading
import time

import pytest

from headgate_api.vault import api_key_path
from headgate_runtime.vault import THREADS, Vault, VaultCause, VaultUnavailable

from .conftest import Bao

PATH = api_key_path("team", "outage")


async def _fails(vault: Vault) -> VaultCause:
    with pytest.raises(VaultUnavailable) as raised:
        await vault.read(PATH)
    return raised.value.cause


async def _recovers(vault: Vault) -> None:
    async with asyncio.timeout(15):
        while True:
            try:
                await vault.read(PATH)
            except VaultUnavailable:
                await asyncio.sleep(0.1)
            else:
                return


def _freeze(bao: Bao) -> None:
    """Stop the server and wait until every one of its threads stands still."""
    bao.server.pause()
    os.waitid(os.P_PID, bao.server.pid, os.WSTOPPED | os.WNOWAIT)


async def test_sealed_is_told_apart_and_ends_with_the_unsealing(bao: Bao, operator: Vault) -> None:
    await operator.read(PATH)
    bao.server.seal()
    try:
        assert await _fails(operator) is VaultCause.SEALED
        assert (await operator.health()).sealed
    finally:
        bao.server.unseal()
    await _recovers(operator)


async def test_down_is_unreachable(bao: Bao, operator: Vault) -> None:
    await operator.read(PATH)
    bao.server.stop()
    try:
        assert await _fails(operator) is VaultCause.UNREACHABLE
        with pytest.raises(VaultUnavailable):
            await operator.health()
    finally:
        bao.server.start()
    await _recovers(operator)


async def test_hung_holds_no_caller_beyond_its_deadline_and_no_more_threads_than_four(
    bao: Bao, operator: Vault
) -> None:
    await operator.read(PATH)
    _freeze(bao)
    try:
        began = time.monotonic()
        causes = await asyncio.gather(*(_fails(operator) for _ in range(40)))
        assert set(causes) == {VaultCause.TIMEOUT}
        assert time.monotonic() - began < 4  # the deadline of this fixture is 2 s
        assert sum(t.name.startswith("vault") for t in threading.enumerate()) <= THREADS

        began = time.monotonic()
        assert [await _fails(operator) for _ in range(20)] == [VaultCause.TIMEOUT] * 20
        assert time.monotonic() - began < 4  # the breaker answers; at most one probe waits for its deadline
    finally:
        bao.server.resume()
    await _recovers(operator)
