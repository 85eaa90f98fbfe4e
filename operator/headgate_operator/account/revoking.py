"""What becomes of an account whose grant somebody asked to revoke: taken from the proxies, forgotten, and told to the vendor. Pure.

The order is what makes a crash harmless: first no proxy can read the token, then one write turns the grant into a record of what
must not come back, which keeps the tokens only as long as the vendor has yet to hear of it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from headgate_api.clock import rfc3339
from headgate_api.reasons import ConditionReason
from headgate_api.resources import SubscriptionAccount
from headgate_api.resources.base import Condition, Observation
from headgate_api.vault import ForgottenGrant, GrantRecord, Revoking, access_path, grant_path
from headgate_operator.account.observed import ObservedAccount
from headgate_operator.credentials.plan import Action, DestroyGrant, Note, Purge, WriteRecord
from headgate_operator.refresh.verdict import being_revoked, token_origin

FIRST_WAIT: Final = timedelta(seconds=30)
MOST_ATTEMPTS: Final = 6
"""At the vendor: within a quarter of an hour, each after twice as long as the one before."""
DELETION_WAITS: Final = timedelta(minutes=2)
_REMEMBERED: Final = 8
_AGAIN_SECONDS: Final = 15.0
ACTION: Final = "Revoke"


def under_way(grant: GrantRecord, now: datetime) -> datetime | None:
    """Return until when a refresh may be under way: its new tokens must not be left with nobody who knows of them."""
    claim = grant.refresh.claim
    return claim.until if claim is not None and now < claim.until else None


def next_step(seen: ObservedAccount, now: datetime) -> tuple[Action | None, Note | None]:
    """Return the next step of a revocation that somebody asked for, or that has not ended."""
    grant, gone, key = seen.grant.record, seen.grant.forgotten, seen.account.key
    if grant is not None:
        if not being_revoked(seen.account, grant):
            return None, None
        if seen.access.record is not None and seen.access.record.grant_id == grant.grant_id:
            return DestroyGrant(access_path(*key), grant.grant_id), None
        if under_way(grant, now) is not None:
            return None, None
        record = forget(seen.account, grant, now)
        return WriteRecord(grant_path(*key), record, seen.grant.version), told(record)
    if gone is None:
        return None, None
    held = seen.access.record
    if held is not None and held.grant_id in gone.revoked:
        return DestroyGrant(access_path(*key), held.grant_id), None  # published by somebody who did not know yet
    if not gone.revoking and not gone.purged:
        return Purge(grant_path(*key), gone.model_copy(update={"purged": True}), seen.grant.version), None
    return None, None


def forget(account: SubscriptionAccount, grant: GrantRecord, now: datetime) -> ForgottenGrant:
    """Return what stays of a grant that is revoked now."""
    at = now.replace(microsecond=0)
    profile = account.spec.oauth
    tellable = profile is not None and profile.revocation_endpoint is not None
    bound = profile is not None and token_origin(profile) in grant.token_origins
    outcome, waiting = no_endpoint(account), grant.revoking
    if tellable and bound:
        outcome = ""
        waiting = (
            *waiting,
            Revoking(
                grant_id=grant.grant_id,
                access_token=grant.access_token,
                refresh_token=grant.refresh_token,
                token_origins=grant.token_origins,
                since=at,
            ),
        )
    return ForgottenGrant(
        forgotten_grant=grant.grant_id,
        forgotten_at=at,
        outcome=outcome,
        imports=grant.imports,
        revoking=waiting[-_REMEMBERED:],
        revoked=(*grant.revoked, grant.grant_id)[-_REMEMBERED:],
    )


def no_endpoint(account: SubscriptionAccount) -> str:
    """Return what to do where the vendor cannot be told."""
    return f"the vendor has no way to revoke it from here: {owner_ends_it(account)}"


def owner_ends_it(account: SubscriptionAccount) -> str:
    """Return where its owner ends a grant."""
    return f"its holder, {account.spec.owner.email}, ends it in the account settings at the vendor, under authorized applications"


def told(gone: ForgottenGrant) -> Note:
    """Return the Event of a grant that was just forgotten."""
    text = f"grant {gone.forgotten_grant} was revoked and forgotten"
    if gone.outcome:
        return Note("Warning", ConditionReason.REVOKED, ACTION, f"{text}; {gone.outcome}")
    return Note("Normal", ConditionReason.REVOKED, ACTION, f"{text}; the vendor is told next")


def reason(gone: ForgottenGrant) -> ConditionReason:
    """Return the condition's reason of a revoked grant: ``Revoking`` until the vendor is told, or cannot be."""
    return ConditionReason.REVOKED if _untold(gone) is None else ConditionReason.REVOKING


