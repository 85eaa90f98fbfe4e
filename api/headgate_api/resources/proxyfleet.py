"""``ProxyFleet``: the proxy Deployments, whom they serve, and what they are allowed to reach."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from headgate_api import names
from headgate_api.resources.base import Column, Conditions, KubeModel, Name, Resource, Rule


class Ports(KubeModel):
    """Container ports of a proxy pod."""

    http: int = Field(
        default=8080, ge=1024, le=65535, description="Where callers connect by plain HTTP (spec.tls.plainHTTP)."
    )
    https: int = Field(
        default=8443, ge=1024, le=65535, description="Where callers, and stable proxies, connect by TLS."
    )
    admin: int = Field(default=9090, ge=1024, le=65535, description="/livez, /readyz and /metrics.")


class Allowances(KubeModel):
    """Departures from HTTPS to public addresses, which only whoever runs the fleet can permit."""

    plain_http: bool = Field(default=False, alias="plainHTTP", description="Permit providers with http:// endpoints.")
    private_addresses: bool = Field(
        default=False,
        description="Permit endpoints on private, loopback and link-local addresses and in-cluster names.",
    )


class CallerTokens(KubeModel):
    """What a proxy demands of the ServiceAccount tokens that callers present."""

    audience: str = Field(default=names.AUDIENCE_CALLER, min_length=1, max_length=253)
    max_lifetime_seconds: int = Field(
        default=86400,
        ge=600,
        le=31536000,
        description="Tokens issued for longer are refused: a deleted account's token passes until it expires.",
    )


class Limits(KubeModel):
    """Bounds that keep one caller from exhausting a proxy."""

    max_request_bytes: int = Field(default=32 * 1024 * 1024, ge=1024, le=256 * 1024 * 1024)


class FleetTLS(KubeModel):
    """The certificate of listener and relay. Without secretName, the operator makes one, from a CA of its own, and renews it."""

    secret_name: Name | None = Field(
        default=None,
        description="A Secret of type kubernetes.io/tls in the fleet's namespace, with ca.crt, such as cert-manager writes. Its "
        "certificate must carry the DNS name headgate-proxy-<fleet>.<namespace>.svc.",
    )
    plain_http: bool = Field(
        default=True, alias="plainHTTP", description="Whether callers may also connect by plain HTTP, on ports.http."
    )


class Telemetry(KubeModel):
    """Where traces go, and how many."""

    otlp_endpoint: str | None = Field(
        default=None,
        max_length=2048,
        description="Base URL of an OTLP/HTTP receiver, for example http://otel-collector:4318.",
    )
    sampling_percent: int = Field(
        default=1,
        ge=0,
        le=100,
        description="Share of requests traced when the caller has not decided already.",
    )


class PodTemplate(KubeModel):
    """Additions to the proxy pods."""

    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    node_selector: dict[str, str] = Field(default_factory=dict)
    tolerations: list[dict[str, Any]] = Field(default_factory=list)
    resources: dict[str, Any] = Field(
        default_factory=lambda: {
            "requests": {"cpu": "100m", "memory": "128Mi"},
            "limits": {"memory": "512Mi"},
        },
        description="Resource requests and limits of the proxy container.",
    )
    image_pull_secrets: tuple[str, ...] = ()
    topology_spread: bool = Field(default=True, description="Spread the pods over nodes where possible.")


class ProxyFleetSpec(KubeModel):
    """The desired state of a ProxyFleet."""

    image: str = Field(min_length=1, max_length=1024, description="Image of the proxy pods.")
    replicas: int = Field(default=2, ge=0, le=1000)
    canary_replicas: int = Field(
        default=1,
        ge=1,
        le=1000,
        description="Canary proxies while a rollout needs them, at least; more start as the canary's share grows.",
    )
    ports: Ports = Field(default_factory=Ports)
    allowed_namespaces: tuple[str, ...] = Field(
        min_length=1,
        max_length=1024,
        description="Namespaces whose workloads may call and whose LLMProviders are served; '*' stands for all.",
    )
    allowances: Allowances = Field(default_factory=Allowances)
    caller_tokens: CallerTokens = Field(default_factory=CallerTokens)
    limits: Limits = Field(default_factory=Limits)
    tls: FleetTLS = Field(default_factory=FleetTLS)
    drain_seconds: int = Field(
        default=300,
        ge=0,
        le=3600,
        description="How long a stopping proxy lets open streams finish before it cuts them.",
    )
    telemetry: Telemetry = Field(default_factory=Telemetry)
    pod_template: PodTemplate = Field(default_factory=PodTemplate)

    def serves(self, namespace: str) -> bool:
        """Tell whether this fleet serves the workloads and providers of a namespace."""
        return "*" in self.allowed_namespaces or namespace in self.allowed_namespaces


class SnapshotStatus(KubeModel):
    """How far the fleet has taken up its configuration."""

    revision: str | None = Field(default=None, description="Content hash of the published snapshot.")
    acknowledged: int = Field(default=0, description="Live proxies that run on it.")
    lagging: tuple[str, ...] = Field(
        default=(), description="Pods that acknowledge another revision, or nothing for 30 s."
    )


class CanaryStatus(KubeModel):
    """The canary track."""

    replicas: int = Field(default=0, description="Canary proxies wanted now.")
    ready_replicas: int = 0
    image: str | None = None
    lane: str | None = Field(default=None, description="The RolloutPolicy whose candidate image it runs, if any.")


class ProxyFleetStatus(KubeModel):
    """The observed state of a ProxyFleet."""

    observed_generation: int = 0
    replicas: int = 0
    ready_replicas: int = 0
    ready: str | None = Field(default=None, description="ready/desired, for kubectl get.")
    selector: str | None = None
    image: str | None = Field(default=None, description="The image of the stable track.")
    canary: CanaryStatus | None = None
    snapshot: SnapshotStatus | None = None
    conditions: Conditions


class ProxyFleet(Resource):
    """A fleet of proxies that share one snapshot."""

    KIND: ClassVar[str] = "ProxyFleet"
    PLURAL: ClassVar[str] = "proxyfleets"
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("pfleet",)
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("Pods", ".status.ready"),
        Column("Ready", '.status.conditions[?(@.type=="Ready")].status'),
        Column("Reason", '.status.conditions[?(@.type=="Ready")].reason'),
        Column("Snapshot", ".status.snapshot.revision"),
        Column("Image", ".spec.image", priority=1),
        Column("Age", ".metadata.creationTimestamp", type="date"),
    )
    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.metadata.name.size() <= 40",
            "metadata.name must be at most 40 characters: the names of Deployment, Service and pods derive from it",
        ),
        Rule(
            "!self.metadata.name.contains('.')",
            "metadata.name must not contain a dot: the name of the Service derives from it",
        ),
    )

    SCALE: ClassVar[Mapping[str, str] | None] = {
        "specReplicasPath": ".spec.replicas",
        "statusReplicasPath": ".status.replicas",
        "labelSelectorPath": ".status.selector",
    }

    spec: ProxyFleetSpec
    status: ProxyFleetStatus = Field(default_factory=lambda: ProxyFleetStatus(conditions=[]))
