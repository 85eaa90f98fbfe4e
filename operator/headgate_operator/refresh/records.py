"""What becomes of a grant's record: a claim before the vendor is asked, and its conclusion afterwards. All pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from headgate_api.reasons import ConditionReason
from headgate_api.refresh import RefreshClaim, RefreshState, TerminalReason, fingerprint
from headgate_api.resources import OAuthProfile
from headgate_api.resources.base import seconds_of
from headgate_api.vault import GrantRecord
from headgate_operator.oauth.http import DEADLINE_SECONDS
from headgate_operator.oauth.outcomes import ClientRefused, Granted, Terminal, Transient
from headgate_operator.refresh.schedule import back_off
from headgate_operator.refresh.verdict import profile_id

SKEW_SECONDS: Final = 60.0
"""By how much the clocks of two operators may differ."""
ASK_WITHIN_SECONDS: Final = 30.0
"""How long after its claim an attempt may still ask the vendor; one that was frozen for longer gives up."""
CLAIM_SECONDS: Final = ASK_WITHIN_SECONDS + DEADLINE_SECONDS + 30.0 + SKEW_SECONDS
"""A claim outlasts the vendor's answer, the storing of it, and the difference of clocks."""


@dataclass(frozen=True, slots=True)
class Abandoned:
    """The vendor was not asked after all: the claim is given back, and nothing counts as failed."""


Outcome: TypeAlias = Granted | Terminal | ClientRefused | Transient | Abandoned


def claimed(grant: GrantRecord, *, holder: str, attempt: str, now: datetime) -> GrantRecord:
    """Return the record with a claim on its refresh token. Raises ValueError where there is none."""
    if grant.refresh_token is None:
        raise ValueError("a grant without refresh token cannot be refreshed")
    claim = RefreshClaim(
        holder=holder,
        attempt=attempt,
        since=now,
        until=now + timedelta(seconds=CLAIM_SECONDS),
        spends=fingerprint(grant.refresh_token),
    )
    return grant.model_copy(update={"refresh": grant.refresh.model_copy(update={"claim": claim})})


def concluded(
    stored: GrantRecord,
    claim: RefreshClaim,
    outcome: Outcome,
    *,
    profile: OAuthProfile,
    now: datetime,
    interrupted: bool = False,
    forced: bool = False,
) -> GrantRecord | None:
    """Return what to write over ``stored``, or None where nothing is to be written.

    New tokens are written over whatever holds the token they were bought with, whoever claims it now: nobody else has
    them. Anything else is written only while the claim stands.
    """
    if stored.refresh_token is None or fingerprint(stored.refresh_token) != claim.spends:
        return None  # a new grant, or these very tokens: an answer of Vault was lost
    if isinstance(outcome, Granted):
        if stored.access_token == outcome.access_token:
            return None
        return _renewed(stored, claim, outcome, profile, forced)
    state = stored.refresh
    if state.claim is None or state.claim.attempt != claim.attempt:
        return None
    if isinstance(outcome, Abandoned):
        return _with(stored, state.model_copy(update={"claim": None}))
    if isinstance(outcome, Terminal):
        lost = "; the answer to an earlier attempt was lost, and the new tokens with it" if interrupted else ""
        ended = state.model_copy(
            update={
                "claim": None,
                "failures": state.failures + 1,
                "not_before": None,
                "problem": outcome.what + lost,
                "reason": ConditionReason.REAUTHENTICATION_REQUIRED.value,
                "terminal": TerminalReason(outcome.reason),
            }
        )
        return _with(stored, ended)
    return _with(stored, _failed(stored, outcome, profile, now))


def _renewed(
    stored: GrantRecord, claim: RefreshClaim, outcome: Granted, profile: OAuthProfile, forced: bool
) -> GrantRecord:
    lifetime = outcome.lifetime
    if lifetime is None and profile.access_token_lifetime is not None:
        lifetime = timedelta(seconds=seconds_of(profile.access_token_lifetime))
    began = claim.since.replace(microsecond=0)
    before = stored.refresh
    return stored.model_copy(
        update={
            "access_token": outcome.access_token,
            "refresh_token": outcome.refresh_token or stored.refresh_token,
            "expires_at": began + lifetime if lifetime is not None else None,
            "obtained_at": began,
            "scopes": outcome.scopes if outcome.scopes is not None else stored.scopes,
            "generation": stored.generation + 1,
            "refresh": RefreshState(last_refresh=began, forced=before.forced + 1 if forced else 0),
        }
    )


def _failed(
    stored: GrantRecord, outcome: ClientRefused | Transient, profile: OAuthProfile, now: datetime
) -> RefreshState:
    state = stored.refresh
    refused = isinstance(outcome, ClientRefused)
    failures = state.failures + 1
    wait = back_off(stored, failures, refused=refused)
    if isinstance(outcome, Transient) and outcome.retry_after is not None:
        wait = max(wait, outcome.retry_after)
    reason = ConditionReason.CLIENT_REFUSED if refused else ConditionReason.VENDOR_UNAVAILABLE
    if isinstance(outcome, Transient) and outcome.limited:
        reason = ConditionReason.VENDOR_RATE_LIMITED
    # After a lost answer the vendor may still be at it: the claim stays until it has run out.
    keeps_claim = isinstance(outcome, Transient) and outcome.uncertain
    return state.model_copy(
        update={
            "claim": state.claim if keeps_claim else None,
            "failures": failures,
            "not_before": now + wait,
            "problem": outcome.what,
            "reason": reason.value,
            "profile": profile_id(profile),
        }
    )


def _with(stored: GrantRecord, state: RefreshState) -> GrantRecord:
    return stored.model_copy(update={"refresh": state})
