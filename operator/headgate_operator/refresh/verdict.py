"""Whether an account is refreshed now: one pure decision, for the refresher, the broker and the condition alike."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from headgate_api import names
from headgate_api.clock import rfc3339
from headgate_api.origins import origin_of
from headgate_api.reasons import ConditionReason
from headgate_api.resources import OAuthProfile, SubscriptionAccount
from headgate_api.snapshot import content_revision
from headgate_api.vault import GrantRecord, grant_path
from headgate_operator.account.acknowledged import is_acknowledged
from headgate_operator.refresh.schedule import due_at, forced_gap

_LONGEST_GENERATION: Final = 10
SIGHTED_SECONDS: Final = 15.0
"""How long a claim that has run out must have been seen here before it is taken over: after an outage of Vault, its holder
may be about to store what the vendor gave it."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """Refresh now. ``interrupted``: an earlier attempt's answer was lost, and the stored token may be spent already."""

    interrupted: bool
    forced: bool


@dataclass(frozen=True, slots=True)
class Rest:
    """Do not refresh now. ``until`` None: not until something changes. ``healthy`` is the condition's status."""

    until: datetime | None
    healthy: bool | None
    reason: ConditionReason
    message: str


Verdict: TypeAlias = Attempt | Rest


def profile_id(profile: OAuthProfile) -> str:
    """Return what tells one OAuth profile from another."""
    return content_revision(profile.to_wire())


def token_origin(profile: OAuthProfile) -> str | None:
    """Return the origin that refresh tokens go to, or None where the endpoint is no URL."""
    try:
        return origin_of(profile.token_endpoint)
    except ValueError:
        return None


def judge(
    account: SubscriptionAccount,
    grant: GrantRecord | None,
    now: datetime,
    *,
    refused: int | None = None,
    claim_seen_for: float = SIGHTED_SECONDS,
) -> Verdict:
    """Return whether to refresh now.

    ``refused``: the generation whose access token an upstream refuses (a proxy says so). ``claim_seen_for``: seconds since this
    process first saw the claim that stands in the grant.
    """
    if grant is None:
        return _no(ConditionReason.CREDENTIAL_NOT_FOUND, f"Vault holds nothing at {grant_path(*account.key)}")
    asked = asked_generation(account)
    return (
        _unable(account, grant)
        or _held_back(account, grant, now, claim_seen_for)
        or _by_time(grant, now, refused, asked=asked is not None and asked == grant.generation)
    )


def being_revoked(account: SubscriptionAccount, grant: GrantRecord) -> bool:
    """Tell whether somebody asked to revoke this very grant; an older one is revoked, or replaced, already."""
    return account.metadata.annotations.get(names.ANNOTATION_REVOKE) == grant.grant_id


