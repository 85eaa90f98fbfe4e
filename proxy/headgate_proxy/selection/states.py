"""The values selection works on: credentials held in memory, attempts that failed, and what was decided."""

from dataclasses import dataclass
from datetime import datetime

from headgate_api.decisions import DECISIONS, Memory
from headgate_api.reasons import AuthMode, SkipReason
from headgate_api.resources.limits import Scope
from headgate_api.secret import Secret


@dataclass(frozen=True, slots=True)
class Held:
    """A credential in this process's memory.

    ``path`` and ``version`` name the Vault record it was read from; ``expires_at`` is None where the vendor gave no end;
    ``account_id`` is the vendor's id of the account, where requests must name it; ``grant`` that of an account's
    token, which its refreshes keep.
    """

    secret: Secret
    origins: frozenset[str]
    path: str
    version: int
    expires_at: datetime | None = None
    account_id: str | None = None
    grant: str | None = None

    @property
    def scope(self) -> Scope:
        """Return whose limits requests with this credential count against."""
        return self.path, self.grant or str(self.version)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A mode, or one account of it, that a request does not go by; ``until`` is when its limit resets, where that is known."""

    mode: AuthMode
    reason: SkipReason
    account: str | None = None
    until: datetime | None = None

    def __str__(self) -> str:
        who = self.mode if self.account is None else f"{self.mode}/{self.account}"
        return f"{who}={self.reason}"


@dataclass(frozen=True, slots=True)
class Fallback:
    """A request went on from one mode to another (``to_mode`` None: the spend boundary or the end of the list stopped it)."""

    from_mode: AuthMode
    to_mode: AuthMode | None
    reason: SkipReason
    account: str | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """The mode a request goes by, with the reason for everything that was passed over on the way, in order.

    ``fallback`` is None while the mode is the first one configured for this caller.
    """

    mode: AuthMode
    account: str | None
    held: Held
    skipped: tuple[Skipped, ...] = ()
    fallback: Fallback | None = None


@dataclass(frozen=True, slots=True)
class Exhausted:
    """No mode is left; ``denied`` is the fallback the spend boundary refused, where that was the reason."""

    skipped: tuple[Skipped, ...]
    denied: Fallback | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """An upstream call that failed before its first byte reached the client.

    ``status`` is None when no response came; ``until`` is when a limit resets, where the upstream said so.
    """

    reason: SkipReason
    status: int | None
    until: datetime | None = None

    @property
    def marks(self) -> bool:
        """Tell whether it is the credential's own, and so remembered beyond this request."""
        row = DECISIONS[self.reason]
        limited = self.until is not None or row.lasts is not None
        return row.memory is Memory.VERSION or (row.memory is Memory.RESET and limited)
