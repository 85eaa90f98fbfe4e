"""Credentials and the Vault session on the memory-medium volume, so that a restarted container needs no Vault to serve."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from headgate_api.secret import Secret
from headgate_proxy.credentials.inheritance import Key
from headgate_proxy.credentials.records import Entry, RecordError, dump, load
from headgate_proxy.state import StateDir
from headgate_runtime.vault import VaultSession

_SESSION: Final = "vault-session.json"


class KeptCredentials:
    """One file per pointer, named by the hash of its path and by its version."""

    def __init__(self, state: StateDir) -> None:
        self._state = state
        self._entries = state.sub("credentials")

    def load(self) -> Iterator[tuple[Key, Entry]]:
        """Return those that can be used, each with its pointer; a damaged one is passed over, since Vault has it."""
        for name in self._entries.names():
            content = self._entries.read(name)
            version = name.removesuffix(".json").rpartition("-")[2]
            if content is not None and version.isdecimal():
                try:
                    entry = load(content)
                except RecordError:
                    continue
                key = (entry.held.path, int(version))
                if _name(key) == name:
                    yield key, entry

    def save(self, key: Key, entry: Entry) -> None:
        """Keep this one from now on. Raises OSError."""
        self._entries.write(_name(key), dump(entry))

    def keep_only(self, keys: Iterable[Key]) -> None:
        """Forget all others. Raises OSError."""
        self._entries.keep_only(map(_name, keys))

    def load_session(self) -> VaultSession | None:
        """Return the Vault session kept last, or None."""
        content = self._state.read(_SESSION)
        if content is None:
            return None
        try:
            kept = json.loads(content)
            expires = kept["expires_at"]
            return VaultSession(
                token=Secret(str(kept["token"])),
                obtained_at=datetime.fromisoformat(kept["obtained_at"]),
                expires_at=datetime.fromisoformat(expires) if expires is not None else None,
                renewable=bool(kept["renewable"]),
            )
        except (ValueError, KeyError, TypeError):
            return None

    def save_session(self, session: VaultSession) -> None:
        """Keep the Vault session. Raises OSError."""
        content = {
            "token": session.token.reveal(),
            "obtained_at": session.obtained_at.isoformat(),
            "expires_at": session.expires_at.isoformat() if session.expires_at is not None else None,
            "renewable": session.renewable,
        }
        self._state.write(_SESSION, json.dumps(content).encode())


def _name(key: Key) -> str:
    path, version = key
    return f"{hashlib.sha256(path.encode()).hexdigest()[:40]}-{version}.json"
