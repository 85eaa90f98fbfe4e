"""The flows in Vault: read, written by check-and-set, and swept away once they are over."""

from dataclasses import dataclass
from typing import Protocol

from pydantic import ValidationError

from headgate_api.redaction import Redactor
from headgate_api.vault import sign_in_path
from headgate_operator.credentials.store import KeyValue
from headgate_operator.signin.flow import Flow

_FOLDER = sign_in_path("").rstrip("/")


class Listing(KeyValue, Protocol):
    """A ``KeyValue`` that can tell which records there are."""

    async def list(self, path: str) -> tuple[str, ...]:
        """Return the names of the records right below a path."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A flow as Vault holds it. ``flow`` None: there is none; ``version`` is what check-and-set takes."""

    flow: Flow | None
    version: int


class Flows:
    """Every method raises VaultError and nothing else. A flow is named by the hash of the key of whoever began it."""

    def __init__(self, vault: Listing, redactor: Redactor) -> None:
        self._vault = vault
        self._redactor = redactor

    async def read(self, name: str) -> Kept:
        """Return a flow; one that cannot be read counts as none."""
        found, version = await self._vault.read_for_update(sign_in_path(name))
        if found is None:
            return Kept(None, version)
        try:
            flow = Flow.model_validate(found.data)
        except ValidationError:
            return Kept(None, version)
        self._remember(flow)
        return Kept(flow, version)

    async def write(self, name: str, flow: Flow, *, cas: int) -> Kept:
        """Write a flow. Raises CasMismatch when another writer was first."""
        self._remember(flow)
        return Kept(flow, await self._vault.write(sign_in_path(name), flow.to_vault(), cas=cas))

    async def delete(self, name: str) -> None:
        """Delete a flow with all its versions."""
        await self._vault.delete(sign_in_path(name))

    async def names(self) -> tuple[str, ...]:
        """Return the names of all flows."""
        return tuple(name for name in await self._vault.list(_FOLDER) if not name.endswith("/"))

    def _remember(self, flow: Flow) -> None:
        for secret in flow.secrets():
            self._redactor.remember(secret)
