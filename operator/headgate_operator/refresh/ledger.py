"""The grant's record in Vault as a refresh writes it: claim, conclusion, and the access record that proxies read.

A conclusion is written until it stands, however long Vault is away: new tokens exist nowhere else.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from headgate_api.redaction import Redactor
from headgate_api.vault import GrantRecord, access_path, grant_path
from headgate_operator.credentials.observe import remember
from headgate_operator.credentials.store import Store, Stored
from headgate_operator.engine.keys import Key
from headgate_runtime.vault import CasMismatch, VaultError

FIRST_RETRY_SECONDS: Final = 0.5
LONGEST_RETRY_SECONDS: Final = 5.0
"""Shorter than a claim that has run out is left alone after an outage (``SIGHTED_SECONDS``)."""
_ACCESS_TRIES: Final = 4
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Written:
    """The grant as it stands after a conclusion; None: it was deleted. ``ours``: this conclusion is what changed it."""

    grant: GrantRecord | None
    ours: bool


class Ledger:
    """Reads and writes one account's records."""

    def __init__(self, store: Store, redactor: Redactor) -> None:
        self._store = store
        self._redactor = redactor

    async def read(self, key: Key) -> Stored[GrantRecord]:
        """Return the latest grant. Raises VaultError."""
        stored = await self._store.grant(key.namespace, key.name)
        remember(self._redactor, stored)
        return stored

    async def claim(self, key: Key, record: GrantRecord, version: int) -> int:
        """Write a claim and return the record's version. Raises CasMismatch when somebody was first, VaultError."""
        return await self._store.write(grant_path(key.namespace, key.name), record, cas=version)

    async def conclude(
        self, key: Key, known: Stored[GrantRecord], conclusion: Callable[[GrantRecord], GrantRecord | None]
    ) -> Written:
        """Write what ``conclusion`` makes of the grant as stored; again and again while Vault does not take it."""
        wait = FIRST_RETRY_SECONDS
        stored: Stored[GrantRecord] | None = known
        while True:
            try:
                if stored is None:
                    stored = await self.read(key)
                if stored.record is None:
                    return Written(None, ours=False)
                record = conclusion(stored.record)
                if record is None:
                    return Written(stored.record, ours=False)
                remember(self._redactor, Stored(record, stored.version))
                await self._store.write(grant_path(key.namespace, key.name), record, cas=stored.version)
                return Written(record, ours=True)
            except CasMismatch:
                stored = None
            except VaultError as error:
                _log.warning(
                    "%s: the outcome of a refresh waits in memory until Vault takes it",
                    key,
                    extra={"error": str(error), "retry_seconds": wait},
                )
                await asyncio.sleep(wait)
                stored, wait = None, min(wait * 2, LONGEST_RETRY_SECONDS)

    async def publish(self, key: Key, grant: GrantRecord) -> int | None:
        """Write the access record of a grant; return its version. None: others write it too, who look again later."""
        for _ in range(_ACCESS_TRIES):
            try:
                stored = await self._store.access(key.namespace, key.name)
                if stored.record == grant.access():
                    return stored.version
                known = stored.record
                if known is not None and known.grant_id != grant.grant_id:
                    return (
                        None  # a new grant is on its way to the proxies, or will be: the account's own plan sees to it
                    )
                if known is not None and known.generation > grant.generation:
                    return stored.version
                return await self._store.write(access_path(key.namespace, key.name), grant.access(), cas=stored.version)
            except CasMismatch:
                continue
            except VaultError as error:
                _log.warning("%s: the access token is published at the next look", key, extra={"error": str(error)})
                return None
        return None
