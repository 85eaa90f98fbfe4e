"""The same reasons in words: for the fallback header, and for the error a caller reads when no mode is left."""

from headgate_api.reasons import NOT_CONFIGURED, AuthMode, SkipReason
from headgate_proxy.selection.states import Exhausted, Selection, Skipped

_MENDS = {
    SkipReason.EXPIRED: "its credential has expired; import or sign in anew",
    SkipReason.REVOKED: "the vendor refuses its credential; import a new one",
    SkipReason.RATE_LIMITED: "it is at the vendor's rate limit",
    SkipReason.QUOTA_EXHAUSTED: "its quota is used up",
    SkipReason.UNAVAILABLE: "the upstream did not answer as it should",
    SkipReason.UNSUPPORTED: "the vendor does not accept this kind of credential here; check endpoint and mode",
    SkipReason.REQUEST_UNSUPPORTED: "it cannot take this request as it is",
    SkipReason.MISSING: "its credential is not in Vault, or could not be read yet; see the object's conditions",
    SkipReason.ORIGIN_NOT_BOUND: "its credential is not bound to the endpoint's origin; see condition CredentialsReady",
    SkipReason.SUSPENDED: "a person suspended it (spec.suspend)",
    SkipReason.NO_ACCOUNT: "no SubscriptionAccount belongs to the provider",
    SkipReason.NOT_ACKNOWLEDGED: "nobody has acknowledged its use yet (spec.acknowledgement)",
    SkipReason.IDENTITY_NOT_ACKNOWLEDGED: "nobody has acknowledged its identity profile as the text now reads "
    "(spec.auth.subscription.acknowledgement)",
    SkipReason.NOT_OWNER: "it is another's (spec.owner.subjects)",
}

_FEDERATED = {
    SkipReason.EXPIRED: "its token has expired and could not be renewed; see the provider's condition CredentialsReady",
    SkipReason.REVOKED: "the vendor refuses its token; see the provider's condition CredentialsReady",
    SkipReason.MISSING: "it has no token yet; see the provider's condition CredentialsReady",
}
"""For a workload identity: nobody imports anything there."""


def fallback_header(selection: Selection) -> str | None:
    """Return the reasons, in order, for which a request does not go by its first mode; None when it does."""
    if selection.fallback is None:
        return None
    reasons = (
        skip.reason
        for skip in selection.skipped
        if skip.mode is not selection.mode and skip.reason not in NOT_CONFIGURED
    )
    return ", ".join(dict.fromkeys(reasons))


def why_not(exhausted: Exhausted) -> str:
    """Return every reason with its mend, for people; names of accounts that are not the caller's own are left out."""
    parts = list(dict.fromkeys(_sentence(skip) for skip in exhausted.skipped))
    if exhausted.denied is not None:
        denied = exhausted.denied
        parts.append(f"spec.auth.fallback does not allow the next mode after {denied.reason}")
    return "; ".join(parts) or "it has no auth mode"


def _sentence(skip: Skipped) -> str:
    shown = skip.account if skip.reason is not SkipReason.NOT_OWNER else None
    who = skip.mode if shown is None else f"{skip.mode}/{shown}"
    federated = _FEDERATED.get(skip.reason) if skip.mode is AuthMode.WORKLOAD_IDENTITY else None
    return f"{who}: {skip.reason} ({federated or _MENDS[skip.reason]})"
