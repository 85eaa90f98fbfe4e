"""What a Vault record becomes in a proxy's memory, and what of it is kept for a restart: pure, no I/O.

An error here never shows a record's content: it names the path and the field.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from headgate_api.clock import rfc3339
from headgate_api.secret import Secret
from headgate_api.vault import AccessRecord, APIKeyRecord
from headgate_proxy.selection.states import Held


class RecordError(ValueError):
    """A record that cannot be used; the message names path and fields, never a value."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A credential in memory; ``grant_id`` is None for an API key."""

    held: Held
    grant_id: str | None = None


def entry_of(path: str, version: int, data: Mapping[str, Any]) -> Entry:
    """Return the credential in a KV record. Raises RecordError when the record does not have the contract's shape."""
    try:
        if path.endswith("/api-key"):
            key = APIKeyRecord.model_validate(data)
            return Entry(Held(_sendable(key.value, path, version), frozenset(key.origins), path, version))
        access = AccessRecord.model_validate(data)
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, e["loc"])) or "record" for e in error.errors(include_input=False))
        raise RecordError(
            f"the Vault record {path} (version {version}) cannot be used: check {fields}; import it again"
        ) from None
    held = Held(
        _sendable(access.access_token, path, version),
        frozenset(access.origins),
        path,
        version,
        access.expires_at,
        _named(access.account_id, path, version),
        grant=access.grant_id,
    )
    return Entry(held, access.grant_id)


def _sendable(secret: Secret, path: str, version: int) -> Secret:
    """Return the credential as a header can carry it: a key written from a file often ends in a newline."""
    value = secret.reveal().strip()
    if not (value and value.isascii() and value.isprintable()):
        raise RecordError(
            f"the Vault record {path} (version {version}) cannot be used: its credential is empty or has characters that no "
            "HTTP header carries; import it again"
        )
    return Secret(value)


def _named(account_id: str | None, path: str, version: int) -> str | None:
    """Return the vendor's id of an account, which goes into a header as it is."""
    if account_id is not None and not (account_id.isascii() and account_id.isprintable()):
        raise RecordError(
            f"the Vault record {path} (version {version}) cannot be used: its account_id has characters that no HTTP header "
            "carries; import it again"
        )
    return account_id


def dump(entry: Entry) -> bytes:
    """Return what is kept for a restart: the secret is in it."""
    held = entry.held
    return json.dumps(
        {
            "path": held.path,
            "version": held.version,
            "secret": held.secret.reveal(),
            "origins": sorted(held.origins),
            "expires_at": rfc3339(held.expires_at) if held.expires_at is not None else None,
            "account_id": held.account_id,
            "grant_id": entry.grant_id,
        }
    ).encode()


def load(content: bytes) -> Entry:
    """Read what ``dump`` wrote. Raises RecordError when it is damaged."""
    try:
        kept = json.loads(content)
        expires = kept["expires_at"]
        held = Held(
            secret=Secret(str(kept["secret"])),
            origins=frozenset(kept["origins"]),
            path=str(kept["path"]),
            version=int(kept["version"]),
            expires_at=datetime.fromisoformat(expires) if expires is not None else None,
            account_id=kept.get("account_id"),
            grant=kept["grant_id"],
        )
        return Entry(held, kept["grant_id"])
    except (ValueError, KeyError, TypeError):
        raise RecordError("a kept credential is damaged; it is read from Vault again") from None


def successor(current: Entry | None, newest: Entry) -> bool:
    """Tell whether a proxy may go from ``current`` to what Vault holds now before a snapshot says so.

    Only a refresh of the same grant is no change of configuration: another grant or key comes by way of a snapshot, so
    that a rollout decides who gets it.
    """
    if current is None:
        return False
    return (
        newest.grant_id is not None
        and newest.grant_id == current.grant_id
        and newest.held.version > current.held.version
        and newest.held.origins <= current.held.origins
    )
