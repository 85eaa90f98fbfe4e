"""The closed vocabulary of why: the same words in headers, spans, metrics, logs, ledger rows, Events and conditions."""

from enum import StrEnum
from typing import Final


class AuthMode(StrEnum):
    """How a request authenticates upstream. The order of ``spec.auth.modes`` is the fallback order."""

    SUBSCRIPTION = "Subscription"
    WORKLOAD_IDENTITY = "WorkloadIdentity"
    API_KEY = "APIKey"


class FallbackReason(StrEnum):
    """The failures for which ``spec.auth.fallback`` says Allow or Deny: together they are the spend boundary."""

    EXPIRED = "Expired"
    REVOKED = "Revoked"
    RATE_LIMITED = "RateLimited"
    QUOTA_EXHAUSTED = "QuotaExhausted"
    UNAVAILABLE = "Unavailable"


class SkipReason(StrEnum):
    """Why selection passed over a mode (or an account of it)."""

    EXPIRED = "Expired"
    REVOKED = "Revoked"
    RATE_LIMITED = "RateLimited"
    QUOTA_EXHAUSTED = "QuotaExhausted"
    UNAVAILABLE = "Unavailable"
    UNSUPPORTED = "Unsupported"
    """The vendor does not accept this kind of credential here: a configuration error, never refreshed, never retried."""
    REQUEST_UNSUPPORTED = "RequestUnsupported"
    """This mode cannot take this very request (an API or a field that it does not have); others are not concerned."""
    MISSING = "Missing"
    """Configured, but Vault holds no such record (or this proxy could not read it yet)."""
    ORIGIN_NOT_BOUND = "OriginNotBound"
    SUSPENDED = "Suspended"
    NO_ACCOUNT = "NoAccount"
    NOT_ACKNOWLEDGED = "NotAcknowledged"
    IDENTITY_NOT_ACKNOWLEDGED = "IdentityNotAcknowledged"
    """The provider has an identity profile that nobody has acknowledged in the text's present version."""
    NOT_OWNER = "NotOwner"


NOT_CONFIGURED: Final = frozenset({SkipReason.NO_ACCOUNT, SkipReason.NOT_ACKNOWLEDGED, SkipReason.NOT_OWNER})
"""The caller has no opted-in subscription at all: the next mode is the first one that exists for them, not a fallback."""

_BOUNDARY: Final = {
    SkipReason.EXPIRED: FallbackReason.EXPIRED,
    SkipReason.REVOKED: FallbackReason.REVOKED,
    SkipReason.RATE_LIMITED: FallbackReason.RATE_LIMITED,
    SkipReason.QUOTA_EXHAUSTED: FallbackReason.QUOTA_EXHAUSTED,
}


def boundary_of(reason: SkipReason) -> FallbackReason | None:
    """Return the row of ``spec.auth.fallback`` that decides about ``reason``.

    None means that no row is asked, since the mode was never configured for this caller.
    Whatever has no row of its own counts as Unavailable.
    """
    if reason in NOT_CONFIGURED:
        return None
    return _BOUNDARY.get(reason, FallbackReason.UNAVAILABLE)


class ConditionType(StrEnum):
    """Condition types of Headgate's resources; all are positive summaries of an observation."""

    READY = "Ready"
    ACCEPTED = "Accepted"
    CREDENTIALS_READY = "CredentialsReady"
    PROGRAMMED = "Programmed"
    """Every live proxy of the fleet serves this generation (the Gateway API's word)."""
    FALLBACK_ACTIVE = "FallbackActive"
    ACKNOWLEDGED = "Acknowledged"
    CREDENTIAL_VALID = "CredentialValid"
    REFRESH_HEALTHY = "RefreshHealthy"
    """The access token will be renewed before it expires (False: somebody must do something; Unknown: it is being tried)."""
    SUSPENDED = "Suspended"
    AVAILABLE = "Available"
    SNAPSHOT_DELIVERED = "SnapshotDelivered"
    PROGRESSING = "Progressing"
    AWAITING_APPROVAL = "AwaitingApproval"
    PAUSED = "Paused"
    PROMOTED = "Promoted"
    """What the targets' specs ask for is what stable traffic runs on."""
    HEALTHY = "Healthy"
    """Analysis finds no harm in the candidate (False: it did, and the candidate was withdrawn or paused)."""
    STABLE = "Stable"
    """On a guarded object: its spec is what stable traffic runs on (False: it is in a rollout, or held)."""
    CERTIFICATES_READY = "CertificatesReady"


