"""What Vault answers, as values: a record, a token with its life, and how it says it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from headgate_api.secret import Secret

_RENEW_AT: Final = 2 / 3
"""Share of a Vault token's life after which it is renewed: two more tries fit before it ends."""


@dataclass(frozen=True, slots=True)
class VaultRecord:
    """One version of a KV v2 record; ``data`` may hold credentials and does not show when printed."""

    data: Mapping[str, Any] = field(repr=False)
    version: int


@dataclass(frozen=True, slots=True)
class VaultSession:
    """A Vault token and its life. ``expires_at`` None: it does not end (a root token in tests)."""

    token: Secret
    obtained_at: datetime
    expires_at: datetime | None = None
    renewable: bool = False

    def renew_at(self) -> datetime | None:
        """Return when to renew: after two thirds of its life."""
        if self.expires_at is None:
            return None
        return self.obtained_at + (self.expires_at - self.obtained_at) * _RENEW_AT


@dataclass(frozen=True, slots=True)
class VaultHealth:
    """What Vault says of itself (``sys/health``)."""

    initialized: bool
    sealed: bool
    standby: bool
    version: str
