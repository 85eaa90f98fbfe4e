"""Where credentials live in Vault and what a record holds.

Paths derive from namespace and name alone, so that no spec can name another object's credential (B13). The refresh token
is kept apart from the access token: proxies may read the latter only.
"""

from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, field_serializer

from headgate_api.refresh import RefreshState
from headgate_api.secret import Secret

DEFAULT_MOUNT: Final = "headgate"
OPERATOR_ROLE: Final = "headgate-operator"
PROXY_ROLE: Final = "headgate-proxy"
CANARY_ROLE: Final = "headgate-canary"
"""The canary track's own role: an image under trial can be cut off without touching the stable track."""

IMPORT_HASH_KEY_PATH: Final = "_headgate/import-hash-key"
"""Key of the keyed hash of imported content. A namespace cannot begin with an underscore, so no object derives this path."""


def api_key_path(namespace: str, provider: str) -> str:
    """Return the path of a provider's API key, below the mount."""
    return f"{namespace}/llmproviders/{provider}/api-key"


def federated_path(namespace: str, provider: str, grant: str) -> str:
    """Return the path of the short-lived token that a provider's workload identity was exchanged for.

    ``grant``: hash of the settings it was exchanged under, so that a stable form and its candidate never share a token.
    """
    return f"{namespace}/llmproviders/{provider}/federated/{grant}"


def sign_in_path(flow: str) -> str:
    """Return the path of a sign-in under way; ``flow`` is the hash of the key that whoever began it holds."""
    return f"_headgate/sign-ins/{flow}"


def grant_path(namespace: str, account: str) -> str:
    """Return the path of an account's full grant (refresh token included): control plane only."""
    return f"{namespace}/subscriptionaccounts/{account}/grant"


def access_path(namespace: str, account: str) -> str:
    """Return the path of an account's access token: what proxies read."""
    return f"{namespace}/subscriptionaccounts/{account}/access"


class _Revealing(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    def to_vault(self) -> dict[str, Any]:
        """Return the plain data to write, secrets revealed: hand it to Vault and nothing else."""
        return self.model_dump(mode="json", context={"reveal": True}, exclude_none=True)

    @field_serializer("value", "access_token", "refresh_token", check_fields=False, when_used="json")
    def _reveal(self, secret: Secret | None, info: Any) -> str | None:
        if secret is None:
            return None
        return secret.reveal() if info.context and info.context.get("reveal") else str(secret)


class _Record(_Revealing):
    origins: tuple[str, ...] = Field(description="Origins the credential may be sent to; proxies send it nowhere else.")


class APIKeyRecord(_Record):
    """A provider's API key."""

    value: Secret
    imports: tuple[str, ...] = Field(
        default=(), description="Keyed hashes of every content imported so far, newest last."
    )


class AccessRecord(_Record):
    """The part of a subscription's grant that proxies need."""

    access_token: Secret
    expires_at: datetime | None = None
    grant_id: str
    generation: int = Field(ge=1, description="Counts refreshes of this grant.")
    account_id: str | None = Field(
        default=None, description="The vendor's id of the account, where requests must name it."
    )


class FederatedRecord(AccessRecord):
    """A token that a workload's identity was exchanged for; ``grant_id`` is the hash of the settings of the exchange."""

    obtained_at: datetime
    forced: int = Field(default=0, ge=0, description="Exchanges in a row that proxies asked for before they were due.")


class SignedIn(BaseModel):
    """Who signed in, where a grant came of a sign-in: the API server vouched for them."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    by: str
    at: datetime


class Revoking(_Revealing):
    """A grant that serves no more, whose tokens the vendor has yet to be told to revoke."""

    grant_id: str
    access_token: Secret | None = None
    refresh_token: Secret | None = None
    token_origins: tuple[str, ...] = ()
    since: datetime
    attempts: int = Field(default=0, ge=0, description="Counted before the vendor is asked.")
    not_before: datetime | None = None


class GrantRecord(AccessRecord):
    """The whole grant: the source of truth from which the access record is written."""

    refresh_token: Secret | None = None
    scopes: tuple[str, ...] = ()
    token_origins: tuple[str, ...] = Field(
        default=(), description="Origins the refresh token may be sent to: the control plane sends it nowhere else."
    )
    obtained_at: datetime | None = Field(default=None, description="When the access token was imported or issued.")
    refresh: RefreshState = Field(default_factory=RefreshState)
    imports: tuple[str, ...] = Field(
        default=(), description="Keyed hashes of every content imported so far, newest last."
    )

    sign_in: SignedIn | None = None
    revoking: tuple[Revoking, ...] = Field(
        default=(), description="Grants before this one that the vendor has yet to be told to revoke."
    )
    revoked: tuple[str, ...] = Field(
        default=(), description="Ids of grants before this one that were revoked, newest last."
    )

    def access(self) -> AccessRecord:
        """Return what proxies may see of this grant."""
        return AccessRecord(
            origins=self.origins,
            access_token=self.access_token,
            expires_at=self.expires_at,
            grant_id=self.grant_id,
            generation=self.generation,
            account_id=self.account_id,
        )


class ForgottenGrant(_Record):
    """What stays of a grant that was revoked: nothing that opens anything, but what must not be imported again."""

    origins: tuple[str, ...] = ()
    forgotten_grant: str = Field(description="Its id.")
    forgotten_at: datetime
    outcome: str = Field(default="", description="What became of it at the vendor, for people.")
    imports: tuple[str, ...] = ()
    revoking: tuple[Revoking, ...] = ()
    revoked: tuple[str, ...] = Field(
        default=(), description="Ids of all grants of this account that were revoked lately."
    )
    purged: bool = Field(default=False, description="No older version of this record is left.")


def operator_policy(mount: str = DEFAULT_MOUNT) -> str:
    """Return the Vault policy (HCL) of the control plane: the one writer of credentials."""
    return "\n".join(
        f'path "{mount}/{path}" {{ capabilities = [{capabilities}] }}'
        for path, capabilities in (
            ("data/*", '"create", "read", "update", "delete"'),
            ("metadata/*", '"read", "list", "delete"'),
            ("destroy/*", '"update"'),
        )
    )


def proxy_policy(mount: str = DEFAULT_MOUNT) -> str:
    """Return the Vault policy (HCL) of the proxies: they read API keys and access tokens, and nothing else."""
    return "\n".join(
        f'path "{mount}/data/+/{path}" {{ capabilities = ["read"] }}'
        for path in ("llmproviders/+/api-key", "llmproviders/+/federated/+", "subscriptionaccounts/+/access")
    )
