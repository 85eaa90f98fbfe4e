"""What a ``RolloutPolicy`` asks for: targets, steps, analysis, who must agree, and where sessions get their key from."""

from typing import Annotated, Final, Literal

from pydantic import Field

from headgate_api import names
from headgate_api.resources.base import Duration, KubeModel, Name, Rule, schema

TargetKind = Literal["LLMProvider", "ProxyFleet"]


class Target(KubeModel):
    """A guarded object of the policy's own namespace."""

    kind: TargetKind = Field(
        default="LLMProvider",
        description="LLMProvider: the provider with its SubscriptionAccounts. ProxyFleet: its image and podTemplate.",
    )
    name: Name

    @property
    def label(self) -> str:
        """Return ``kind/name``."""
        return f"{self.kind}/{self.name}"


class ServiceAccountRef(KubeModel):
    """A ServiceAccount."""

    name: Name
    namespace: Name | None = Field(default=None, description="The policy's own namespace by default.")

    def username(self, namespace: str) -> str:
        """Return the API server's user name for it; ``namespace`` stands in where none is given."""
        return f"system:serviceaccount:{self.namespace or namespace}:{self.name}"


class Audience(KubeModel):
    """Testers: callers whose requests reach the canary whatever the weight (``x-headgate-track: stable`` spares one)."""

    service_accounts: tuple[ServiceAccountRef, ...] = Field(
        min_length=1, max_length=64, description="Workloads that try the candidate first."
    )


class ApprovalStep(KubeModel):
    """A gate that a person opens."""

    description: str | None = Field(
        default=None, max_length=1024, description="What whoever approves should have looked at."
    )


class Step(KubeModel):
    """One step: exactly one of audience, approval and weight."""

    model_config = KubeModel.model_config | {
        "json_schema_extra": schema(
            Rule(
                "[has(self.audience), has(self.approval), has(self.weight)].filter(x, x).size() == 1",
                "each step sets exactly one of audience, approval and weight; make a step of its own for each",
            ),
            Rule(
                "!has(self.approval) || self.hold == '0s'",
                "hold does not apply to an approval: it waits for a person; put hold on the audience or weight step before it",
            ),
        )
    }

    audience: Audience | None = None
    approval: ApprovalStep | None = None
    weight: int | None = Field(
        default=None, ge=1, le=100, description="Percent of the requests that the candidate serves."
    )
    hold: Duration = Field(
        default="0s", description="How long the step lasts at least, once every proxy has taken it up."
    )
    analysis: bool = Field(
        default=True,
        description="Whether spec.analysis must pass before a weight step ends (it can fail it in any case).",
    )

    @property
    def kind(self) -> Literal["Audience", "Approval", "Weight"]:
        """Return which of the three this step is."""
        return "Audience" if self.audience is not None else "Approval" if self.approval is not None else "Weight"


MetricName = Literal[
    "ErrorRate", "AuthFailureRate", "FallbackRate", "TruncationRate", "TimeToFirstTokenP95", "CostPerRequest"
]
METRIC_UNITS: Final = {
    "ErrorRate": "%",
    "AuthFailureRate": "%",
    "FallbackRate": "%",
    "TruncationRate": "%",
    "TimeToFirstTokenP95": "ms",
    "CostPerRequest": "micro-USD",
}


class Metric(KubeModel):
    """What the canary is judged by: a built-in measure of the proxies' own, or a PromQL query."""

    model_config = KubeModel.model_config | {
        "json_schema_extra": schema(
            Rule(
                "has(self.max) || has(self.maxRatio)",
                "a metric needs a bound: set max (absolute) or maxRatio (canary divided by stable), or both",
            ),
            Rule(
                "has(self.query) || self.name in ['ErrorRate','AuthFailureRate','FallbackRate','TruncationRate',"
                "'TimeToFirstTokenP95','CostPerRequest']",
                "name must be ErrorRate, AuthFailureRate, FallbackRate, TruncationRate, TimeToFirstTokenP95 or CostPerRequest, "
                "unless query gives a PromQL query",
            ),
            Rule(
                "!(has(self.query) && has(self.maxRatio))",
                "maxRatio compares the canary with stable, which a query must do itself; use max with query",
            ),
        )
    }

    name: str = Field(min_length=1, max_length=63, pattern=r"^[A-Za-z][A-Za-z0-9-]*$")
    query: str | None = Field(
        default=None,
        min_length=1,
        max_length=4096,
        description="PromQL that yields one number, asked of the Prometheus the chart names (prometheus.address). {{policy}}, "
        "{{revision}} and {{step}} stand for the rollout.",
    )
    max: float | None = Field(
        default=None, ge=0, description="The highest value that passes: percent for rates, milliseconds, micro-USD."
    )
    max_ratio: float | None = Field(
        default=None, ge=0, description="The highest canary value that passes, divided by stable's of the same window."
    )
    dry_run: bool = Field(default=False, description="Report the verdict, but do not act on it.")


