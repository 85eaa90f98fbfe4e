"""What an account's status says of its last sign-in: found out from the grant, whoever stored it and whether they told."""

from headgate_api.reasons import ConditionReason
from headgate_api.resources.subscriptionaccount import SignInRecord
from headgate_api.vault import GrantRecord
from headgate_operator.account.observed import ObservedAccount
from headgate_operator.credentials.plan import Note

ACTION = "SignIn"


def sign_in(seen: ObservedAccount) -> SignInRecord | None:
    """Return the last sign-in that brought a grant; it stays when something else replaced that grant."""
    grant = seen.grant.record
    if grant is None or grant.sign_in is None:
        return seen.account.status.sign_in
    return SignInRecord(by=grant.sign_in.by, at=grant.sign_in.at, grant_id=grant.grant_id)


def sign_in_notes(seen: ObservedAccount) -> tuple[Note, ...]:
    """Return the Event of a sign-in that status does not know of yet: whoever stored the grant could not tell of it."""
    grant, known = seen.grant.record, seen.account.status.sign_in
    if grant is None or grant.sign_in is None or (known is not None and known.grant_id == grant.grant_id):
        return ()
    return (Note("Normal", ConditionReason.SIGNED_IN, ACTION, signed_in_message(grant)),)


def signed_in_message(grant: GrantRecord) -> str:
    """Return the Event's text, the same whoever posts it."""
    by = grant.sign_in.by if grant.sign_in is not None else "somebody"
    return f"{by} signed in; grant {grant.grant_id} is in Vault"
