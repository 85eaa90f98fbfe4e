"""The plan of an LLMProvider: observed state and time in, the next step or the final status out."""

from datetime import datetime
from typing import Final

from headgate_api import names
from headgate_api.reasons import AuthMode, ConditionReason, ConditionType
from headgate_api.resources.base import merge_conditions
from headgate_api.resources.llmprovider import CredentialStatus, LLMProviderSpec, LLMProviderStatus
from headgate_api.snapshot import content_revision
from headgate_api.vault import api_key_path
from headgate_operator.credentials.plan import (
    RECHECK_SECONDS,
    AddFinalizer,
    DeleteRecords,
    Note,
    Plan,
    RemoveFinalizer,
    notes_on_change,
    retry_in,
    soonest,
)
from headgate_operator.credentials.settled import changed_status, deletion_waits
from headgate_operator.delivery.assemble import provider_entry
from headgate_operator.federation.standing import TokensPlan, tokens_plan
from headgate_operator.provider.acceptance import accept
from headgate_operator.provider.apikey import key_plan
from headgate_operator.provider.conditions import credentials_ready, fallback_active, ready
from headgate_operator.provider.identity import acknowledged, notes
from headgate_operator.provider.modes import ModeState, is_usable, ready_condition, selected, subscription_state
from headgate_operator.provider.observed import ObservedProvider
from headgate_operator.revisions.guard import Guard, State
from headgate_operator.revisions.shown import programmed_as, stable_condition

_TOLD: Final = {
    ConditionType.ACCEPTED: True,
    ConditionType.CREDENTIALS_READY: True,
    ConditionType.FALLBACK_ACTIVE: False,
}
"""The conditions whose changes become Events, and the status that is good news."""


def plan(seen: ObservedProvider, now: datetime) -> Plan:
    """Return the next step for a provider."""
    metadata = seen.provider.metadata
    if metadata.deletion_timestamp is not None:
        return _deletion(seen, now)
    if names.FINALIZER not in metadata.finalizers:
        return Plan(AddFinalizer())
    states: list[ModeState] = []
    key_status = None
    tokens = tokens_plan(seen.tokens, seen.provider.spec.auth.modes, now)
    if tokens.delete:
        return Plan(DeleteRecords(tokens.delete))
    for mode in seen.provider.spec.auth.modes:
        if mode is AuthMode.WORKLOAD_IDENTITY:
            states += [tokens.state] if tokens.state is not None else []
            continue
        if mode is AuthMode.SUBSCRIPTION:
            states.append(subscription_state(seen.provider, selected(seen.provider, seen.accounts)))
            continue
        key = key_plan(seen)
        if key.write is not None:
            return Plan(key.write, notes=(key.note,) if key.note is not None else ())
        states.append(key.state)
        key_status = key.status
    return _settled(seen, states, key_status, tokens, now)


def _settled(
    seen: ObservedProvider,
    states: list[ModeState],
    key_status: CredentialStatus | None,
    tokens: TokensPlan,
    now: datetime,
) -> Plan:
    spec = seen.provider.spec
    told = seen.provider.status.model_copy(update={"api_key": key_status, "workload_identity": tokens.status})
    now_served = provider_entry(seen.provider.model_copy(update={"status": told}), seen.guard)
    programmed = programmed_as(seen.programmed(now_served), seen.guard)
    stable = stable_condition(seen.guard)
    decided = acknowledged(seen.provider)
    parts = (accept(seen.provider, seen.fleets), credentials_ready(states), programmed)
    before = seen.provider.status.conditions
    served = (*parts[:2], stable) if stable is not None and now_served.stable is None else parts
    observations = (
        ready(served, before),
        *parts,
        fallback_active(spec.auth.modes, seen.fallbacks),
        *(part for part in (decided, stable) if part is not None),
    )
    accounts = None
    if AuthMode.SUBSCRIPTION in spec.auth.modes:
        conditions = [ready_condition(a) for a in selected(seen.provider, seen.accounts)]
        accounts = sum(map(is_usable, conditions))
    status = LLMProviderStatus(
        observed_generation=seen.provider.metadata.generation,
        revision=served_revision(seen.guard, spec, key_status),
        modes=",".join(mode.value for mode in spec.auth.modes),
        api_key=key_status,
        workload_identity=tokens.status,
        accounts=accounts,
        conditions=merge_conditions(before, observations, generation=seen.provider.metadata.generation, now=now),
    )
    key_state = next((s for s in states if s.mode is AuthMode.API_KEY), None)
    imports = spec.auth.api_key is not None and spec.auth.api_key.import_secret_ref is not None
    return Plan(
        notes=(*notes_on_change(before, observations, _TOLD), *tokens.notes, *notes(before, decided)),
        status=changed_status(seen.body, status),
        requeue=soonest(
            tokens.look_again,
            RECHECK_SECONDS if imports else None,
            retry_in(before, ConditionType.CREDENTIALS_READY, now) if key_state and not key_state.usable else None,
        ),
    )


def served_revision(guard: Guard, spec: LLMProviderSpec, key: CredentialStatus | None) -> str | None:
    """Return the content revision that stable traffic runs on; of a guarded provider with its accounts."""
    if guard.state is not State.UNGUARDED:
        return guard.stable.revision if guard.stable is not None else None
    return content_revision(spec.to_wire(), key.version if key is not None else None)


def _deletion(seen: ObservedProvider, now: datetime) -> Plan:
    """Delete what was imported, leave what was placed by hand, then let the object go."""
    provider = seen.provider
    if names.FINALIZER not in provider.metadata.finalizers:
        return Plan()
    path = api_key_path(*provider.key)
    if seen.tokens.paths:
        return Plan(DeleteRecords(seen.tokens.paths))
    if seen.key.trouble is not None:
        return deletion_waits(
            seen.body, provider, f"deletion waits until the API key at {path} can be dealt with", seen.key.trouble, now
        )
    latest = seen.key.latest
    imported = latest.record is not None and bool(latest.record.imports)
    deleted_by_hand = latest.record is None and latest.invalid is None and latest.version > 0
    if imported or deleted_by_hand:
        text = f"API key deleted from Vault at {path}, as its provider is; revoke it at the vendor if it must not be used again"
        return Plan(DeleteRecords((path,)), notes=(Note("Normal", ConditionReason.FORGOTTEN, "Delete", text),))
    if latest.version:
        text = f"the record at {path} was not imported by Headgate and stays in Vault"
        return Plan(RemoveFinalizer(), notes=(Note("Normal", ConditionReason.RETAINED, "Delete", text),))
    return Plan(RemoveFinalizer())
