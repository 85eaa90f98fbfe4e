"""The grant of an account: what to do about it next, and whether it is valid as it stands.

The grant is written first, the access record (all that proxies see) is then derived from it, and the Secret is emptied
last, once the grant has been read back: a crash anywhere in between leaves something the next look completes.
"""

from dataclasses import dataclass
from datetime import datetime

from headgate_api import names
from headgate_api.clock import rfc3339
from headgate_api.reasons import ConditionReason, ConditionType
from headgate_api.resources.base import Observation, SecretKeyRef
from headgate_api.resources.llmprovider import CredentialStatus, FormerGrant
from headgate_api.vault import GrantRecord, access_path, grant_path
from headgate_operator.account import revoking
from headgate_operator.account.binding import bound_at_import, rebound
from headgate_operator.account.observed import ObservedAccount
from headgate_operator.credentials.content import ContentError, PlanCredential, parse_file, sign_out_warning
from headgate_operator.credentials.decide import (
    Confirmed,
    Import,
    ImportDecision,
    Question,
    Refused,
    WidenOrigins,
    decide,
    import_id,
    source,
)
from headgate_operator.credentials.observe import trouble_reason
from headgate_operator.credentials.plan import Action, EmptySecret, Note, WriteRecord
from headgate_operator.provider.acceptance import plan_origin
from headgate_operator.provider.modes import lasting
from headgate_operator.refresh.verdict import being_revoked

_GRANT_ID_DIGITS = 16
_FORMER_GRANTS = 8
_NEW_CONTENT = (ConditionReason.SECRET_INVALID, ConditionReason.SECRET_FORBIDDEN, ConditionReason.ORIGIN_NOT_BOUND)
_RENEWED = "condition RefreshHealthy says what becomes of it"


@dataclass(frozen=True, slots=True)
class GrantPlan:
    """The next write; or the CredentialValid condition and what status says, which stands before a Secret is emptied."""

    action: Action | None
    note: Note | None
    valid: Observation
    status: CredentialStatus | None
    expires_at: datetime | None
    revokes: bool = False
    """The write is a step of a revocation: status, which takes the token from the proxies, goes before it."""


def grant_plan(seen: ObservedAccount, now: datetime) -> GrantPlan:
    """Return the next step for an account's grant."""
    account = seen.account
    if seen.trouble is not None:
        return _unknown(seen, now)
    step, told = revoking.next_step(seen, now)
    if step is not None:
        pending = _valid(False, ConditionReason.REVOKING, "being revoked")
        return GrantPlan(step, told, pending, _revoked_status(seen), None, revokes=True)
    held = seen.grant.record
    if held is not None and being_revoked(account, held):
        text = "being revoked; a refresh that is under way ends first, so that none of its tokens is forgotten"
        return GrantPlan(None, None, _valid(False, ConditionReason.REVOKING, text), _revoked_status(seen), None)
    content, problem = _content(seen)
    identity = None
    if content is not None and seen.hash_key is not None:
        identity = import_id(seen.hash_key, content.identity())
    known = account.status.credential
    asked = Question(
        namespace=account.metadata.namespace,
        path=grant_path(*account.key),
        ref=_ref(seen),
        secret=seen.secret,
        import_id=identity,
        content_problem=problem,
        held=seen.grant.held(),
        origin=plan_origin(seen.provider) if seen.provider is not None else None,
        imported_from=known.imported_from if known is not None else None,
    )
    decision = decide(asked)
    action, note = _next(seen, asked, decision, content, now)
    if action is not None:
        pending = _valid(False, ConditionReason.PENDING, "being stored in Vault")
        return GrantPlan(action, note, pending, known, account.status.expires_at)
    return _standing(seen, asked, decision, now)


def _ref(seen: ObservedAccount) -> SecretKeyRef | None:
    return seen.account.spec.credential.import_secret_ref


def _content(seen: ObservedAccount) -> tuple[PlanCredential | None, str | None]:
    if seen.secret is None:
        return None, None
    if seen.secret.problem is not None:
        return None, seen.secret.problem
    if seen.secret.content is None:
        return None, None
    try:
        content = parse_file(seen.secret.content, seen.secret.where)
    except ContentError as error:
        return None, str(error)
    spoken = seen.provider.spec.protocol if seen.provider is not None else content.protocol
    if content.protocol != spoken:
        return None, (
            f"{seen.secret.where} is a credential file of {content.product}, and LLMProvider {seen.account.spec.provider_ref.name} "
            f"speaks {spoken}; put in a file of that vendor, or name a provider of protocol {content.protocol}"
        )
    return content, None