def message(gone: ForgottenGrant) -> str:
    """Return what the condition says of a revoked grant."""
    text = f"grant {gone.forgotten_grant} was revoked at {rfc3339(gone.forgotten_at)}"
    pending = _untold(gone)
    if pending is not None:
        tried = f" ({pending.attempts} of {MOST_ATTEMPTS} attempts made)" if pending.attempts else ""
        text += f"; the vendor is being told{tried}"
    elif gone.outcome:
        text += f"; {gone.outcome}"
    again = "sign in again (headgate account login), or import a new credential file"
    return f"{text}. To use the account again, {again}; what was imported before is not imported again"


def told_already(now: Observation, before: Sequence[Condition]) -> bool:
    """Tell whether whoever told the vendor has posted the Event of what a condition says now."""
    was = next((condition.reason for condition in before if condition.type == now.type), None)
    return (was, now.reason) == (ConditionReason.REVOKING, ConditionReason.REVOKED)


def _untold(gone: ForgottenGrant) -> Revoking | None:
    return next((r for r in gone.revoking if r.grant_id == gone.forgotten_grant), None)


def waiting(record: GrantRecord | ForgottenGrant | None) -> tuple[Revoking, ...]:
    """Return the grants that the vendor has yet to be told of."""
    return record.revoking if record is not None else ()


def due(item: Revoking, now: datetime) -> bool:
    """Tell whether the vendor is to be told now (or, after the last attempt, that it could not be)."""
    return item.not_before is None or now >= item.not_before


def look_again(seen: ObservedAccount, now: datetime) -> float | None:
    """Return the seconds until the vendor is to be told, or asked again; None: there is nothing to tell."""
    waits = [
        _AGAIN_SECONDS if item.not_before is None or due(item, now) else (item.not_before - now).total_seconds()
        for item in waiting(seen.grant.record or seen.grant.forgotten)
    ]
    claim = under_way(seen.grant.record, now) if seen.grant.record is not None else None
    if claim is not None and seen.grant.record is not None and being_revoked(seen.account, seen.grant.record):
        waits.append((claim - now).total_seconds())
    return min(waits, default=None)


def attempted(record: GrantRecord | ForgottenGrant, grant_id: str, now: datetime) -> GrantRecord | ForgottenGrant:
    """Return the record with one more attempt counted, before the vendor is asked."""
    return record.model_copy(
        update={
            "revoking": tuple(
                item.model_copy(
                    update={
                        "attempts": item.attempts + 1,
                        "not_before": now + FIRST_WAIT * (1 << min(item.attempts, 10)),
                    }
                )
                if item.grant_id == grant_id
                else item
                for item in record.revoking
            )
        }
    )


def settled(record: GrantRecord | ForgottenGrant, grant_id: str, outcome: str) -> GrantRecord | ForgottenGrant | None:
    """Return the record when nothing more is to be done about a grant at the vendor; None: it stands so already."""
    left = tuple(item for item in record.revoking if item.grant_id != grant_id)
    if left == record.revoking:
        return None
    update: dict[str, object] = {"revoking": left}
    if isinstance(record, ForgottenGrant) and record.forgotten_grant == grant_id:
        update["outcome"] = outcome
    return record.model_copy(update=update)
