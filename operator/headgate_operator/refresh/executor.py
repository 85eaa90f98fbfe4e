"""One refresh from beginning to end: look, claim, ask the vendor once, store what it gave, then let proxies read it.

Whatever breaks off in between leaves a claim that tells the next operator what may have happened. Nothing is asked of the
vendor unless Vault has just taken that claim, so there is always somewhere to put the answer.
"""

import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol, TypeAlias

from headgate_api.clock import Clock
from headgate_api.reasons import ConditionReason
from headgate_api.redaction import Redactor
from headgate_api.refresh import RefreshClaim
from headgate_api.resources import OAuthProfile
from headgate_api.vault import GrantRecord
from headgate_operator.credentials.observe import trouble_reason
from headgate_operator.credentials.store import Stored
from headgate_operator.engine.keys import Key
from headgate_operator.oauth import requests
from headgate_operator.oauth.answers import HttpAnswer, token_outcome
from headgate_operator.oauth.http import AnswerLost, NotSent
from headgate_operator.oauth.outcomes import ClientRefused, Granted, Pending, SlowDown, Terminal, Transient
from headgate_operator.oauth.requests import OAuthRequest
from headgate_operator.reading import Unreadable
from headgate_operator.refresh.ledger import Ledger
from headgate_operator.refresh.metrics import RefreshMetrics
from headgate_operator.refresh.records import ASK_WITHIN_SECONDS, Abandoned, Outcome, claimed, concluded
from headgate_operator.refresh.subject import NoClient, Subject, Subjects
from headgate_operator.refresh.verdict import Attempt, Rest, being_revoked, judge
from headgate_runtime.kube import KubeError, KubeUnavailable
from headgate_runtime.vault import CasMismatch, VaultError

_SOON: Final = timedelta(seconds=1)
_LATER: Final = timedelta(seconds=30)
_REMEMBERED_CLAIMS: Final = 10_000
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Renewed:
    """The account has this access token now. ``version`` None: it is stored, and published at the next look."""

    generation: int
    version: int | None
    expires_at: datetime | None


Result: TypeAlias = Renewed | Rest


class Sender(Protocol):
    """``OAuthHttp``, or what stands in for it."""

    async def send(
        self,
        request: OAuthRequest,
        *,
        origins: tuple[str, ...],
        private_addresses: bool,
        last_check: Callable[[], None],
    ) -> HttpAnswer:
        """Carry one request; see ``OAuthHttp.send``."""


class TooLate(Exception):  # noqa: N818 - a state
    """This process leads no more, or so much time has passed since the claim that it may no longer be its own."""