def asked_generation(account: SubscriptionAccount) -> int | None:
    """Return the generation that somebody asked to replace, by annotation, or None."""
    text = account.metadata.annotations.get(names.ANNOTATION_REFRESH, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _LONGEST_GENERATION else None


def _unable(account: SubscriptionAccount, grant: GrantRecord) -> Rest | None:
    """Return what keeps this grant from ever being refreshed as things stand, or None."""
    profile = account.spec.oauth
    if account.metadata.deletion_timestamp is not None:
        return _no(ConditionReason.FORGOTTEN, "the account is being deleted")
    if account.spec.suspend:
        return _no(
            ConditionReason.SUSPENDED, "spec.suspend is true, so nothing is refreshed; set it to false to resume"
        )
    if not is_acknowledged(account):
        return _no(
            ConditionReason.NOT_ACKNOWLEDGED,
            "nothing is refreshed before spec.acknowledgement; see condition Acknowledged",
        )
    if profile is None:
        return _no(
            ConditionReason.NO_OAUTH_PROFILE,
            "spec.oauth is missing, so the access token serves until it expires; add the vendor's profile",
        )
    if being_revoked(account, grant):
        return _no(ConditionReason.REVOKED, "the grant is being revoked")
    if grant.refresh_token is None:
        return _no(
            ConditionReason.NO_REFRESH_TOKEN,
            f"the grant holds no refresh token, so the access token serves until it expires; {mend(account)}",
        )
    origin = token_origin(profile)
    if origin is None or origin not in grant.token_origins:
        bound = ", ".join(grant.token_origins) or "no token endpoint"
        return _no(
            ConditionReason.ORIGIN_NOT_BOUND,
            f"the refresh token is bound to {bound}, and spec.oauth.tokenEndpoint is on {origin}; restore the endpoint, or "
            f"{mend(account)}",
        )
    if grant.refresh.terminal is not None:
        text = f"{grant.refresh.problem or grant.refresh.terminal.value}; {mend(account)}"
        return _no(ConditionReason.REAUTHENTICATION_REQUIRED, text)
    return None


def _held_back(account: SubscriptionAccount, grant: GrantRecord, now: datetime, seen_for: float) -> Verdict | None:
    """Return what an attempt under way, lost or failed makes of it; None: nothing of that kind."""
    state, profile = grant.refresh, account.spec.oauth
    claim = state.claim
    if claim is not None and now < claim.until and state.failures == 0:
        return Rest(claim.until, True, ConditionReason.REFRESHING, f"under way since {rfc3339(claim.since)}")
    if claim is not None and now < claim.until:
        return failing(grant, claim.until)
    same_profile = profile is not None and state.profile == profile_id(profile)
    if state.not_before is not None and now < state.not_before and same_profile:
        return failing(grant, state.not_before)
    if claim is None:
        return None
    if seen_for < SIGHTED_SECONDS:
        text = f"the attempt of {rfc3339(claim.since)} has not ended; its refresh token is tried once more, soon"
        again = now + timedelta(seconds=SIGHTED_SECONDS - seen_for)
        return Rest(again, None, ConditionReason.REFRESH_INTERRUPTED, text)
    return Attempt(interrupted=True, forced=False)


def _by_time(grant: GrantRecord, now: datetime, refused: int | None, *, asked: bool) -> Verdict:
    state, due = grant.refresh, due_at(grant)
    if due is not None and now >= due:
        return Attempt(interrupted=False, forced=False)
    if asked or (refused is not None and refused >= grant.generation):
        again = state.last_refresh + forced_gap(state.forced) if state.last_refresh is not None else now
        if now >= again:
            return Attempt(interrupted=False, forced=True)
        if refused is None or refused < grant.generation:
            until = min(again, due) if due is not None else again
            text = f"asked for ({names.ANNOTATION_REFRESH}), and the token is new; the next one follows at {rfc3339(until)}"
            return Rest(until, True, ConditionReason.SCHEDULED, text)
        text = f"the vendor refuses a token it has just issued; the next one is asked for at {rfc3339(again)}"
        return Rest(again, None, ConditionReason.REVOKED, text)
    if state.failures:  # another profile than the one that failed, or the wait is over
        return Attempt(interrupted=False, forced=False)
    if due is None:
        return Rest(
            None, True, ConditionReason.NO_EXPIRY, "the access token names no expiry; refreshed when it is refused"
        )
    return Rest(due, True, ConditionReason.SCHEDULED, f"next at {rfc3339(due)}")


def failing(grant: GrantRecord, until: datetime) -> Rest:
    """Return what is to be said of a grant whose last attempt brought nothing, and whose next one follows at ``until``."""
    state = grant.refresh
    reason = _reason(state.reason)
    text = f"{state.problem or 'the last attempt failed'}; attempt {state.failures + 1} follows at {rfc3339(until)}"
    return Rest(until, False if reason is ConditionReason.CLIENT_REFUSED else None, reason, text)


def _reason(word: str | None) -> ConditionReason:
    try:
        return ConditionReason(word or "")
    except ValueError:
        return ConditionReason.VENDOR_UNAVAILABLE


def mend(account: SubscriptionAccount) -> str:
    """Return what the owner has to do for a new grant."""
    ref, owner = account.spec.credential.import_secret_ref, account.spec.owner.email
    if ref is not None:
        where = f"Secret {account.metadata.namespace}/{ref.name}"
        return f"{owner} signs in again (headgate account login), or puts a new credential file into {where}"
    return (
        f"{owner} signs in again (headgate account login), or puts a new credential file into a Secret that "
        "spec.credential.importSecretRef names"
    )


def _no(reason: ConditionReason, message: str) -> Rest:
    return Rest(None, False, reason, message)