def _next(
    seen: ObservedAccount, asked: Question, decision: ImportDecision, content: PlanCredential | None, now: datetime
) -> tuple[Action | None, Note | None]:
    grant, before = seen.grant.record, seen.grant.record or seen.grant.forgotten
    if isinstance(decision, Import) and content is not None:
        record = GrantRecord(
            origins=decision.origins,
            access_token=content.access_token,
            refresh_token=content.refresh_token,
            expires_at=content.expires_at,
            scopes=content.scopes,
            grant_id=decision.import_id[:_GRANT_ID_DIGITS],
            generation=1,
            account_id=content.account_id,
            token_origins=bound_at_import(seen),
            obtained_at=now.replace(microsecond=0),
            imports=(*asked.held.imports, decision.import_id),
            revoking=revoking.waiting(before),
            revoked=before.revoked if before is not None else (),
        )
        where = asked.secret.where if asked.secret is not None else asked.path
        note = Note(
            "Normal",
            ConditionReason.IMPORTED,
            "Import",
            f"{where} stored in Vault at {asked.path}, version {seen.grant.version + 1}"
            + (f"; {sign_out_warning(content.product)}" if content.refresh_token is not None else ""),
        )
        return WriteRecord(asked.path, record, seen.grant.version), note
    if isinstance(decision, WidenOrigins) and grant is not None:
        record = grant.model_copy(update={"origins": decision.origins})
        note = Note("Normal", ConditionReason.IMPORTED, "Bind", f"grant now bound to {', '.join(decision.origins)}")
        return WriteRecord(asked.path, record, seen.grant.version), note
    widened = rebound(seen, asked)
    if widened is not None:
        text = f"refresh token now bound to {', '.join(widened.token_origins)}"
        return WriteRecord(asked.path, widened, seen.grant.version), Note(
            "Normal", ConditionReason.IMPORTED, "Bind", text
        )
    if grant is None:
        return None, None
    if seen.access.record != grant.access():
        return WriteRecord(access_path(*seen.account.key), grant.access(), seen.access.version), None
    return None, None


def _emptying(seen: ObservedAccount, decision: ImportDecision) -> tuple[EmptySecret | None, Note | None]:
    """Return the emptying of a Secret whose content was just read back from Vault, unless something else manages it."""
    secret = seen.secret
    if not isinstance(decision, Confirmed) or not decision.holds_content or secret is None or secret.kept is not None:
        return None, None
    text = f"{secret.where} removed from the Secret: Vault holds it now"
    note = Note("Normal", ConditionReason.IMPORTED, "EmptySecret", text)
    return EmptySecret(secret.ref, secret.resource_version), note


def _standing(seen: ObservedAccount, asked: Question, decision: ImportDecision, now: datetime) -> GrantPlan:
    grant, version, gone = seen.grant.record, seen.access.version, seen.grant.forgotten
    if grant is None and gone is not None:
        refused = _valid(False, revoking.reason(gone), revoking.message(gone))
        if isinstance(decision, Refused) and decision.reason in _NEW_CONTENT:
            refused = _valid(False, decision.reason, decision.message)
        return GrantPlan(None, None, refused, _revoked_status(seen), None)
    if grant is None:
        refused = (
            _valid(False, decision.reason, decision.message)
            if isinstance(decision, Refused)
            else _valid(False, ConditionReason.CREDENTIAL_NOT_FOUND, f"Vault holds nothing at {asked.path}")
        )
        return GrantPlan(None, None, refused, None, None)
    status = _status(seen, asked, grant, version)
    expires_at = grant.expires_at
    if isinstance(decision, Refused):
        return GrantPlan(None, None, _valid(False, decision.reason, decision.message), status, expires_at)
    verdict = lasting(seen.verdict) if seen.verdict is not None and seen.verdict.version == version else None
    mend = _RENEWED if seen.account.spec.oauth is not None else _mend(asked)
    if verdict is not None:
        text = f"the vendor refuses the access token ({verdict.value}); {mend}"
        valid = _valid(False, verdict.value, text)
    else:
        bad = decision if isinstance(decision, Confirmed) and asked.content_problem else None
        also = f"; {bad.message}" if bad is not None else ""
        valid = _by_time(expires_at, now, mend, also, bad.reason if bad is not None else None)
    empty, note = _emptying(seen, decision)
    return GrantPlan(empty, note, valid, status, expires_at)