class RefreshExecutor:
    """Refreshes one account at a time per call; ``holder`` names this process in claims, ``fence`` raises where it must not act."""

    def __init__(
        self,
        subjects: Subjects,
        ledger: Ledger,
        http: Sender,
        *,
        clock: Clock,
        holder: str,
        fence: Callable[[], None],
        metrics: RefreshMetrics,
        redactor: Redactor,
    ) -> None:
        self._subjects = subjects
        self._ledger = ledger
        self._http = http
        self._clock = clock
        self._holder = holder
        self._fence = fence
        self._metrics = metrics
        self._redactor = redactor
        self._seen: dict[str, float] = {}

    async def refresh(self, key: Key, refused: int | None = None) -> Result:
        """Look at an account and refresh it where that is due, or where generation ``refused`` is still the latest.

        Raises nothing: whatever stands in the way is a ``Rest``.
        """
        try:
            subject = await self._subjects.read(key)
            if subject is None:
                return Rest(None, False, ConditionReason.CREDENTIAL_NOT_FOUND, f"{key} does not exist")
            stored = await self._ledger.read(key)
        except VaultError as error:
            return self._rest(_LATER, trouble_reason(error), str(error))
        except (KubeError, KubeUnavailable, Unreadable) as error:
            return self._rest(_LATER, ConditionReason.UNAVAILABLE, str(error))
        newer = refused is not None and stored.record is not None and stored.record.generation > refused
        if newer and stored.record is not None and not being_revoked(subject.account, stored.record):
            return await self._renewed(key, stored.record)
        verdict = judge(
            subject.account,
            stored.record,
            self._clock.now(),
            refused=refused,
            claim_seen_for=self._seen_for(stored.record),
        )
        profile = subject.account.spec.oauth
        if isinstance(verdict, Rest) or stored.record is None or profile is None:
            return (
                verdict
                if isinstance(verdict, Rest)
                else self._rest(_LATER, ConditionReason.UNAVAILABLE, "nothing to do")
            )
        return await self._attempt(key, subject, profile, stored.record, stored.version, verdict)

    async def _attempt(
        self, key: Key, subject: Subject, profile: OAuthProfile, grant: GrantRecord, version: int, verdict: Attempt
    ) -> Result:
        try:
            self._fence()
        except Exception as error:
            return self._rest(_SOON, ConditionReason.UNAVAILABLE, f"nothing was asked of the vendor: {error}")
        began = self._clock.monotonic()
        record = claimed(grant, holder=self._holder, attempt=uuid.uuid4().hex, now=self._clock.now())
        try:
            version = await self._ledger.claim(key, record, version)
        except CasMismatch:
            return self._rest(_SOON, ConditionReason.REFRESHING, "another writer was first; looking again")
        except VaultError as error:
            # Perhaps it was written: then it is found as a claim, and waited out. The vendor was not asked.
            return self._rest(_LATER, trouble_reason(error), f"nothing was asked of the vendor: {error}")
        claim = record.refresh.claim
        if claim is None:
            raise AssertionError("a claim was just made")
        outcome = await self._ask(key, subject, profile, record, claim, began)
        return await self._conclude(key, profile, Stored(record, version), claim, outcome, verdict)

    async def _ask(
        self, key: Key, subject: Subject, profile: OAuthProfile, grant: GrantRecord, claim: RefreshClaim, began: float
    ) -> Outcome:
        """Ask the vendor, once. Whatever goes wrong is an outcome."""

        def last_check() -> None:
            try:
                self._fence()
            except Exception:
                raise TooLate from None
            waited = self._clock.monotonic() - began
            slept = (self._clock.now() - claim.since).total_seconds()
            if max(waited, slept) > ASK_WITHIN_SECONDS:
                raise TooLate

        if grant.refresh_token is None:
            return Abandoned()
        try:
            client = await self._subjects.client(key.namespace, profile)
            request = requests.refresh(client, grant.refresh_token)
            answer = await self._http.send(
                request,
                origins=grant.token_origins,
                private_addresses=subject.private_addresses,
                last_check=last_check,
            )
        except NoClient as error:
            return ClientRefused(str(error))
        except (KubeError, KubeUnavailable) as error:
            return Transient(f"the client secret cannot be read: {error}")
        except NotSent as error:
            return Transient(str(error))
        except AnswerLost as error:
            return Transient(str(error), uncertain=True)
        except TooLate:
            return Abandoned()
        except Exception:
            _log.exception("%s: a refresh failed in an unforeseen way", key)
            return Transient("the refresh failed in an unforeseen way; see the operator's log", uncertain=True)
        outcome = token_outcome(answer, self._clock.now())
        if isinstance(outcome, Pending | SlowDown):
            return Transient("the vendor's answer is one for device codes; check spec.oauth.tokenEndpoint")
        return outcome

    async def _conclude(
        self,
        key: Key,
        profile: OAuthProfile,
        known: Stored[GrantRecord],
        claim: RefreshClaim,
        outcome: Outcome,
        verdict: Attempt,
    ) -> Result:
        def conclusion(stored: GrantRecord) -> GrantRecord | None:
            return concluded(
                stored,
                claim,
                outcome,
                profile=profile,
                now=self._clock.now(),
                interrupted=verdict.interrupted,
                forced=verdict.forced,
            )

        self._metrics.refreshes.labels(type(outcome).__name__).inc()
        if isinstance(outcome, Granted):
            for token in (outcome.access_token, outcome.refresh_token, outcome.id_token):
                if token is not None:
                    self._redactor.remember(token)
            with self._metrics.unsaved.track_inprogress():
                written = await self._ledger.conclude(key, known, conclusion)
        else:
            written = await self._ledger.conclude(key, known, conclusion)
        if written.grant is None:
            return Rest(
                None, False, ConditionReason.CREDENTIAL_NOT_FOUND, "the grant was deleted while it was refreshed"
            )
        if isinstance(outcome, Granted):
            return await self._renewed(key, written.grant)
        return self._told(written.grant, outcome)

    async def _renewed(self, key: Key, grant: GrantRecord) -> Renewed:
        return Renewed(grant.generation, await self._ledger.publish(key, grant), grant.expires_at)

    def _told(self, grant: GrantRecord, outcome: Outcome) -> Rest:
        state = grant.refresh
        until = max((t for t in (state.not_before, state.claim.until if state.claim else None) if t), default=None)
        match outcome:
            case Terminal():
                reason, healthy = ConditionReason.REAUTHENTICATION_REQUIRED, False
                return Rest(None, healthy, reason, state.problem or outcome.what)
            case ClientRefused():
                return Rest(until, False, ConditionReason.CLIENT_REFUSED, outcome.what)
            case Transient():
                limited = ConditionReason.VENDOR_RATE_LIMITED if outcome.limited else ConditionReason.VENDOR_UNAVAILABLE
                return Rest(until, None, limited, outcome.what)
            case _:
                return self._rest(_SOON, ConditionReason.UNAVAILABLE, "the vendor was not asked; looking again")

    def _rest(self, wait: timedelta, reason: ConditionReason, message: str) -> Rest:
        return Rest(self._clock.now() + wait, None, reason, message)

    def _seen_for(self, grant: GrantRecord | None) -> float:
        """Return for how many seconds this process has known the claim that stands in a grant."""
        claim = grant.refresh.claim if grant is not None else None
        if claim is None:
            return 0.0
        now = self._clock.monotonic()
        if len(self._seen) >= _REMEMBERED_CLAIMS:
            self._seen.clear()  # costs some claims a few seconds more
        return now - self._seen.setdefault(claim.attempt, now)