class Analysis(KubeModel):
    """How harm is recognised. Too little data is no verdict: the step waits, and status says what is missing."""

    interval: Duration = Field(default="30s", description="Time between two verdicts.")
    min_samples: int = Field(default=20, ge=1, le=1_000_000, description="Requests each track needs in a window.")
    consecutive_failures: int = Field(
        default=2, ge=1, le=100, description="Failing verdicts in a row that count as harm."
    )
    dry_run: bool = Field(default=False, description="Report all verdicts, but do not act on them.")
    metrics: tuple[Metric, ...] = Field(min_length=1, max_length=16, json_schema_extra=schema(map_key="name"))


class Approvers(KubeModel):
    """Who may approve, among those who have the verb; ServiceAccounts only when listed here."""

    users: tuple[Annotated[str, Field(min_length=1, max_length=512)], ...] = Field(default=(), max_length=64)
    groups: tuple[Annotated[str, Field(min_length=1, max_length=512)], ...] = Field(default=(), max_length=64)
    service_accounts: tuple[ServiceAccountRef, ...] = Field(default=(), max_length=64)


class Approval(KubeModel):
    """What an approval must be to count."""

    distinct_from_author: bool = Field(
        default=True,
        description="Whoever made the change cannot approve it; where the author is unknown (GitOps), two people must.",
    )
    approvers: Approvers | None = Field(
        default=None, description="Empty users and groups: every person who has the verb approve."
    )
    expires_after: Duration = Field(
        default="24h", description="How long an approval step waits, and a first of two approvals counts."
    )


class StickySource(KubeModel):
    """Where a request's sticky key may come from."""

    model_config = KubeModel.model_config | {
        "json_schema_extra": schema(
            Rule(
                "(self.source == 'Header') == has(self.header)",
                "header belongs to source Header, and source Header needs it",
            )
        )
    }

    source: Literal["Header", "ClientSession", "Pod", "Consumer"] = Field(
        description="Header: a request header. ClientSession: the client's own session id. Pod: the caller's pod. Consumer: "
        "the caller's ServiceAccount."
    )
    header: str | None = Field(default=None, min_length=1, max_length=64, pattern=r"^[A-Za-z0-9-]+$")


DEFAULT_STICKINESS: Final = (
    StickySource(source="Header", header=names.HEADER_SESSION),
    StickySource(source="ClientSession"),
    StickySource(source="Pod"),
    StickySource(source="Consumer"),
)

_WEIGHTS: Final = "self.steps.filter(s, has(s.weight)).map(s, s.weight)"
_POSSIBLE: Final = (
    Rule(
        "has(self.steps[self.steps.size() - 1].weight) && self.steps[self.steps.size() - 1].weight == 100",
        "spec.steps: the last step must be weight: 100, or the change never reaches everyone",
    ),
    Rule(
        f"{_WEIGHTS}.isSorted() && {_WEIGHTS}.all(w, {_WEIGHTS}.exists_one(v, v == w))",
        "spec.steps: weights must rise from step to step; order them, and give each only once",
    ),
    Rule(
        "!self.targets.exists(t, t.kind == 'ProxyFleet') || has(self.steps[0].approval)",
        "spec.steps: for a ProxyFleet the first step must be an approval: no candidate image starts before a person agreed",
    ),
    Rule(
        "!self.targets.exists(t, t.kind == 'ProxyFleet') || self.targets.size() == 1",
        "spec.targets: a ProxyFleet must be the policy's only target, since its image has the canary to itself; make a second "
        "RolloutPolicy for the providers",
    ),
    Rule(
        "self.targets.all(t, self.targets.exists_one(u, u.kind == t.kind && u.name == t.name))",
        "spec.targets names an object twice; name each once",
    ),
)


class RolloutPolicySpec(KubeModel):
    """The desired state of a RolloutPolicy."""

    model_config = KubeModel.model_config | {"json_schema_extra": schema(*_POSSIBLE)}

    targets: tuple[Target, ...] = Field(min_length=1, max_length=32)
    steps: tuple[Step, ...] = Field(min_length=1, max_length=24)
    stickiness: tuple[StickySource, ...] = Field(
        default=DEFAULT_STICKINESS,
        min_length=1,
        max_length=8,
        description="Where the key that keeps a session on its track comes from: the first source that a request has.",
    )
    analysis: Analysis | None = None
    approval: Approval = Field(default_factory=Approval)
    on_failure: Literal["Rollback", "Pause"] = "Rollback"
    deadline: Duration = Field(default="72h", description="How long a rollout may take in all; then it is withdrawn.")
    rollback_window: Duration = Field(
        default="24h", description="How long after its end a promoted revision may come back without steps; 0s: never."
    )

    def guards(self, kind: str, name: str) -> bool:
        """Tell whether this policy names the object."""
        return any(t.kind == kind and t.name == name for t in self.targets)

    @property
    def lane(self) -> Literal["Image", "Candidate"]:
        """Return what the canary runs for this policy: a candidate image, or candidate forms on the stable image."""
        return "Image" if any(t.kind == "ProxyFleet" for t in self.targets) else "Candidate"
