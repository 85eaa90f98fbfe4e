"""How requests authenticate at a provider's upstream: modes in their order, what each needs, and the spend boundary."""

from typing import Annotated, Final, Literal

from pydantic import Field

from headgate_api.acknowledgement import IDENTITY_TEXT
from headgate_api.reasons import AuthMode, FallbackReason
from headgate_api.resources.acknowledging import Acknowledgement
from headgate_api.resources.base import Duration, KubeModel, Name, Rule, SecretKeyRef, schema
from headgate_api.resources.rules import ENDPOINT, HEADERS, HTTPS

FallbackVerdict = Literal["Allow", "Deny"]


class FallbackTable(KubeModel):
    """Which failures of one mode may move a request to the next: the spend boundary. What is not allowed is denied."""

    expired: FallbackVerdict = Field(default="Deny", description="The credential's lifetime is over.")
    revoked: FallbackVerdict = Field(
        default="Deny", description="The vendor refuses the credential (401, or 403 revoked)."
    )
    rate_limited: FallbackVerdict = Field(default="Deny", description="The vendor answers 429 for this credential.")
    quota_exhausted: FallbackVerdict = Field(default="Deny", description="The plan's or key's quota is used up.")
    unavailable: FallbackVerdict = Field(
        default="Deny",
        description="Overloaded, unreachable, suspended, unsupported, or no readable credential.",
    )

    def allows(self, reason: FallbackReason) -> bool:
        """Tell whether a request may go on to the next mode after this failure."""
        return {
            FallbackReason.EXPIRED: self.expired,
            FallbackReason.REVOKED: self.revoked,
            FallbackReason.RATE_LIMITED: self.rate_limited,
            FallbackReason.QUOTA_EXHAUSTED: self.quota_exhausted,
            FallbackReason.UNAVAILABLE: self.unavailable,
        }[reason] == "Allow"


class APIKeyAuth(KubeModel):
    """Where the API key comes from. Without importSecretRef it must already be in Vault, at the path derived from this object."""

    import_secret_ref: SecretKeyRef | None = Field(
        default=None,
        description="A Secret whose key is imported into Vault, and again whenever its content is new.",
    )
    version: int | None = Field(
        default=None, ge=1, description="Pins the Vault KV version; without it, the latest is used."
    )


ToolName = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9_.:-]+$")]


class IdentityProfile(KubeModel):
    """As whom subscription requests present themselves. PassThrough (the default): as whoever the client is."""

    model_config = KubeModel.model_config | {
        "json_schema_extra": schema(
            Rule(
                "self.type == 'Profile' || (!has(self.systemPreamble) && (!has(self.headers) || self.headers.size() == 0) && "
                "(!has(self.toolNames) || self.toolNames.size() == 0))",
                "sets headers, systemPreamble or toolNames while type is PassThrough, which changes nothing; set type: Profile, or "
                "remove them",
            )
        )
    }

    type: Literal["PassThrough", "Profile"] = "PassThrough"
    headers: dict[str, Annotated[str, Field(max_length=4096)]] = Field(
        default_factory=dict,
        max_length=32,
        description="Profile: headers set on subscription requests, instead of the client's of the same name.",
        json_schema_extra=schema(*HEADERS),
    )
    system_preamble: str | None = Field(
        default=None, min_length=1, max_length=32768, description="Profile: text put before a request's system context."
    )
    tool_names: dict[str, ToolName] = Field(
        default_factory=dict,
        max_length=128,
        description="Profile: tools under other names upstream, by the client's name; responses get the client's names back.",
        json_schema_extra=schema(
            Rule(
                "self.all(a, self.all(b, a == b || self[a] != self[b]))",
                "maps two tools to one name, so that responses could not be told apart; give each its own",
            )
        ),
    )


class UsagePolling(KubeModel):
    """Where the control plane asks how much of a plan is used, for accounts that no request tells of."""

    endpoint: str = Field(
        min_length=9,
        max_length=2048,
        description="The vendor's usage endpoint, on an origin that the accounts' tokens are bound to.",
        json_schema_extra=schema(*HTTPS),
    )
    interval: Duration = Field(default="15m", description="How long an account may be idle before it is asked about.")


