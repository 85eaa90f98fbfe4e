"""The plan of a SubscriptionAccount: observed state and time in, the next step or the final status out."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from headgate_api import names
from headgate_api.reasons import ConditionReason, ConditionType
from headgate_api.resources import SubscriptionAccountStatus
from headgate_api.resources.base import Condition, Observation, merge_conditions
from headgate_operator.account import revoking
from headgate_operator.account.acknowledged import acknowledged
from headgate_operator.account.deletion import deletion
from headgate_operator.account.grant import GrantPlan, grant_plan
from headgate_operator.account.observed import ObservedAccount
from headgate_operator.account.refreshing import asked_for, refreshing
from headgate_operator.account.signing import sign_in, sign_in_notes
from headgate_operator.credentials.plan import (
    RECHECK_SECONDS,
    AddFinalizer,
    Plan,
    WriteRecord,
    notes_on_change,
    retry_in,
    soonest,
)
from headgate_operator.credentials.settled import changed_status
from headgate_operator.delivery.assemble import account_entry
from headgate_operator.limits.shown import shown
from headgate_operator.revisions.shown import account_condition, programmed_as

_TOLD: Final = {
    ConditionType.ACKNOWLEDGED: True,
    ConditionType.CREDENTIAL_VALID: True,
    ConditionType.SUSPENDED: False,
    ConditionType.REFRESH_HEALTHY: True,
    ConditionType.WITHIN_LIMITS: True,
}
"""The conditions whose changes become Events, and the status that is good news."""


def plan(seen: ObservedAccount, now: datetime) -> Plan:
    """Return the next step for an account."""
    metadata = seen.account.metadata
    if metadata.deletion_timestamp is not None:
        return deletion(seen, now)
    if names.FINALIZER not in metadata.finalizers:
        return Plan(AddFinalizer())
    grant = grant_plan(seen, now)
    if isinstance(grant.action, WriteRecord) and not grant.revokes:
        return Plan(grant.action, notes=(grant.note,) if grant.note is not None else ())
    return _settled(seen, grant, now)


def _settled(seen: ObservedAccount, grant: GrantPlan, now: datetime) -> Plan:
    account, before = seen.account, seen.account.status.conditions
    acknowledgement, suspended = acknowledged(account), _suspended(seen)
    renewal = refreshing(seen, now)
    limits = shown(account, _grant_id(grant), seen.limits, now)
    told = account.status.model_copy(update={"credential": grant.status})
    told_account = account.model_copy(update={"status": told})
    now_served = account_entry(told_account, seen.guard)
    programmed = programmed_as(seen.programmed(now_served), seen.guard)
    stable = account_condition(seen.guard, told_account)
    delivered = stable if stable is not None and now_served.stable is None else programmed
    observations = (
        _ready(seen, acknowledgement, suspended, grant.valid, delivered, before),
        acknowledgement,
        grant.valid,
        programmed,
        suspended,
        *((stable,) if stable is not None else ()),
        *renewal.observations,
        *limits.observations,
    )
    signed = sign_in(seen)
    status = SubscriptionAccountStatus(
        observed_generation=account.metadata.generation,
        expires_at=grant.expires_at,
        credential=grant.status,
        sign_in=signed,
        conditions=merge_conditions(before, observations, generation=account.metadata.generation, now=now),
    )
    status = limits.into(renewal.into(status))
    expiry = grant.expires_at
    untold = [seen_now for seen_now in observations if not revoking.told_already(seen_now, before)]
    notes = (*sign_in_notes(seen), *asked_for(seen, renewal), *notes_on_change(before, untold, _TOLD))
    return Plan(
        grant.action,
        notes=(*notes, grant.note) if grant.note is not None else notes,
        status=changed_status(seen.body, status),
        requeue=soonest(
            RECHECK_SECONDS if account.spec.credential.import_secret_ref is not None else None,
            None if grant.valid.status else retry_in(before, ConditionType.CREDENTIAL_VALID, now),
            (expiry - now).total_seconds() if expiry is not None and expiry > now else None,
            renewal.look_again,
            limits.look_again,
            revoking.look_again(seen, now),
        ),
    )


def _grant_id(grant: GrantPlan) -> str | None:
    return grant.status.grant_id if grant.status is not None else None


def _suspended(seen: ObservedAccount) -> Observation:
    if seen.account.spec.suspend:
        text = "spec.suspend is true: neither requests nor refreshes use the account; set it to false to resume"
        return Observation(ConditionType.SUSPENDED, True, ConditionReason.SUSPENDED, text)
    return Observation(ConditionType.SUSPENDED, False, ConditionReason.ACTIVE, "not suspended")


def _ready(
    seen: ObservedAccount,
    acknowledgement: Observation,
    suspended: Observation,
    valid: Observation,
    delivered: Observation,
    before: Sequence[Condition],
) -> Observation:
    """Return Ready: the first thing in the way, or True. While Vault is away, Ready stays as it was."""
    name = seen.account.spec.provider_ref.name
    if seen.provider_unreadable:
        text = f"LLMProvider {name} cannot be read; its own conditions name the field to correct"
        return Observation(ConditionType.READY, False, ConditionReason.SPEC_INVALID, text)
    if seen.provider is None:
        text = f"LLMProvider {name} does not exist in this namespace; create it, or make an account that names another"
        return Observation(ConditionType.READY, False, ConditionReason.PROVIDER_NOT_FOUND, text)
    if not acknowledgement.status:
        return Observation(ConditionType.READY, False, acknowledgement.reason, acknowledgement.message)
    if suspended.status:
        return Observation(ConditionType.READY, False, suspended.reason, suspended.message)
    if valid.status is None:
        last = next((c for c in before if c.type == ConditionType.READY), None)
        was_ready = last is not None and last.status == "True"
        return Observation(ConditionType.READY, was_ready, valid.reason, f"as last known; {valid.message}")
    if not valid.status:
        return Observation(ConditionType.READY, False, valid.reason, valid.message)
    if not delivered.status:
        return Observation(ConditionType.READY, False, delivered.reason, f"{delivered.type.value}: {delivered.message}")
    return Observation(ConditionType.READY, True, ConditionReason.READY, "requests may use this account")
