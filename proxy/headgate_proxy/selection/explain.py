"""The same reasons in words: for the fallback header, and for the error a caller reads when no mode is left."""

from headgate_api.clock import rfc3339
from headgate_api.decisions import DECISIONS, configured
from headgate_api.reasons import AuthMode, SkipReason
from headgate_proxy.selection.states import Exhausted, Selection, Skipped

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
    reasons = (skip.reason for skip in selection.skipped if skip.mode is not selection.mode and configured(skip.reason))
    return ", ".join(dict.fromkeys(reasons))


def why_not(exhausted: Exhausted) -> str:
    """Return every reason with its mend, for people; names of accounts that are not the caller's own are left out."""
    parts = list(dict.fromkeys(_sentence(skip) for skip in exhausted.skipped))
    if exhausted.denied is not None:
        denied = exhausted.denied
        parts.append(f"spec.auth.fallback does not allow the next mode after {denied.reason}")
    return "; ".join(parts) or "it has no auth mode"


def for_people(exhausted: Exhausted) -> bool:
    """Tell whether nothing but a person's act lets such a request succeed: then a client need not try again."""
    return all(DECISIONS[skip.reason].person for skip in exhausted.skipped)


def _sentence(skip: Skipped) -> str:
    shown = skip.account if skip.reason is not SkipReason.NOT_OWNER else None
    who = skip.mode if shown is None else f"{skip.mode}/{shown}"
    federated = _FEDERATED.get(skip.reason) if skip.mode is AuthMode.WORKLOAD_IDENTITY else None
    until = "" if skip.until is None else f" until {rfc3339(skip.until)}"
    return f"{who}: {skip.reason} ({federated or DECISIONS[skip.reason].mend}{until})"