class SubscriptionAuth(KubeModel):
    """Which SubscriptionAccounts of this namespace, among those that name this provider, may serve it, and how."""

    model_config = KubeModel.model_config | {
        "json_schema_extra": schema(
            Rule(
                "!has(self.identity) || self.identity.type != 'Profile' || has(self.acknowledgement)",
                "spec.auth.subscription.identity is a Profile but acknowledgement is missing; whoever decides to present requests "
                "as something else than the client records it: add acknowledgement {by, at, textVersion}",
            )
        )
    }

    account_selector: dict[str, str] = Field(
        default_factory=dict,
        max_length=16,
        description="Labels an account must carry. Empty: every account in this namespace whose providerRef names this provider.",
    )
    endpoint: str | None = Field(
        default=None,
        min_length=8,
        max_length=2048,
        description="Base URL for subscription requests, where plans are served elsewhere than spec.endpoint says.",
        json_schema_extra=schema(*ENDPOINT),
    )
    strategy: Literal["FillFirst", "Spread", "LeastUsed"] = Field(
        default="FillFirst",
        description="Among eligible accounts of equal priority. FillFirst: by name, the next one when the first is at its limit. "
        "Spread: each session keeps to one account, sessions are spread evenly. LeastUsed: the one with most left in its windows.",
    )
    identity: IdentityProfile = Field(default_factory=IdentityProfile)
    acknowledgement: Acknowledgement | None = Field(
        default=None, description="Required with a Profile. " + IDENTITY_TEXT
    )
    usage: UsagePolling | None = None

    @property
    def undecided(self) -> bool:
        """Tell whether there is a Profile that nobody has acknowledged in the text's present version: the mode is not used then."""
        return self.identity.type == "Profile" and (self.acknowledgement is None or not self.acknowledgement.current)


class WorkloadIdentityAuth(KubeModel):
    """A ServiceAccount's token, signed by this cluster, exchanged for a short-lived upstream token (RFC 7523): no static secret."""

    service_account_name: Name = Field(
        description="The ServiceAccount of this namespace whose token is exchanged; the vendor's rule names it."
    )
    audience: str = Field(
        min_length=1,
        max_length=512,
        description="Audience of that token, as the vendor's rule expects it; never the API server's or Headgate's own.",
        json_schema_extra=schema(
            Rule(
                "!(self in ['headgate','headgate-broker','headgate-relay','vault','https://kubernetes.default.svc',"
                "'https://kubernetes.default.svc.cluster.local'])",
                "is an audience that opens doors inside this cluster; use one that only the vendor accepts, such as its own URL",
            )
        ),
    )
    token_endpoint: str | None = Field(
        default=None,
        min_length=9,
        max_length=512,
        description="Where tokens are exchanged; /v1/oauth/token below spec.endpoint by default.",
        json_schema_extra=schema(*HTTPS),
    )
    federation_rule_id: str = Field(
        min_length=1, max_length=256, description="The vendor's federation rule (fdrl_...)."
    )
    organization_id: str = Field(min_length=1, max_length=256, description="The vendor's id of your organization.")
    service_account_id: str = Field(
        min_length=1, max_length=256, description="The vendor's service account to act as (svac_...)."
    )
    workspace_id: str | None = Field(
        default=None, min_length=1, max_length=256, description="Where the rule covers several workspaces."
    )


_MODES_WITH_SETTINGS: Final = (
    Rule(
        "!('APIKey' in self.modes) || has(self.apiKey)",
        "spec.auth.modes lists APIKey but spec.auth.apiKey is missing; add apiKey: {importSecretRef: {name, key}}, or "
        "apiKey: {} when the key is already in Vault",
    ),
    Rule(
        "!has(self.apiKey) || 'APIKey' in self.modes",
        "spec.auth.apiKey is set but spec.auth.modes does not list APIKey; add it to modes or remove apiKey",
    ),
    Rule(
        "!has(self.subscription) || 'Subscription' in self.modes",
        "spec.auth.subscription is set but spec.auth.modes does not list Subscription; add it to modes or remove subscription",
    ),
    Rule(
        "!('WorkloadIdentity' in self.modes) || has(self.workloadIdentity)",
        "spec.auth.modes lists WorkloadIdentity but spec.auth.workloadIdentity is missing; add serviceAccountName, audience and "
        "the vendor's federationRuleId, organizationId and serviceAccountId, or remove the mode",
    ),
    Rule(
        "!has(self.workloadIdentity) || 'WorkloadIdentity' in self.modes",
        "spec.auth.workloadIdentity is set but spec.auth.modes does not list WorkloadIdentity; add it to modes or remove "
        "workloadIdentity",
    ),
    Rule(
        "self.modes.all(m, self.modes.exists_one(n, n == m))",
        "spec.auth.modes lists a mode twice; each may stand once",
    ),
)


class Auth(KubeModel):
    """How requests authenticate upstream."""

    model_config = KubeModel.model_config | {"json_schema_extra": schema(*_MODES_WITH_SETTINGS)}

    modes: tuple[AuthMode, ...] = Field(min_length=1, max_length=3, description="Modes in fallback order.")
    fallback: FallbackTable = Field(default_factory=FallbackTable)
    api_key: APIKeyAuth | None = None
    workload_identity: WorkloadIdentityAuth | None = None
    subscription: SubscriptionAuth | None = None


__all__ = [
    "APIKeyAuth",
    "Auth",
    "FallbackTable",
    "IdentityProfile",
    "SubscriptionAuth",
    "UsagePolling",
    "WorkloadIdentityAuth",
]
