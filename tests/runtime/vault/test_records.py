"""Reading and writing credential records in a real OpenBao."""

import asyncio

import pytest

from headgate_api.vault import access_path, api_key_path, grant_path
from headgate_runtime.vault import CasMismatch, Vault, VaultDenied


async def test_a_record_is_read_back_by_version(operator: Vault) -> None:
    path = api_key_path("team", "versions")
    assert await operator.read(path) is None
    assert await operator.write(path, {"value": "first"}, cas=0) == 1
    assert await operator.write(path, {"value": "second"}, cas=1) == 2
    latest, first, absent = [await operator.read(path, version) for version in (None, 1, 9)]
    assert latest is not None and (latest.data["value"], latest.version) == ("second", 2)
    assert first is not None and (first.data["value"], first.version) == ("first", 1)
    assert absent is None
    assert "second" not in repr(latest)


async def test_of_many_writers_exactly_one_wins(operator: Vault) -> None:
    path = api_key_path("team", "race")
    outcomes = await asyncio.gather(
        *(operator.write(path, {"value": str(n)}, cas=0) for n in range(8)), return_exceptions=True
    )
    assert [o for o in outcomes if not isinstance(o, CasMismatch)] == [1]


async def test_a_version_deleted_by_hand_is_told_from_one_that_never_was(operator: Vault) -> None:
    path = api_key_path("team", "tombstone")
    assert await operator.read_for_update(path) == (None, 0)
    await operator.write(path, {"value": "x"}, cas=0)
    operator_client = operator._client
    operator_client.secrets.kv.v2.delete_latest_version_of_secret(path, mount_point="headgate")
    assert await operator.read(path) is None
    assert await operator.read_for_update(path) == (None, 1)


async def test_delete_removes_every_version_and_may_be_repeated(operator: Vault) -> None:
    path = grant_path("team", "gone")
    await operator.write(path, {"n": 1}, cas=0)
    await operator.write(path, {"n": 2}, cas=1)
    await operator.delete(path)
    await operator.delete(path)
    assert await operator.read_for_update(path) == (None, 0)
    assert await operator.read(path, 1) is None


async def test_a_proxy_reads_access_tokens_and_nothing_more(operator: Vault, proxy: Vault) -> None:
    await operator.write(grant_path("team", "plan"), {"refresh_token": "never-for-proxies"}, cas=0)
    await operator.write(access_path("team", "plan"), {"access_token": "short-lived"}, cas=0)
    record = await proxy.read(access_path("team", "plan"))
    assert record is not None and record.data["access_token"] == "short-lived"
    with pytest.raises(VaultDenied, match="read team/subscriptionaccounts/plan/grant") as denied:
        await proxy.read(grant_path("team", "plan"))
    assert "never-for-proxies" not in str(denied.value)
    with pytest.raises(VaultDenied):
        await proxy.write(access_path("team", "plan"), {"access_token": "forged"}, cas=1)
