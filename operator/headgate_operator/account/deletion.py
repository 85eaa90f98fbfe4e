"""What deleting an account does to its grant: deletionPolicy carried out, whatever the vendor does, within minutes. Pure."""

from dataclasses import replace
from datetime import datetime

from headgate_api import names
from headgate_api.reasons import ConditionReason
from headgate_api.vault import ForgottenGrant, access_path, grant_path
from headgate_operator.account import revoking
from headgate_operator.account.observed import ObservedAccount
from headgate_operator.credentials.plan import DeleteRecords, Note, Plan, RemoveFinalizer, WriteRecord
from headgate_operator.credentials.settled import deletion_waits, waits

_SOON_SECONDS = 15.0


def deletion(seen: ObservedAccount, now: datetime) -> Plan:
    """Return the next step. Retain asks nothing of Vault; Revoke takes the token from the proxies first, then tells the vendor."""
    account = seen.account
    if names.FINALIZER not in account.metadata.finalizers:
        return Plan()
    access, grant = access_path(*account.key), grant_path(*account.key)
    if account.spec.deletion_policy == "Retain":
        text = f"the grant stays in Vault at {grant}; an account of this name will use it again (deletionPolicy Retain)"
        return Plan(RemoveFinalizer(), notes=(Note("Normal", ConditionReason.RETAINED, "Delete", text),))
    if seen.trouble is not None:
        return deletion_waits(
            seen.body, account, f"deletion waits until the grant at {grant} can be deleted", seen.trouble, now
        )
    held = seen.grant.record
    if held is not None:
        gone = revoking.forget(account, held, now)
        if not gone.revoking:
            return Plan(DeleteRecords((access, grant)), notes=(_forgotten(seen, gone),))
        if seen.access.version:
            return Plan(DeleteRecords((access,)))
        if revoking.under_way(held, now) is not None:
            return _waiting(
                seen, "a refresh that is under way ends first, so that none of its tokens is forgotten", now
            )
        return Plan(WriteRecord(grant, gone, seen.grant.version))
    told = seen.grant.forgotten
    if told is not None and told.revoking and not _too_long(seen, now):
        return _waiting(seen, "the vendor is being told that the grant is revoked", now)
    if seen.access.version or seen.grant.version:
        return Plan(DeleteRecords((access, grant)), notes=(_forgotten(seen, told),) if told is not None else ())
    return Plan(RemoveFinalizer())


def _forgotten(seen: ObservedAccount, gone: ForgottenGrant) -> Note:
    text = "the grant was deleted from Vault (deletionPolicy Revoke)"
    if gone.revoking:
        text += f"; the vendor could not be told in time: {revoking.owner_ends_it(seen.account)}"
        return Note("Warning", ConditionReason.FORGOTTEN, "Delete", text)
    return Note("Normal", ConditionReason.FORGOTTEN, "Delete", f"{text}; {gone.outcome}" if gone.outcome else text)


def _waiting(seen: ObservedAccount, cause: str, now: datetime) -> Plan:
    text = (
        f"deletion waits, a few minutes at most: {cause}. To let the object go, remove the finalizer {names.FINALIZER}"
    )
    plan = waits(seen.body, seen.account, ConditionReason.REVOKED, text, now)
    return replace(plan, requeue=min(_SOON_SECONDS, plan.requeue or _SOON_SECONDS))


def _too_long(seen: ObservedAccount, now: datetime) -> bool:
    since = seen.account.metadata.deletion_timestamp
    return since is None or now >= since + revoking.DELETION_WAITS
