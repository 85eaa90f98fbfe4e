"""What is kept beside a grant about its refreshes, so that no crash, restart or second operator loses or repeats one.

It lives in the grant's own Vault record: one check-and-set covers tokens, claim and back-off together. Also the shapes with
which proxies ask the broker for a refresh.
"""

import hashlib
from datetime import datetime
from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from headgate_api.resources.base import KubeModel
from headgate_api.secret import Secret

REFRESH_PATH: Final = "/v1/refresh"
_FINGERPRINT_DIGITS: Final = 24


class TerminalReason(StrEnum):
    """Why a grant cannot be refreshed any more: the vendor's word, of which only a new sign-in or import gets rid."""

    INVALID_GRANT = "InvalidGrant"
    EXPIRED = "RefreshTokenExpired"
    REUSED = "RefreshTokenReused"
    REVOKED = "RefreshTokenRevoked"
    SUSPENDED = "PlanSuspended"
    DENIED = "AccessDenied"


class _Record(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class RefreshClaim(_Record):
    """Who spends the refresh token now. Nobody else may, before ``until``; a claim is then taken over."""

    holder: str = Field(description="The operator process.")
    attempt: str = Field(description="Unique to this attempt.")
    since: datetime
    until: datetime = Field(description="Later than the vendor's answer can come and be stored.")
    spends: str = Field(description="Fingerprint of the refresh token that is being spent.")


class RefreshState(_Record):
    """How the refreshes of one grant have gone. All absent: nothing has failed and nothing is under way."""

    claim: RefreshClaim | None = None
    failures: int = Field(default=0, ge=0, description="Attempts in a row that brought no token.")
    not_before: datetime | None = Field(default=None, description="The next attempt waits until then.")
    problem: str | None = Field(default=None, description="What the last attempt met, for people; never a credential.")
    reason: str | None = Field(default=None, description="The reason of the condition that tells of it.")
    profile: str | None = Field(
        default=None, description="Of the OAuth profile that failed: another one may try at once."
    )
    terminal: TerminalReason | None = None
    last_refresh: datetime | None = None
    forced: int = Field(default=0, ge=0, description="Refreshes in a row that proxies asked for before they were due.")


def fingerprint(token: Secret) -> str:
    """Return what recognises a token again without being one (truncated SHA-256, hexadecimal)."""
    return hashlib.sha256(token.reveal().encode()).hexdigest()[:_FINGERPRINT_DIGITS]


class RefreshRequest(KubeModel):
    """A proxy asks: the upstream refuses this version of an account's access token, or of a federated one."""

    fleet: str = Field(min_length=1, max_length=63)
    pod: str = Field(min_length=1, max_length=253)
    path: str = Field(min_length=1, max_length=512, description="Vault path of the access token, below the mount.")
    version: int | None = Field(default=None, ge=1, description="The Vault version that was refused.")
    generation: int | None = Field(default=None, ge=1, description="The grant's generation that was refused.")


class RefreshAnswer(KubeModel):
    """The access token to read now: newer than the one the proxy named."""

    path: str
    version: int = Field(description="Version of the Vault record at ``path``.")
    generation: int
    expires_at: datetime | None = None
