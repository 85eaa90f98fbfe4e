"""``SubscriptionAccount``: one person's or organisation's plan, used only after a recorded acknowledgement."""

from typing import ClassVar, Literal

from pydantic import Field

from headgate_api import acknowledgement
from headgate_api.resources.acknowledging import Acknowledgement
from headgate_api.resources.base import (
    Column,
    Conditions,
    KubeModel,
    Moment,
    Name,
    Resource,
    Rule,
    SecretKeyRef,
)
from headgate_api.resources.limits import MAX_WINDOWS, LimitWindow
from headgate_api.resources.llmprovider import CredentialStatus
from headgate_api.resources.oauth import OAuthProfile


class ProviderRef(KubeModel):
    """The LLMProvider this account belongs to, in the same namespace."""

    name: Name


class Subject(KubeModel):
    """Who may use the account."""

    kind: Literal["ServiceAccount"] = "ServiceAccount"
    name: Name
    namespace: Name | None = Field(
        default=None, description="The ServiceAccount's namespace; this object's own by default."
    )


class Owner(KubeModel):
    """The person or organisation whose plan it is."""

    email: str = Field(
        min_length=3,
        max_length=320,
        pattern=r"^[^@\s]+@[^@\s]+$",
        description="The e-mail address of the plan's holder.",
    )
    subjects: tuple[Subject, ...] = Field(
        default=(),
        max_length=64,
        description="Whose requests may use the account while sharing is OwnerOnly.",
    )


class AccountCredential(KubeModel):
    """Where the grant comes from."""

    import_secret_ref: SecretKeyRef | None = Field(
        default=None,
        description="A Secret whose key holds the credential file (JSON) of Claude Code, Codex or Gemini CLI; sign that client "
        "out. Emptied once Vault holds it, unless it has an owner or carries GitOps labels.",
    )


class SubscriptionAccountSpec(KubeModel):
    """The desired state of a SubscriptionAccount."""

    provider_ref: ProviderRef
    owner: Owner
    sharing: Literal["OwnerOnly", "Pool"] = Field(
        default="OwnerOnly", description="OwnerOnly: only owner.subjects. Pool: every caller of the provider."
    )
    priority: int = Field(default=0, ge=-1000, le=1000, description="Accounts of higher priority are tried first.")
    suspend: bool = Field(default=False, description="While true, neither requests nor refreshes use the account.")
    credential: AccountCredential = Field(default_factory=AccountCredential)
    oauth: OAuthProfile | None = Field(
        default=None,
        description="How the grant is obtained and refreshed. Without it, an imported access token serves until it expires.",
    )
    acknowledgement: Acknowledgement | None = Field(
        default=None, description="Required before use. " + acknowledgement.TEXT
    )
    deletion_policy: Literal["Retain", "Revoke"] = Field(
        default="Retain",
        description="What deleting this object does to the grant: Retain keeps it in Vault, Revoke revokes it at the vendor, where "
        "that has a way, and forgets it.",
    )


class SignInRecord(KubeModel):
    """Who signed in, and which grant came of it."""

    by: str
    at: Moment
    grant_id: str


class SubscriptionAccountStatus(KubeModel):
    """The observed state of a SubscriptionAccount."""

    observed_generation: int = 0
    expires_at: Moment | None = Field(default=None, description="When the access token expires.")
    last_refresh: Moment | None = Field(default=None, description="When the access token was last refreshed.")
    next_refresh: Moment | None = Field(
        default=None, description="When it is refreshed next; absent: never, see condition RefreshHealthy."
    )
    sign_in: SignInRecord | None = Field(default=None, description="The last sign-in that brought a grant.")
    windows: tuple[LimitWindow, ...] = Field(
        default=(), max_length=MAX_WINDOWS, description="How much of the plan's limits is used, as last heard."
    )
    windows_at: Moment | None = Field(default=None, description="When the vendor last told of them.")
    limited_until: Moment | None = Field(default=None, description="The vendor refuses requests until then.")
    generation: int | None = Field(default=None, description="Counts refreshes of the grant, beginning with 1.")
    credential: CredentialStatus | None = None
    conditions: Conditions


class SubscriptionAccount(Resource):
    """One subscription plan whose requests Headgate may carry."""

    KIND: ClassVar[str] = "SubscriptionAccount"
    PLURAL: ClassVar[str] = "subscriptionaccounts"
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("subacc",)
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("Provider", ".spec.providerRef.name"),
        Column("Owner", ".spec.owner.email"),
        Column("Sharing", ".spec.sharing"),
        Column("Ready", '.status.conditions[?(@.type=="Ready")].status'),
        Column("Reason", '.status.conditions[?(@.type=="Ready")].reason'),
        Column("Expires", ".status.expiresAt"),
        Column("Next-Refresh", ".status.nextRefresh", priority=1),
        Column("Acknowledged-By", ".spec.acknowledgement.by", priority=1),
        Column("Age", ".metadata.creationTimestamp", type="date"),
    )
    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.spec.sharing == 'Pool' || self.spec.owner.subjects.size() > 0",
            "spec.owner.subjects is empty while spec.sharing is OwnerOnly, so nobody could use the account; name at least one "
            "ServiceAccount, or set sharing: Pool",
        ),
        Rule(
            "!has(oldSelf.spec) || self.spec.providerRef.name == oldSelf.spec.providerRef.name",
            "spec.providerRef is immutable, since the grant is bound to that provider's origin; create another SubscriptionAccount",
        ),
        Rule(
            "self.metadata.name.size() <= 63",
            "metadata.name must be at most 63 characters: it becomes part of a Vault path",
        ),
    )

    spec: SubscriptionAccountSpec
    status: SubscriptionAccountStatus = Field(default_factory=lambda: SubscriptionAccountStatus(conditions=[]))


__all__ = [
    "AccountCredential",
    "Acknowledgement",
    "Owner",
    "ProviderRef",
    "Subject",
    "SubscriptionAccount",
    "SubscriptionAccountSpec",
    "SubscriptionAccountStatus",
]
