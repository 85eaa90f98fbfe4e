"""What a proxy tells the broker: which snapshot it runs on, and what upstreams said of the credentials it used.

Posted as JSON to ``/v1/report`` with the proxy's own ServiceAccount token (audience ``headgate-broker``), every few
seconds and at once after a change, so that conditions can show the same reasons as headers, spans and metrics.
"""

from typing import Final, Literal

from pydantic import Field

from headgate_api.reasons import AuthMode, SkipReason
from headgate_api.resources.base import KubeModel, Moment
from headgate_api.resources.limits import LimitObservation

REPORT_PATH: Final = "/v1/report"
REPORT_INTERVAL_SECONDS: Final = 5.0
COUNTS_INTERVAL_SECONDS: Final = 1.0
"""How soon new counts of a rollout are reported: harm must not go unseen for as long as a report may take otherwise."""
MAX_LIMITS: Final = 100
"""Limit observations in one report or answer; the rest goes with the next ones."""
SILENT_AFTER_SECONDS: Final = 30.0
"""A proxy that has reported nothing for this long is named in status (design, guarantee 1)."""


class CredentialObservation(KubeModel):
    """What the upstream last said of one credential version; it stops counting once a newer version is in Vault."""

    path: str = Field(description="Vault path of the credential, below the mount.")
    version: int
    valid: bool
    reason: SkipReason | None = Field(default=None, description="Why not, when it is not valid.")
    until: Moment | None = Field(default=None, description="When a limit resets, where the upstream said so.")
    at: Moment


class FallbackObservation(KubeModel):
    """That requests of a provider now go by another mode than its first, and why."""

    namespace: str
    provider: str
    from_mode: AuthMode
    to_mode: AuthMode | None = Field(description="None: the spend boundary denied every further mode.")
    reason: SkipReason
    account: str | None = None
    at: Moment


WEIGHT_TTL_SECONDS: Final = 300.0
"""A canary weight that a proxy could not confirm for this long counts as 0 (design, guarantee 1)."""

TTFT_BASE: Final = 1.15
"""Time to the first token is counted in classes: class ``n`` ends at ``TTFT_BASE ** n`` milliseconds."""


class TrackCounts(KubeModel):
    """What one proxy saw of one track since a rollout's step began; the deciding (stable) proxy counts both tracks."""

    requests: int = Field(
        default=0, ge=0, description="Requests that ended; clients that left early are not among them."
    )
    errors: int = Field(
        default=0, ge=0, description="Those that ended with a status of 500 or more, or did not reach the canary."
    )
    auth_failures: int = Field(default=0, ge=0, description="Those in which an upstream answered 401, 403 or 429.")
    fallbacks: int = Field(default=0, ge=0, description="Those that left their first auth mode.")
    truncated: int = Field(default=0, ge=0, description="Responses that broke off.")
    costed: int = Field(default=0, ge=0, description="Requests whose cost is known.")
    cost_micro_usd: int = Field(default=0, ge=0, description="The cost of those, at API prices.")
    first_token: dict[int, int] = Field(
        default_factory=dict, description="Requests by class of their time to the first token."
    )


class RolloutObservation(KubeModel):
    """Both tracks of one rollout in one step, cumulative; counts of an earlier step or rollout are not sent any more."""

    policy: str = Field(description="namespace/name")
    revision: str
    step: int
    stable: TrackCounts = Field(default_factory=TrackCounts)
    canary: TrackCounts = Field(default_factory=TrackCounts)


class ProxyReport(KubeModel):
    """One proxy's whole present state; the last one counts."""

    fleet: str
    pod: str
    track: Literal["stable", "canary"] = "stable"
    revision: str | None = Field(description="Revision of the snapshot in use; None before the first.")
    head: str | None = Field(default=None, description="Digest of the head in use: weights and endpoints included.")
    snapshot_age_seconds: float = Field(
        default=0, ge=0, description="Since the control plane last confirmed the snapshot."
    )
    credentials: tuple[CredentialObservation, ...] = ()
    limits: tuple[LimitObservation, ...] = Field(
        default=(),
        max_length=MAX_LIMITS,
        description="What is news since the last report, and some of the rest in turn.",
    )
    limits_cursor: str | None = Field(
        default=None, max_length=128, description="The last answer's; empty: none yet; None: answers are not read."
    )
    fallbacks: tuple[FallbackObservation, ...] = Field(
        default=(), description="Those active now; one that ended is absent."
    )
    rollouts: tuple[RolloutObservation, ...] = ()


class ReportAnswer(KubeModel):
    """What the broker knows that the proxy may not: the newest word on the limits of the accounts that its fleet serves."""

    limits: tuple[LimitObservation, ...] = ()
    limits_cursor: str = Field(
        default="", description="How far that goes, as TERM:NUMBER; another term is a broker that knows nothing yet."
    )
