"""The credentials in memory: there before the first request, kept while Vault is away, gone when no longer wanted."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from headgate_api.clock import ManualClock
from headgate_api.redaction import Redactor
from headgate_api.secret import Secret
from headgate_api.snapshot import CredentialPointer
from headgate_api.vault import access_path, api_key_path
from headgate_proxy.credentials.kept import KeptCredentials
from headgate_proxy.credentials.store import CredentialStore
from headgate_proxy.state import StateDir
from headgate_runtime.vault import VaultCause, VaultRecord, VaultSession, VaultUnavailable

START = datetime(2026, 1, 1, tzinfo=UTC)
KEY = api_key_path("team", "claude")
ACCESS = access_path("team", "alice")
ORIGIN = "https://api.example.com"


class MemoryVault:
    """A KV v2 mount in memory that can be taken away, and that counts how often it is asked."""

    def __init__(self) -> None:
        self.records: dict[str, list[dict[str, Any]]] = {}
        self.away = False
        self.gate: asyncio.Event | None = None
        self.reads: Counter[str] = Counter()
        self.session: VaultSession | None = VaultSession(Secret("memory-session-1"), START)

    def restore(self, session: VaultSession) -> None:
        self.session = session

    def forget_session(self) -> None:
        self.session = None

    def write_key(self, value: str) -> CredentialPointer:
        return self._write(KEY, {"origins": [ORIGIN], "value": value})

    def write_access(self, value: str, grant: str = "g1") -> CredentialPointer:
        return self._write(ACCESS, {"origins": [ORIGIN], "access_token": value, "grant_id": grant, "generation": 1})

    def _write(self, path: str, data: dict[str, Any]) -> CredentialPointer:
        versions = self.records.setdefault(path, [])
        versions.append(data)
        return CredentialPointer(path=path, version=len(versions))

    async def read(self, path: str, version: int | None = None) -> VaultRecord | None:
        self.reads[path] += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.away:
            raise VaultUnavailable(VaultCause.SEALED)
        versions = self.records.get(path, [])
        number = version if version is not None else len(versions)
        return VaultRecord(versions[number - 1], number) if 1 <= number <= len(versions) else None


class Setting:
    """A store with its surroundings; ``store()`` again is the same pod after a container restart."""

    def __init__(self, state: Path) -> None:
        self.vault = MemoryVault()
        self.redactor = Redactor()
        self.failures: Counter[str] = Counter()
        self._state = state

    @asynccontextmanager
    async def store(self) -> AsyncIterator[CredentialStore]:
        store = CredentialStore(
            self.vault,
            KeptCredentials(StateDir(self._state)),
            self.redactor,
            ManualClock(START),
            failed=lambda reason: self.failures.update([reason]),
        )
        store.restore()
        async with asyncio.TaskGroup() as group:
            running = group.create_task(store.run())
            await asyncio.sleep(0)
            yield store
            running.cancel()


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    return Setting(tmp_path)


def secret(store: CredentialStore, pointer: CredentialPointer) -> str | None:
    held = store.get(pointer)
    return None if held is None else held.secret.reveal()


def kept_text(state: Path) -> str:
    return "".join(file.read_text() for file in state.rglob("*") if file.is_file())


async def test_what_a_snapshot_names_is_there_when_it_is_put_into_use(setting: Setting) -> None:
    pointers = [setting.vault.write_key("key-one"), setting.vault.write_access("token-one")]
    async with setting.store() as store:
        await store.prepare(pointers, 5)
        assert [secret(store, pointer) for pointer in pointers] == ["key-one", "token-one"]
        assert store.usable
        assert not store.missing
        await store.prepare(pointers, 5)
    assert setting.vault.reads == {KEY: 1, ACCESS: 1}
    assert setting.redactor.redact("key-one token-one") == "*** ***"


async def test_the_previous_version_serves_until_the_new_one_is_read(setting: Setting) -> None:
    first = setting.vault.write_key("key-one")
    async with setting.store() as store:
        await store.prepare([first], 5)
        second = setting.vault.write_key("key-two")
        setting.vault.gate = asyncio.Event()
        await store.prepare([second], 0.01)
        assert secret(store, second) == "key-one"
        assert store.missing[second].startswith("Reading: ")
        setting.vault.gate.set()
        await store.prepare([second], 5)
        assert await store.reread(second) is not None
        assert secret(store, second) == "key-two"


async def test_a_roll_back_reads_the_older_version_again(setting: Setting) -> None:
    first, second = setting.vault.write_access("token-one"), setting.vault.write_access("token-two")
    async with setting.store() as store:
        await store.prepare([second], 5)
        await store.prepare([first], 5)
        assert secret(store, first) == "token-one"


async def test_without_vault_a_new_pod_is_not_usable_and_says_why(setting: Setting) -> None:
    pointer = setting.vault.write_key("key-one")
    setting.vault.away = True
    async with setting.store() as store:
        usable = [store.usable]
        await store.prepare([pointer], 0.05)
        usable.append(store.usable)
        assert store.missing[pointer] == "VaultUnavailable: Vault is unavailable: it is sealed; unseal it"
        setting.vault.away = False
        assert await store.reread(pointer) is not None
        usable.append(store.usable)
        assert usable == [True, False, True]
    assert setting.failures["VaultUnavailable"] >= 1


async def test_a_record_that_is_not_there_is_retried_and_named(setting: Setting) -> None:
    async with setting.store() as store:
        pointer = CredentialPointer(path=KEY, version=1)
        await store.prepare([pointer], 0.01)
        assert store.missing[pointer].startswith(f"RecordInvalid: Vault has no version 1 of {KEY}")
        setting.vault.write_key("key-one")
        await store.reread(pointer)
        assert secret(store, pointer) == "key-one"


async def test_a_restarted_container_needs_no_vault(setting: Setting) -> None:
    pointers = [setting.vault.write_key("key-one"), setting.vault.write_access("token-one")]
    async with setting.store() as store:
        await store.prepare(pointers, 5)
    setting.vault.away = True
    setting.vault.forget_session()
    async with setting.store() as store:
        await store.prepare(pointers, 0)
        assert [secret(store, pointer) for pointer in pointers] == ["key-one", "token-one"]
        assert store.usable
        assert not store.missing
    session = setting.vault.session
    assert session is not None
    assert session.token.reveal() == "memory-session-1"
    assert setting.vault.reads == {KEY: 1, ACCESS: 1}


async def test_what_is_no_longer_wanted_is_forgotten_in_memory_and_on_disk(setting: Setting, tmp_path: Path) -> None:
    pointers = [setting.vault.write_key("key-one"), setting.vault.write_access("token-one")]
    async with setting.store() as store:
        await store.prepare(pointers, 5)
        store.retire(pointers[:1])
        assert [secret(store, pointer) for pointer in pointers] == ["key-one", None]
    assert "token-one" not in kept_text(tmp_path)
    assert "key-one" in kept_text(tmp_path)


async def test_many_askers_cause_one_read_of_the_refreshed_token(setting: Setting) -> None:
    pointer = setting.vault.write_access("token-one")
    async with setting.store() as store:
        await store.prepare([pointer], 5)
        setting.vault.write_access("token-two")
        setting.vault.gate = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            asking = [group.create_task(store.reread(pointer)) for _ in range(20)]
            await asyncio.sleep(0)
            setting.vault.gate.set()
        found = [task.result() for task in asking]
        assert {held.secret.reveal() for held in found if held is not None} == {"token-two"}
        assert setting.vault.reads[ACCESS] == 2
        await store.prepare([pointer], 5)
        assert secret(store, pointer) == "token-two"


async def test_another_grant_or_key_waits_for_the_snapshot(setting: Setting) -> None:
    pointers = [setting.vault.write_key("key-one"), setting.vault.write_access("token-one")]
    async with setting.store() as store:
        await store.prepare(pointers, 5)
        setting.vault.write_key("key-two")
        setting.vault.write_access("token-two", grant="g2")
        for pointer in pointers:
            await store.reread(pointer)
        assert [secret(store, pointer) for pointer in pointers] == ["key-one", "token-one"]


async def test_reread_survives_a_vault_that_is_away(setting: Setting) -> None:
    pointer = setting.vault.write_access("token-one")
    async with setting.store() as store:
        await store.prepare([pointer], 5)
        setting.vault.away = True
        held = await store.reread(pointer)
        assert held is not None
        assert held.secret.reveal() == "token-one"


async def test_two_versions_of_one_record_serve_side_by_side(setting: Setting) -> None:
    stable, candidate = setting.vault.write_key("key-one"), setting.vault.write_key("key-two")
    async with setting.store() as store:
        await store.prepare([stable], 5)
        await store.prepare([stable, candidate], 5)
        store.retire([stable, candidate])
        assert [secret(store, pointer) for pointer in (stable, candidate)] == ["key-one", "key-two"]
    setting.vault.away = True
    async with setting.store() as store:  # the same after a restart
        await store.prepare([stable, candidate], 0)
        assert [secret(store, pointer) for pointer in (stable, candidate)] == ["key-one", "key-two"]


async def test_a_candidate_that_cannot_be_read_is_missing_and_not_the_stable_key(setting: Setting) -> None:
    stable = setting.vault.write_key("key-one")
    async with setting.store() as store:
        await store.prepare([stable], 5)
        candidate = setting.vault.write_key("key-two")
        setting.vault.away = True
        await store.prepare([stable, candidate], 0.01)
        store.retire([stable, candidate])
        assert [secret(store, pointer) for pointer in (stable, candidate)] == ["key-one", None]
        assert list(store.missing) == [candidate]
        # Promoted all the same: what served until then goes on, since the edge outlives the rest.
        await store.prepare([candidate], 0.01)
        store.retire([candidate])
        assert secret(store, candidate) == "key-one"
        setting.vault.away = False
        await store.reread(candidate)
        assert secret(store, candidate) == "key-two"


async def test_a_withdrawn_candidate_is_forgotten_and_never_the_stable_one(setting: Setting, tmp_path: Path) -> None:
    stable, candidate = setting.vault.write_access("token-one"), setting.vault.write_access("token-two", grant="g2")
    async with setting.store() as store:
        await store.prepare([stable], 5)
        await store.prepare([stable, candidate], 5)
        store.retire([stable, candidate])
        reads = setting.vault.reads[ACCESS]
        await store.prepare([stable], 5)
        store.retire([stable])
        assert [secret(store, pointer) for pointer in (stable, candidate)] == ["token-one", None]
        assert setting.vault.reads[ACCESS] == reads
    assert "token-two" not in kept_text(tmp_path)


async def test_a_request_from_before_a_refresh_goes_on_with_the_refreshed_token(setting: Setting) -> None:
    """A snapshot may tell of a refresh between a request's refusal and its second try."""
    before = setting.vault.write_access("token-one")
    async with setting.store() as store:
        await store.prepare([before], 5)
        after = setting.vault.write_access("token-two")
        await store.prepare([after], 5)
        store.retire([after])
        assert secret(store, before) == "token-two"
        setting.vault.write_access("token-three")
        held = await store.reread(before)
        assert held is not None
        assert (held.secret.reveal(), held.version) == ("token-three", 3)
        assert secret(store, after) == "token-three"


async def test_a_refresh_read_early_serves_the_pointer_that_tells_of_it(setting: Setting) -> None:
    pointer = setting.vault.write_access("token-one")
    async with setting.store() as store:
        await store.prepare([pointer], 5)
        refreshed = setting.vault.write_access("token-two")
        await store.reread(pointer)
        reads = setting.vault.reads[ACCESS]
        await store.prepare([refreshed], 5)
        store.retire([refreshed])
        assert secret(store, refreshed) == "token-two"
        assert setting.vault.reads[ACCESS] == reads
        assert not store.missing


async def test_the_version_that_stood_in_is_forgotten_once_the_new_one_is_there(
    setting: Setting, tmp_path: Path
) -> None:
    first = setting.vault.write_key("key-one")
    async with setting.store() as store:
        await store.prepare([first], 5)
        second = setting.vault.write_key("key-two")
        setting.vault.away = True
        await store.prepare([second], 0.01)
        store.retire([second])
    async with setting.store() as store:  # it stands in after a restart too
        await store.prepare([second], 0)
        assert secret(store, second) == "key-one"
        setting.vault.away = False
        await store.reread(second)
    assert "key-two" in kept_text(tmp_path)
    assert "key-one" not in kept_text(tmp_path)
