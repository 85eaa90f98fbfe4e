"""Everything an authorization server can come to, as a closed set: whoever asked decides over these and nothing else.

No message here quotes the server: an answer may repeat the token it is about. Of its words, only known error codes pass.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

from headgate_api.refresh import TerminalReason
from headgate_api.secret import Secret


@dataclass(frozen=True, slots=True)
class Granted:
    """Tokens. ``refresh_token`` None: the one that was spent goes on (or there is none); ``lifetime`` None: not named."""

    access_token: Secret
    refresh_token: Secret | None
    lifetime: timedelta | None
    scopes: tuple[str, ...] | None
    id_token: Secret | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """A device code's person has not decided yet."""


@dataclass(frozen=True, slots=True)
class SlowDown:
    """A device code was asked about too often: add five seconds to the interval (RFC 8628, section 3.5)."""


@dataclass(frozen=True, slots=True)
class Terminal:
    """This code or token will never bring a token again; ``what`` says so for people."""

    reason: TerminalReason
    what: str


@dataclass(frozen=True, slots=True)
class ClientRefused:
    """The server refuses client or request, not the token: the profile is wrong, and the token may be good."""

    what: str


@dataclass(frozen=True, slots=True)
class Transient:
    """It may work later. ``uncertain``: the server may have acted on the request all the same, and its answer is lost."""

    what: str
    retry_after: timedelta | None = None
    uncertain: bool = False
    limited: bool = False


TokenOutcome: TypeAlias = Granted | Pending | SlowDown | Terminal | ClientRefused | Transient


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """What a person needs to sign in on another screen. ``interval``: seconds between two polls."""

    device_code: Secret
    user_code: str
    verification_uri: str
    verification_uri_complete: str | None
    lifetime: timedelta
    interval: float


DeviceOutcome: TypeAlias = DeviceCode | ClientRefused | Transient


@dataclass(frozen=True, slots=True)
class Revoked:
    """The server knows the token no more (RFC 7009: also when it never did)."""


RevokeOutcome: TypeAlias = Revoked | ClientRefused | Transient
