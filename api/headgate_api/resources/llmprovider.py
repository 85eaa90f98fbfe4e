"""``LLMProvider``: one upstream, the models it serves, and the order in which a request may authenticate there."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from headgate_api.reasons import AuthMode, FallbackReason
from headgate_api.resources.base import (
    Column,
    Conditions,
    KubeModel,
    Resource,
    Rule,
    SecretKeyRef,
    schema,
)

_ENDPOINT_RULES = (
    Rule(
        "isURL(self) && (self.startsWith('https://') || self.startsWith('http://'))",
        "must be an absolute URL such as https://api.anthropic.com",
    ),
    Rule("!isURL(self) || url(self).getQuery().size() == 0", "must not have a query; write the base URL only"),
    Rule(
        "!self.contains('@')",
        "must not carry user information; put the credential into a Secret and name it in spec.auth",
    ),
    Rule("!self.contains('#')", "must not have a fragment; write the base URL only"),
)

_FORBIDDEN_HEADERS = (
    "['authorization','proxy-authorization','x-api-key','x-goog-api-key','cookie','host','content-length',"
    "'transfer-encoding','connection','te','trailer','upgrade','keep-alive','accept-encoding']"
)


class Pricing(KubeModel):
    """What the vendor charges, in micro-USD for a million tokens."""

    input: int = Field(ge=0)
    output: int = Field(ge=0)
    cache_read: int = Field(ge=0)
    cache_write5m: int = Field(ge=0)
    cache_write1h: int = Field(ge=0)


class Model(KubeModel):
    """A model that clients may ask for."""

    name: str = Field(min_length=1, max_length=253, description="The name clients use.")
    aliases: tuple[str, ...] = Field(default=(), max_length=32, description="Further names for the same model.")
    upstream_name: str | None = Field(
        default=None,
        min_length=1,
        max_length=253,
        description="The vendor's name, where it differs. The request body is then rewritten, so it is no longer byte-exact.",
    )
    pricing: Pricing | None = Field(default=None, description="Instead of the built-in price list.")


class Timeouts(KubeModel):
    """How long a proxy waits for the upstream, in seconds."""

    connect_seconds: int = Field(default=10, ge=1, le=120, description="Until the TCP and TLS connection stands.")
    first_byte_seconds: int = Field(
        default=600,
        ge=1,
        le=3600,
        description="Until the response's head arrives; long prompts take minutes.",
    )
    idle_seconds: int = Field(default=300, ge=1, le=3600, description="Between two pieces of a response.")


class TLS(KubeModel):
    """TLS towards the upstream."""

    ca_bundle: str | None = Field(
        default=None,
        max_length=262144,
        description="PEM certificates trusted for this endpoint instead of the system's.",
        json_schema_extra=schema(
            Rule("self.contains('-----BEGIN CERTIFICATE-----')", "must hold at least one PEM certificate")
        ),
    )


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


class SubscriptionAuth(KubeModel):
    """Which SubscriptionAccounts of this namespace, among those that name this provider, may serve it."""

    account_selector: dict[str, str] = Field(
        default_factory=dict,
        max_length=16,
        description="Labels an account must carry. Empty: every account in this namespace whose providerRef names this provider.",
    )


_MODES_WITH_SETTINGS = (
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
        "self.modes.all(m, self.modes.exists_one(n, n == m))",
        "spec.auth.modes lists a mode twice; each may stand once",
    ),
)


class Auth(KubeModel):
    """How requests authenticate upstream."""

    model_config = KubeModel.model_config | {"json_schema_extra": schema(*_MODES_WITH_SETTINGS)}

    modes: tuple[AuthMode, ...] = Field(min_length=1, max_length=2, description="Modes in fallback order.")
    fallback: FallbackTable = Field(default_factory=FallbackTable)
    api_key: APIKeyAuth | None = None
    subscription: SubscriptionAuth | None = None


class LLMProviderSpec(KubeModel):
    """The desired state of an LLMProvider."""

    protocol: Literal["Anthropic"] = Field(description="The wire protocol this upstream speaks.")
    endpoint: str = Field(
        min_length=8,
        max_length=2048,
        description="Base URL of the upstream, for example https://api.anthropic.com. HTTPS, unless the ProxyFleet allows more.",
        json_schema_extra=schema(*_ENDPOINT_RULES),
    )
    models: tuple[Model, ...] = Field(
        min_length=1,
        max_length=256,
        json_schema_extra=schema(map_key="name"),
    )
    headers: dict[str, Annotated[str, Field(max_length=4096)]] = Field(
        default_factory=dict,
        max_length=32,
        description="Headers added to every upstream request. Credentials and hop-by-hop headers are refused here.",
        json_schema_extra=schema(
            Rule(
                f"self.all(h, !(h.lowerAscii() in {_FORBIDDEN_HEADERS}))",
                "sets a header that Headgate owns (credentials, host, length and hop-by-hop headers); remove it, and put "
                "credentials under spec.auth",
            ),
            Rule(
                "self.all(h, h.matches('^[A-Za-z0-9!#$%&*+.^_|~-]{1,128}$') && self[h].matches('^[\\\\x20-\\\\x7E\\\\t]*$'))",
                "holds a name or value that HTTP does not allow; use token characters in names and printable ASCII in values",
            ),
        ),
    )
    timeouts: Timeouts = Field(default_factory=Timeouts)
    tls: TLS | None = None
    auth: Auth
    allowed_namespaces: tuple[str, ...] = Field(
        default=(),
        max_length=256,
        description="Further namespaces whose workloads may use the provider; '*' stands for all that the fleet serves.",
    )

    def model_named(self, asked: str) -> Model | None:
        """Return the model a client means by ``asked`` (a name or an alias), or None."""
        for model in self.models:
            if asked == model.name or asked in model.aliases:
                return model
        return None


class FormerGrant(KubeModel):
    """A grant that another one has replaced, in the last version that proxies used of it."""

    grant_id: str
    version: int


class CredentialStatus(KubeModel):
    """What is known of a credential in Vault, never the credential itself."""

    version: int | None = Field(default=None, description="Version of the Vault record that proxies use.")
    grant_id: str | None = Field(default=None, description="Of an account: the grant, which its refreshes keep.")
    former_grants: tuple[FormerGrant, ...] = Field(
        default=(),
        description="Grants replaced lately, newest first: a stable form goes on with the one it was kept with.",
    )
    origins: tuple[str, ...] = Field(default=(), description="Origins the credential may be sent to.")
    imported_from: str | None = Field(default=None, description="The Secret and key whose content Vault now holds.")
    imported_resource_version: str | None = Field(
        default=None, description="resourceVersion of that Secret when its import was last confirmed."
    )


class LLMProviderStatus(KubeModel):
    """The observed state of an LLMProvider."""

    observed_generation: int = 0
    revision: str | None = Field(default=None, description="Content hash of the form that stable traffic runs on.")
    modes: str | None = Field(default=None, description="The auth modes in order, for kubectl get.")
    api_key: CredentialStatus | None = None
    accounts: int | None = Field(default=None, description="Subscription accounts that could serve this provider now.")
    conditions: Conditions


class LLMProvider(Resource):
    """One upstream that speaks one LLM protocol."""

    KIND: ClassVar[str] = "LLMProvider"
    PLURAL: ClassVar[str] = "llmproviders"
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("llmp",)
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("Protocol", ".spec.protocol"),
        Column("Endpoint", ".spec.endpoint"),
        Column("Modes", ".status.modes"),
        Column("Ready", '.status.conditions[?(@.type=="Ready")].status'),
        Column("Reason", '.status.conditions[?(@.type=="Ready")].reason'),
        Column("Fallback", '.status.conditions[?(@.type=="FallbackActive")].reason'),
        Column("Revision", ".status.revision", priority=1),
        Column("Age", ".metadata.creationTimestamp", type="date"),
    )
    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.metadata.name.size() <= 63",
            "metadata.name must be at most 63 characters: it becomes a metric label and part of a Vault path",
        ),
    )

    spec: LLMProviderSpec
    status: LLMProviderStatus = Field(default_factory=lambda: LLMProviderStatus(conditions=[]))


__all__ = [
    "APIKeyAuth",
    "Auth",
    "CredentialStatus",
    "FallbackTable",
    "LLMProvider",
    "LLMProviderSpec",
    "LLMProviderStatus",
    "Model",
    "SubscriptionAuth",
    "TLS",
    "Timeouts",
]
