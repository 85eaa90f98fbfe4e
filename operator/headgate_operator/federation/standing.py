"""How the WorkloadIdentity mode of a provider stands, and what is to be done for the tokens of all its forms. All pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from headgate_api.clock import rfc3339
from headgate_api.reasons import AuthMode, ConditionReason, SkipReason
from headgate_api.report import CredentialObservation
from headgate_api.resources.llmprovider import CredentialStatus, FormerGrant
from headgate_api.vault import FederatedRecord, federated_path
from headgate_operator.credentials.observe import trouble_reason
from headgate_operator.credentials.plan import Note, soonest
from headgate_operator.credentials.store import Stored
from headgate_operator.engine.keys import Key
from headgate_operator.federation.settings import Federation, versions_in
from headgate_operator.federation.verdict import Trouble, judge
from headgate_operator.provider.modes import ModeState, lasting
from headgate_operator.refresh.verdict import Rest
from headgate_runtime.vault_errors import VaultError

MOST_FORMER: Final = 8
"""Tokens of settings that no form has any more are left to their end, but not more than these."""
_AGAIN_SECONDS: Final = 15.0
_MODE: Final = AuthMode.WORKLOAD_IDENTITY


@dataclass(frozen=True, slots=True)
class ObservedTokens:
    """The tokens of one provider. ``wanted``: of the live form first (``live``), then of those that a rollout serves.

    ``records``: by grant, wanted or known from status; ``trouble``: why Vault could not be asked, the records are then unknown.
    ``verdict``: what the upstream last said of the live form's token.
    """

    provider: Key
    live: Federation | None = None
    wanted: tuple[Federation, ...] = ()
    records: Mapping[str, Stored[FederatedRecord]] = field(default_factory=dict)
    troubles: Mapping[Key, Trouble] = field(default_factory=dict)
    known: CredentialStatus | None = None
    trouble: VaultError | None = None
    verdict: CredentialObservation | None = None

    @property
    def paths(self) -> tuple[str, ...]:
        """Return the paths at which there is anything."""
        found = (grant for grant, stored in sorted(self.records.items()) if stored.version)
        return tuple(federated_path(self.provider.namespace, self.provider.name, grant) for grant in found)


@dataclass(frozen=True, slots=True)
class TokensPlan:
    """``delete``: records that nobody needs; ``due``: exchange now; ``state``: of the live form's mode, where it lists it."""

    state: ModeState | None = None
    status: CredentialStatus | None = None
    delete: tuple[str, ...] = ()
    due: tuple[Federation, ...] = ()
    look_again: float | None = None
    notes: tuple[Note, ...] = ()


def tokens_plan(seen: ObservedTokens, listed: Sequence[AuthMode], now: datetime) -> TokensPlan:
    """Return what to do and to say; ``listed``: the live form's modes."""
    here = _MODE in listed
    if seen.trouble is not None:
        state = _vault_away(seen, seen.trouble) if here else None
        return TokensPlan(state, seen.known, look_again=_AGAIN_SECONDS if seen.wanted else None)
    due, waits = [], []
    for federation in seen.wanted:
        stored = seen.records.get(federation.grant_id, Stored(None, 0))
        if stored.invalid is not None:
            continue
        verdict = judge(stored.record, seen.troubles.get(federation.key), now)
        if isinstance(verdict, Rest):
            waits.append((verdict.until - now).total_seconds() if verdict.until is not None else None)
        else:
            due.append(federation)
    former, delete, left = _former(seen, now)
    state = _state(seen, now) if here else None
    return TokensPlan(
        state=state,
        status=_status(seen, former),
        delete=delete,
        due=tuple(due),
        look_again=soonest(_AGAIN_SECONDS if due else None, *waits, left),
        notes=_notes(seen),
    )


