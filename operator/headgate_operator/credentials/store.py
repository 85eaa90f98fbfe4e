"""Credential records in Vault, typed: what is read is checked against the contract, what is written comes from it."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

from pydantic import ValidationError

from headgate_api import vault as contract
from headgate_api.secret import Secret
from headgate_api.vault import AccessRecord, APIKeyRecord, FederatedRecord, ForgottenGrant, GrantRecord
from headgate_operator.credentials.decide import Held
from headgate_runtime.vault import CasMismatch, VaultDenied, VaultRecord

Record = TypeVar("Record", APIKeyRecord, AccessRecord, GrantRecord, FederatedRecord)

_HASH_KEY_BYTES: Final = 32


class KeyValue(Protocol):
    """The part of ``headgate_runtime.vault.Vault`` that credentials need."""

    async def read(self, path: str, version: int | None = None) -> VaultRecord | None:
        """Return a version of a record."""

    async def read_for_update(self, path: str) -> tuple[VaultRecord | None, int]:
        """Return the latest record and the version to give as ``cas``."""

    async def write(self, path: str, data: Mapping[str, Any], *, cas: int) -> int:
        """Write by check-and-set."""

    async def delete(self, path: str) -> None:
        """Delete all versions and metadata."""

    async def readable_versions(self, path: str) -> tuple[int, ...]:
        """Return the versions that can still be read, oldest first."""

    async def destroy(self, path: str, versions: Iterable[int]) -> None:
        """Destroy the content of some versions; the next one written gets a new number all the same."""


@dataclass(frozen=True, slots=True)
class Stored(Generic[Record]):
    """What Vault holds at one path. ``version`` is what check-and-set takes; ``invalid`` why the record is none.

    ``forgotten``: where a grant was, and was revoked.
    """

    record: Record | None
    version: int
    invalid: str | None = None
    forgotten: ForgottenGrant | None = None

    def held(self) -> Held:
        """Return what the import decision needs of it."""
        return Held(
            found=self.record is not None or self.invalid is not None,
            version=self.version,
            origins=self.record.origins if self.record is not None else (),
            imports=getattr(self.record or self.forgotten, "imports", ()),
            invalid=self.invalid,
            forgotten=self.forgotten is not None,
        )


class Store:
    """Reads and writes the records of providers and accounts. Every method raises VaultError and nothing else."""

    def __init__(self, vault: KeyValue) -> None:
        self._vault = vault
        self._hash_key: Secret | None = None

    async def api_key(self, namespace: str, provider: str) -> Stored[APIKeyRecord]:
        """Return the latest version of a provider's API key."""
        return await self._latest(contract.api_key_path(namespace, provider), APIKeyRecord)

    async def api_key_version(self, namespace: str, provider: str, version: int) -> Stored[APIKeyRecord]:
        """Return one version of a provider's API key; ``record`` None when that version is not there."""
        found = await self._vault.read(contract.api_key_path(namespace, provider), version)
        return _stored(found, version, APIKeyRecord)

    async def grant(self, namespace: str, account: str) -> Stored[GrantRecord]:
        """Return the latest version of an account's grant, or what stayed of one that was revoked."""
        found, version = await self._vault.read_for_update(contract.grant_path(namespace, account))
        if found is not None and "forgotten_grant" in found.data:
            try:
                return Stored(None, found.version, forgotten=ForgottenGrant.model_validate(found.data))
            except ValidationError as error:
                return Stored(None, found.version, invalid=_wrong(error))
        return _stored(found, version, GrantRecord)

    async def access(self, namespace: str, account: str) -> Stored[AccessRecord]:
        """Return the latest version of an account's access token."""
        return await self._latest(contract.access_path(namespace, account), AccessRecord)

    async def federated(self, path: str) -> Stored[FederatedRecord]:
        """Return the latest version of the token at a federated path."""
        return await self._latest(path, FederatedRecord)

    async def write(self, path: str, record: APIKeyRecord | AccessRecord | ForgottenGrant, *, cas: int) -> int:
        """Write a record by check-and-set. Raises CasMismatch when another writer was first."""
        return await self._vault.write(path, record.to_vault(), cas=cas)

    async def delete(self, path: str) -> None:
        """Delete every version of a record."""
        await self._vault.delete(path)

    async def destroy_grant(self, path: str, grant_id: str) -> None:
        """Destroy the versions of an access record that are of one grant, whatever other grants it held before."""
        found = []
        for version in await self._vault.readable_versions(path):
            record = await self._vault.read(path, version)
            if record is not None and record.data.get("grant_id") == grant_id:
                found.append(version)
        if found:
            await self._vault.destroy(path, found)

    async def destroy_before(self, path: str, version: int) -> None:
        """Destroy every version of a record that is older than the given one."""
        older = [known for known in await self._vault.readable_versions(path) if known < version]
        if older:
            await self._vault.destroy(path, older)

    async def hash_key(self) -> Secret:
        """Return the key of the import hash; the first operator ever makes it, all later ones read it.

        Raises VaultDenied when it was deleted by hand: with a new key, everything ever imported would look new.
        """
        while self._hash_key is None:
            found, version = await self._vault.read_for_update(contract.IMPORT_HASH_KEY_PATH)
            if found is not None and isinstance(found.data.get("key"), str):
                self._hash_key = Secret(found.data["key"])
            elif version:
                raise VaultDenied(
                    f"version {version} of Vault record {contract.IMPORT_HASH_KEY_PATH} was deleted or altered by hand; undelete it"
                )
            else:
                try:
                    new = secrets.token_hex(_HASH_KEY_BYTES)
                    await self._vault.write(contract.IMPORT_HASH_KEY_PATH, {"key": new}, cas=0)
                except CasMismatch:
                    continue  # another operator made it: read that one
        return self._hash_key

    async def _latest(self, path: str, model: type[Record]) -> Stored[Record]:
        found, version = await self._vault.read_for_update(path)
        return _stored(found, version, model)


def _stored(found: VaultRecord | None, version: int, model: type[Record]) -> Stored[Record]:
    if found is None:
        return Stored(None, version)
    try:
        return Stored(model.model_validate(found.data), found.version)
    except ValidationError as error:
        return Stored(None, found.version, invalid=_wrong(error))


def _wrong(error: ValidationError) -> str:
    fields = ", ".join(sorted({".".join(str(part) for part in e["loc"]) for e in error.errors(include_input=False)}))
    return f"these fields are missing or of the wrong type: {fields}"
