"""One exchange from beginning to end: look, have an assertion signed, ask the vendor once, store what it gave by check-and-set.

An exchange can be repeated and takes nothing away, so it needs no claim: of two operators that exchange at once, the second finds
the first one's token in Vault and takes that. Vault is read first, so that nothing is asked in vain while it is away.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from headgate_api.clock import Clock
from headgate_api.reasons import ConditionReason
from headgate_api.redaction import Redactor
from headgate_api.resources import ProxyFleet
from headgate_api.vault import FederatedRecord
from headgate_operator.credentials.observe import remember, trouble_reason
from headgate_operator.credentials.store import Store, Stored
from headgate_operator.engine.keys import Key
from headgate_operator.federation.assertion import Assertion, Assertions, NoAssertion
from headgate_operator.federation.exchange import Outcome, Refused, exchange, outcome
from headgate_operator.federation.memory import Memory
from headgate_operator.federation.metrics import FederationMetrics
from headgate_operator.federation.settings import Federation, provider_of
from headgate_operator.federation.verdict import Cause, failed, judge
from headgate_operator.oauth.http import AnswerLost, NotSent
from headgate_operator.oauth.outcomes import Granted, Transient
from headgate_operator.reading import readable
from headgate_operator.refresh.executor import Renewed, Result, Sender
from headgate_operator.refresh.verdict import Rest
from headgate_runtime.kube import Kube, KubeError, KubeUnavailable
from headgate_runtime.kube_kinds import LLM_PROVIDER, PROXY_FLEET
from headgate_runtime.vault import CasMismatch, VaultError

_SOON: Final = timedelta(seconds=1)
_LATER: Final = timedelta(seconds=15)
_NO_ASSERTION: Final = {
    403: ConditionReason.TOKEN_REQUEST_FORBIDDEN,
    404: ConditionReason.SERVICE_ACCOUNT_NOT_FOUND,
}
_log = logging.getLogger(__name__)


class TooLate(Exception):  # noqa: N818 - a state
    """This process leads no more."""


class FederationExecutor:
    """Exchanges one token at a time per call. ``fence`` raises where this process must not act."""

    def __init__(
        self,
        kube: Kube,
        store: Store,
        assertions: Assertions,
        http: Sender,
        memory: Memory,
        *,
        fleet_namespace: str,
        clock: Clock,
        fence: Callable[[], None],
        metrics: FederationMetrics,
        redactor: Redactor,
    ) -> None:
        self._kube = kube
        self._store = store
        self._assertions = assertions
        self._http = http
        self._memory = memory
        self._fleet_namespace = fleet_namespace
        self._clock = clock
        self._fence = fence
        self._metrics = metrics
        self._redactor = redactor

    async def refresh(self, key: Key, refused: int | None = None) -> Result:
        """Look at a token and exchange where that is due, or where generation ``refused`` is still the latest.

        Raises nothing: whatever stands in the way is a ``Rest``.
        """
        federation = self._memory.federation(key)
        if federation is None:
            return self._rest(
                _SOON, ConditionReason.PENDING, "no form of the provider that is known yet wants this token"
            )
        try:
            body = await self._kube.get(LLM_PROVIDER, key.namespace, federation.provider)
            if body is None or body["metadata"].get("deletionTimestamp") is not None:
                return Rest(None, False, ConditionReason.CREDENTIAL_NOT_FOUND, f"{provider_of(key)} is gone or going")
            fleets = readable(ProxyFleet, await self._kube.list(PROXY_FLEET, self._fleet_namespace))
            stored = await self._store.federated(federation.path)
        except VaultError as error:
            return self._rest(_LATER, trouble_reason(error), f"nothing is exchanged meanwhile: {error}")
        except (KubeError, KubeUnavailable) as error:
            return self._rest(_LATER, ConditionReason.UNAVAILABLE, str(error))
        remember(self._redactor, stored)
        if refused is not None and stored.record is not None and stored.record.generation > refused:
            return _renewed(stored.record, stored.version)
        verdict = judge(stored.record, self._memory.trouble(key), self._clock.now(), refused=refused)
        if isinstance(verdict, Rest):
            return verdict
        opens = next((f for f in fleets if f.spec.caller_tokens.audience == federation.auth.audience), None)
        if opens is not None:
            text = (
                f"spec.auth.workloadIdentity.audience {federation.auth.audience} is what ProxyFleet {opens.metadata.name} takes "
                "callers by, so nothing was sent; use an audience that only the vendor accepts, such as its own URL"
            )
            return self._failed(federation, stored, Cause.OURS, ConditionReason.SPEC_INVALID, text)
        private = any(f.spec.serves(key.namespace) and f.spec.allowances.private_addresses for f in fleets)
        return await self._attempt(federation, stored, private=private, forced=verdict.forced)

    async def _attempt(
        self, federation: Federation, stored: Stored[FederatedRecord], *, private: bool, forced: bool
    ) -> Result:
        try:
            self._check()
            assertion = await self._assertions.mint(federation)
            began = self._clock.now()
            found = await self._ask(federation, assertion, private=private)
        except TooLate:
            return self._rest(_SOON, ConditionReason.UNAVAILABLE, "this operator leads no more")
        except NoAssertion as error:
            reason = _NO_ASSERTION.get(error.status, ConditionReason.SPEC_INVALID)
            return self._failed(federation, stored, Cause.OURS, reason, str(error))
        except (KubeError, KubeUnavailable) as error:
            text = f"the API server signs no token now: {error}"
            return self._failed(federation, stored, Cause.PASSING, ConditionReason.UNAVAILABLE, text)
        except Exception:
            _log.exception("%s: an exchange failed in an unforeseen way", federation.key)
            text = "the exchange failed in an unforeseen way; see the operator's log"
            return self._failed(federation, stored, Cause.PASSING, ConditionReason.VENDOR_UNAVAILABLE, text)
        match found:
            case Refused(what):
                return self._failed(federation, stored, Cause.VENDOR_REFUSES, ConditionReason.FEDERATION_REFUSED, what)
            case Transient(what, retry_after):
                limited = ConditionReason.VENDOR_RATE_LIMITED if found.limited else ConditionReason.VENDOR_UNAVAILABLE
                return self._failed(federation, stored, Cause.PASSING, limited, what, retry_after)
            case Granted():
                self._redactor.remember(found.access_token)
                began = began.replace(microsecond=0)
                record = FederatedRecord(
                    origins=(federation.origin,),
                    access_token=found.access_token,
                    expires_at=began + found.lifetime if found.lifetime is not None else None,
                    grant_id=federation.grant_id,
                    generation=stored.record.generation + 1 if stored.record is not None else 1,
                    obtained_at=began,
                    forced=stored.record.forced + 1 if stored.record is not None and forced else 0,
                )
                return await self._keep(federation, stored, record)

    async def _ask(self, federation: Federation, assertion: Assertion, *, private: bool) -> Outcome:
        try:
            answer = await self._http.send(
                exchange(federation, assertion),
                origins=(federation.token_origin,),
                private_addresses=private,
                last_check=self._check,
            )
        except (NotSent, AnswerLost) as error:
            return Transient(str(error))
        return outcome(answer, federation, assertion, self._clock.now())

    async def _keep(self, federation: Federation, before: Stored[FederatedRecord], record: FederatedRecord) -> Result:
        """Store a token. One that cannot be stored is given up: the next exchange brings another."""
        try:
            self._check()
            version = await self._store.write(federation.path, record, cas=before.version)
        except TooLate:
            return self._rest(_SOON, ConditionReason.UNAVAILABLE, "this operator leads no more")
        except CasMismatch:
            return self._rest(_SOON, ConditionReason.REFRESHING, "another operator was first; looking again")
        except VaultError as error:
            text = f"Vault did not take the new token: {error}"
            return self._failed(federation, before, Cause.PASSING, trouble_reason(error), text)
        self._metrics.exchanges.labels("Granted").inc()
        self._memory.succeeded(federation.key)
        return _renewed(record, version)

    def _failed(
        self,
        federation: Federation,
        stored: Stored[FederatedRecord],
        cause: Cause,
        reason: ConditionReason,
        message: str,
        at_least: timedelta | None = None,
    ) -> Rest:
        now, key = self._clock.now(), federation.key
        trouble = failed(
            self._memory.trouble(key),
            cause,
            reason,
            self._redactor.redact(message),
            grant=federation.grant_id,
            now=now,
            at_least=at_least,
            serves=_serves(stored.record, now),
        )
        self._memory.failed(key, trouble)
        self._metrics.exchanges.labels(reason.value).inc()
        _log.warning("%s: no exchange", key, extra={"reason": reason, "problem": trouble.message})
        return Rest(trouble.not_before, False if trouble.lasting else None, reason, trouble.message)

    def _check(self) -> None:
        try:
            self._fence()
        except Exception:
            raise TooLate from None

    def _rest(self, wait: timedelta, reason: ConditionReason, message: str) -> Rest:
        return Rest(self._clock.now() + wait, None, reason, message)


def _renewed(record: FederatedRecord, version: int) -> Renewed:
    return Renewed(record.generation, version, record.expires_at)


def _serves(record: FederatedRecord | None, now: datetime) -> timedelta | None:
    """Return for how long a token goes on serving; None: it names no end."""
    if record is None:
        return timedelta()
    return record.expires_at - now if record.expires_at is not None else None