def _by_time(
    expires_at: datetime | None, now: datetime, mend: str, note: str = "", bad_secret: ConditionReason | None = None
) -> Observation:
    good = bad_secret or ConditionReason.VALID
    if expires_at is None:
        return _valid(True, good, f"the access token names no expiry{note}")
    if now >= expires_at:
        return _valid(
            False, ConditionReason.EXPIRED, f"the access token expired at {rfc3339(expires_at)}; {mend}{note}"
        )
    return _valid(True, good, f"until {rfc3339(expires_at)}{note}")


def _unknown(seen: ObservedAccount, now: datetime) -> GrantPlan:
    """Judge without Vault: by what status last said, since proxies go on with what they hold."""
    account, trouble, reason = seen.account, str(seen.trouble), trouble_reason(seen.trouble)
    known, expires_at = account.status.credential, account.status.expires_at
    asked = account.metadata.annotations.get(names.ANNOTATION_REVOKE)
    if known is not None and known.grant_id is not None and known.grant_id == asked:
        text = f"taken from the proxies; it is revoked as soon as Vault can be asked. {trouble}"
        return GrantPlan(None, None, _valid(False, ConditionReason.REVOKING, text), _revoked_status(seen), None)
    if known is None or known.version is None:
        return GrantPlan(None, None, _valid(False, reason, trouble), known, expires_at)
    if expires_at is not None and now >= expires_at:
        text = f"the access token expired at {rfc3339(expires_at)}; {trouble}"
        return GrantPlan(None, None, _valid(False, ConditionReason.EXPIRED, text), known, expires_at)
    text = f"{trouble}. Proxies go on with version {known.version}"
    return GrantPlan(None, None, _valid(None, reason, text), known, expires_at)


def _mend(asked: Question) -> str:
    if asked.ref is None:
        return (
            "sign in again (headgate account login), or name a Secret with a new credential file in "
            "spec.credential.importSecretRef"
        )
    where = f"Secret {asked.namespace}/{asked.ref.name}, key {asked.ref.key}"
    return f"sign in again (headgate account login), or put a new credential file into {where}"


def _status(seen: ObservedAccount, asked: Question, grant: GrantRecord, version: int) -> CredentialStatus:
    known = seen.account.status.credential or CredentialStatus()
    imported_from, imported_version = known.imported_from, known.imported_resource_version
    if asked.ref is not None and asked.secret is not None and asked.import_id in asked.held.imports:
        imported_from, imported_version = source(asked.ref), asked.secret.resource_version
    return CredentialStatus(
        version=version,
        grant_id=grant.grant_id,
        former_grants=_former(known, grant),
        revoked_grants=grant.revoked,
        origins=grant.origins,
        imported_from=imported_from,
        imported_resource_version=imported_version,
    )


def _revoked_status(seen: ObservedAccount) -> CredentialStatus:
    """Return what status says of a revoked grant, while it has no successor: which forms must not go on with it.

    It stands before anything else is done about a revocation: proxies lose the token with the next snapshot.
    """
    known, record, gone = seen.account.status.credential or CredentialStatus(), seen.grant.record, seen.grant.forgotten
    revoked = [*known.revoked_grants]
    if record is not None:
        revoked = [*record.revoked, record.grant_id]
    elif gone is not None:
        revoked = [*gone.revoked]
    elif known.grant_id is not None:
        revoked.append(known.grant_id)
    former = tuple(f for f in known.former_grants if f.grant_id not in revoked)
    return CredentialStatus(former_grants=former, revoked_grants=tuple(dict.fromkeys(revoked))[-_FORMER_GRANTS:])


def _former(known: CredentialStatus, grant: GrantRecord) -> tuple[FormerGrant, ...]:
    """Return the grants that this one replaced, each in the newest version that status ever told of it; not those revoked."""
    former = known.former_grants
    if known.grant_id is not None and known.version is not None:
        former = (FormerGrant(grant_id=known.grant_id, version=known.version), *former)
    kept = [f for f in former if f.grant_id != grant.grant_id and f.grant_id not in grant.revoked]
    return tuple({f.grant_id: f for f in reversed(kept)}.values())[::-1][:_FORMER_GRANTS]


def _valid(status: bool | None, reason: ConditionReason | str, message: str) -> Observation:
    return Observation(ConditionType.CREDENTIAL_VALID, status, reason, message)