def _state(seen: ObservedTokens, now: datetime) -> ModeState:
    if seen.live is None:
        return _mode(False, ConditionReason.SPEC_INVALID, "spec.endpoint is no URL that a token could be bound to")
    stored = seen.records.get(seen.live.grant_id, Stored(None, 0))
    if stored.invalid is not None:
        text = (
            f"Vault record {seen.live.path} cannot be used: {stored.invalid}; delete it, and a new token is exchanged"
        )
        return _mode(False, ConditionReason.RECORD_INVALID, text)
    record, trouble = stored.record, seen.troubles.get(seen.live.key)
    again = f"{trouble.message}; tried again at {rfc3339(trouble.not_before)}" if trouble is not None else ""
    if record is None:
        if trouble is not None:
            return _mode(False, trouble.reason, again)
        text = f"a token of ServiceAccount {seen.live.auth.service_account_name} is being exchanged"
        return _mode(False, ConditionReason.PENDING, text)
    ends = f"until {rfc3339(record.expires_at)}" if record.expires_at is not None else "until the vendor refuses it"
    if record.expires_at is not None and record.expires_at <= now:
        over = f"the token ended at {rfc3339(record.expires_at)}"
        if trouble is not None:
            return _mode(False, trouble.reason, f"{over}. {again}")
        return _mode(False, ConditionReason.EXPIRED, f"{over}; a new one is being exchanged")
    refused = lasting(seen.verdict) if seen.verdict is not None and seen.verdict.version == stored.version else None
    if refused is not None:
        text = f"the vendor refuses the token it issued at {rfc3339(record.obtained_at)} ({refused.value})"
        mend = again or (
            "check spec.endpoint, and that the service account may use this API"
            if refused is SkipReason.UNSUPPORTED
            else "the next request that meets it has another exchanged"
        )
        return _mode(False, refused.value, f"{text}; {mend}")
    if trouble is not None:
        return _mode(None, trouble.reason, f"{again}. The present one serves {ends}")
    return _mode(True, ConditionReason.VALID, f"exchanged at {rfc3339(record.obtained_at)}, serves {ends}")


def _vault_away(seen: ObservedTokens, trouble: VaultError) -> ModeState:
    grant = seen.live.grant_id if seen.live is not None else ""
    version = versions_in(seen.known).get(grant)
    if version is None:
        return _mode(False, trouble_reason(trouble), f"nothing is exchanged meanwhile: {trouble}")
    return _mode(
        None,
        trouble_reason(trouble),
        f"{trouble}. Proxies go on with version {version}; nothing is exchanged meanwhile",
    )


def _former(seen: ObservedTokens, now: datetime) -> tuple[tuple[FormerGrant, ...], tuple[str, ...], float | None]:
    """Return the other grants whose tokens are kept, the paths to delete, and seconds until there will be more of these."""
    needed = {federation.grant_id for federation in seen.wanted}
    live = seen.live.grant_id if seen.live is not None else None
    kept: list[FormerGrant] = []
    delete: list[str] = []
    left: list[float] = []
    for grant in _by_age(seen):
        stored = seen.records[grant]
        if grant == live or not stored.version:
            continue
        ends = stored.record.expires_at if stored.record is not None else None
        lasts = ends is not None and ends > now and len(kept) < MOST_FORMER
        if grant in needed or lasts:
            kept.append(FormerGrant(grant_id=grant, version=stored.version))
            if grant not in needed and ends is not None:
                left.append((ends - now).total_seconds())
        else:
            delete.append(federated_path(seen.provider.namespace, seen.provider.name, grant))
    return tuple(kept), tuple(delete), soonest(*left)


def _by_age(seen: ObservedTokens) -> list[str]:
    """Return all grants: those that are needed first, then those replaced lately."""
    known = versions_in(seen.known)
    latest = [seen.known.grant_id] if seen.known is not None and seen.known.grant_id is not None else []
    order = [*(federation.grant_id for federation in seen.wanted), *latest, *known, *sorted(seen.records)]
    return [grant for grant in dict.fromkeys(order) if grant in seen.records]


def _status(seen: ObservedTokens, former: tuple[FormerGrant, ...]) -> CredentialStatus | None:
    if seen.live is None and not former:
        return None
    if seen.live is None:
        return CredentialStatus(former_grants=former)
    stored = seen.records.get(seen.live.grant_id, Stored(None, 0))
    record = stored.record
    return CredentialStatus(
        version=stored.version if record is not None else None,
        grant_id=seen.live.grant_id,
        former_grants=former,
        origins=record.origins if record is not None else (),
    )


def _notes(seen: ObservedTokens) -> tuple[Note, ...]:
    """Return an Event about an exchange that fails: the condition may be True all the same, by another mode."""
    trouble = seen.troubles.get(seen.live.key) if seen.live is not None else None
    return (Note("Warning", trouble.reason, "Exchange", trouble.message),) if trouble is not None else ()


def _mode(usable: bool | None, reason: ConditionReason | str, message: str) -> ModeState:
    return ModeState(_MODE, usable, reason, message)