class ConditionReason(StrEnum):
    """Stable CamelCase reasons of conditions and Events; those of selection (``SkipReason``) appear beside them."""

    READY = "Ready"
    ACCEPTED = "Accepted"
    IMPORTED = "Imported"
    IN_VAULT = "InVault"
    PROGRAMMED = "Programmed"
    PENDING = "Pending"
    NOT_READY = "NotReady"
    NO_FLEET = "NoFleet"
    NO_PROXY_READY = "NoProxyReady"
    SECRET_NOT_FOUND = "SecretNotFound"
    SECRET_KEY_NOT_FOUND = "SecretKeyNotFound"
    SECRET_INVALID = "SecretInvalid"
    SECRET_FORBIDDEN = "SecretForbidden"
    """The API server does not let the operator read (or empty) the Secret."""
    CREDENTIAL_NOT_FOUND = "CredentialNotFound"
    VERSION_NOT_FOUND = "VersionNotFound"
    RECORD_INVALID = "RecordInvalid"
    """Vault holds something at the derived path, but not a credential record: someone wrote it by hand."""
    ORIGIN_NOT_BOUND = "OriginNotBound"
    VAULT_UNAVAILABLE = "VaultUnavailable"
    VAULT_DENIED = "VaultDenied"
    """Vault answers, but refuses: role, policy, mount or a record altered by hand. Waiting does not mend it."""
    ENDPOINT_NOT_ALLOWED = "EndpointNotAllowed"
    PROVIDER_NOT_FOUND = "ProviderNotFound"
    SPEC_INVALID = "SpecInvalid"
    ACKNOWLEDGED = "Acknowledged"
    NOT_ACKNOWLEDGED = "NotAcknowledged"
    TEXT_CHANGED = "TextChanged"
    PASS_THROUGH = "PassThrough"
    """Requests present the client's own identity, no profile's any more."""
    VALID = "Valid"
    EXPIRED = "Expired"
    REVOKED = "Revoked"
    SUSPENDED = "Suspended"
    ACTIVE = "Active"
    AVAILABLE = "Available"
    UNAVAILABLE = "Unavailable"
    ROLLING_OUT = "RollingOut"
    DELIVERED = "Delivered"
    DELIVERING = "Delivering"
    RETAINED = "Retained"
    FORGOTTEN = "Forgotten"
    NAMESPACE_NOT_SERVED = "NamespaceNotServed"
    # of rollouts
    IDLE = "Idle"
    PROMOTED = "Promoted"
    PROMOTING = "Promoting"
    ROLLOUT_STARTED = "RolloutStarted"
    STEP_BEGUN = "StepBegun"
    WEIGHT_CHANGED = "WeightChanged"
    AWAITING_APPROVAL = "AwaitingApproval"
    APPROVED = "Approved"
    APPROVAL_IGNORED = "ApprovalIgnored"
    APPROVAL_EXPIRED = "ApprovalExpired"
    WAITING_FOR_CAPACITY = "WaitingForCapacity"
    WAITING_FOR_PROXIES = "WaitingForProxies"
    HOLDING = "Holding"
    ANALYSING = "Analysing"
    INSUFFICIENT_DATA = "InsufficientData"
    ANALYSIS_FAILED = "AnalysisFailed"
    HEALTHY = "Healthy"
    NO_ANALYSIS = "NoAnalysis"
    PAUSED = "Paused"
    PAUSED_ON_FAILURE = "PausedOnFailure"
    NOT_PAUSED = "NotPaused"
    ABORTED = "Aborted"
    REVERTED = "Reverted"
    RETURNED = "Returned"
    SUPERSEDED = "Superseded"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    TARGET_DELETED = "TargetDeleted"
    TARGET_NOT_FOUND = "TargetNotFound"
    TARGET_NOT_SETTLED = "TargetNotSettled"
    TARGET_TAKEN = "TargetTaken"
    """Another RolloutPolicy, which is older, guards the object already."""
    CANDIDATE_NOT_READY = "CandidateNotReady"
    CANDIDATE_HELD = "CandidateHeld"
    CANARY_LANE_BUSY = "CanaryLaneBusy"
    POLICY_UNSUPPORTED = "PolicyUnsupported"
    """The policy asks for what this installation cannot do."""
    UNGUARDED = "Unguarded"
    IN_ROLLOUT = "InRollout"
    NOT_NEEDED = "NotNeeded"
    # of workload identity
    TOKEN_REQUEST_FORBIDDEN = "TokenRequestForbidden"
    """The API server does not let the operator mint tokens of the ServiceAccount: a Role is missing."""
    SERVICE_ACCOUNT_NOT_FOUND = "ServiceAccountNotFound"
    FEDERATION_REFUSED = "FederationRefused"
    """The vendor does not take the exchange: its rule and spec.auth.workloadIdentity do not agree."""
    # of certificates
    ISSUED = "Issued"
    CERTIFICATE_INVALID = "CertificateInvalid"
    # of sign-ins
    SIGNED_IN = "SignedIn"
    # of refreshes
    REFRESHED = "Refreshed"
    SCHEDULED = "Scheduled"
    REFRESHING = "Refreshing"
    NO_REFRESH_TOKEN = "NoRefreshToken"
    NO_OAUTH_PROFILE = "NoOAuthProfile"
    NO_EXPIRY = "NoExpiry"
    """The access token names no expiry: it is refreshed when the vendor refuses it, and not before."""
    REAUTHENTICATION_REQUIRED = "ReauthenticationRequired"
    """The vendor takes the refresh token no more: its owner must sign in again."""
    VENDOR_UNAVAILABLE = "VendorUnavailable"
    VENDOR_RATE_LIMITED = "VendorRateLimited"
    CLIENT_REFUSED = "ClientRefused"
    """The vendor refuses the OAuth client or the form of the request: spec.oauth is wrong, the grant may be good."""
    REFRESH_INTERRUPTED = "RefreshInterrupted"
    """An attempt's answer was lost with whoever made it; once its claim has run out, the stored token is tried."""
