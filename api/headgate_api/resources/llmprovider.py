"""``LLMProvider``: one upstream, the models it serves, and the order in which a request may authenticate there."""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from headgate_api.resources.auth import APIKeyAuth, Auth, FallbackTable, SubscriptionAuth
from headgate_api.resources.base import (
    Column,
    Conditions,
    KubeModel,
    Resource,
    Rule,
    schema,
)
from headgate_api.resources.rules import ENDPOINT, HEADERS, NO_IDENTITY


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


_PROTOCOL_RULES: Final = (
    Rule(
        "self.protocol == 'OpenAI' || !has(self.apis) || self.apis.size() == 0",
        "spec.apis is for protocol OpenAI alone; remove it",
    ),
    Rule(
        "!('WorkloadIdentity' in self.auth.modes) || self.protocol == 'Anthropic'",
        "spec.auth.modes lists WorkloadIdentity, which exists for protocol Anthropic alone; remove the mode",
    ),
    Rule(
        "self.protocol != 'OpenAI' || !('Subscription' in self.auth.modes) || (has(self.apis) && 'Codex' in self.apis)",
        "spec.auth.modes lists Subscription, and plans of protocol OpenAI are served by the Codex backend alone; add Codex to "
        "spec.apis",
    ),
    Rule(
        "self.protocol != 'Gemini' || !has(self.auth.subscription) || !has(self.auth.subscription.usage)",
        "spec.auth.subscription.usage is set, and no usage endpoint of protocol Gemini is known; remove it",
    ),
    Rule(
        "!has(self.apis) || !('Codex' in self.apis) || 'Subscription' in self.auth.modes",
        "spec.apis lists Codex, which is served in Subscription mode alone; add Subscription to spec.auth.modes, or remove Codex",
    ),
)


class LLMProviderSpec(KubeModel):
    """The desired state of an LLMProvider."""

    model_config = KubeModel.model_config | {"json_schema_extra": schema(*_PROTOCOL_RULES)}

    protocol: Literal["Anthropic", "OpenAI", "Gemini"] = Field(description="The wire protocol this upstream speaks.")
    apis: tuple[Literal["Chat", "Responses", "Codex"], ...] = Field(
        default=(),
        max_length=3,
        description="OpenAI: which of its APIs this upstream serves; Chat and Responses by default. Codex is the plan's backend, "
        "which takes Responses requests in Subscription mode.",
    )
    endpoint: str = Field(
        min_length=8,
        max_length=2048,
        description="Base URL of the upstream, for example https://api.anthropic.com. HTTPS, unless the ProxyFleet allows more.",
        json_schema_extra=schema(*ENDPOINT),
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
        json_schema_extra=schema(*HEADERS, NO_IDENTITY),
    )
    timeouts: Timeouts = Field(default_factory=Timeouts)
    tls: TLS | None = None
    auth: Auth
    allowed_namespaces: tuple[str, ...] = Field(
        default=(),
        max_length=256,
        description="Further namespaces whose workloads may use the provider; '*' stands for all that the fleet serves.",
    )

    @property
    def plan_endpoint(self) -> str:
        """Return the base URL of subscription requests."""
        plan = self.auth.subscription
        return self.endpoint if plan is None or plan.endpoint is None else plan.endpoint

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
    revoked_grants: tuple[str, ...] = Field(
        default=(), description="Grants revoked lately: no form goes on with one of them."
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
    workload_identity: CredentialStatus | None = None
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
