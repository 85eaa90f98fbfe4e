"""Tells the vendor of one grant that was revoked, once per call; each attempt is counted in Vault before it is made.

To be told twice costs a vendor nothing (RFC 7009, section 2.2: an unknown token is no error), so two operators need no claim.
"""

from collections.abc import Callable
from typing import Final

from headgate_api.clock import Clock, rfc3339
from headgate_api.reasons import ConditionReason
from headgate_api.redaction import Redactor
from headgate_api.secret import Secret
from headgate_api.vault import ForgottenGrant, GrantRecord, Revoking, grant_path
from headgate_operator.account.revoking import (
    ACTION,
    MOST_ATTEMPTS,
    attempted,
    due,
    no_endpoint,
    owner_ends_it,
    settled,
    waiting,
)
from headgate_operator.credentials.observe import remember
from headgate_operator.credentials.seams import EventSink
from headgate_operator.credentials.store import Store
from headgate_operator.engine.keys import Key
from headgate_operator.oauth import requests
from headgate_operator.oauth.answers import revoke_outcome
from headgate_operator.oauth.http import AnswerLost, NotSent
from headgate_operator.oauth.outcomes import ClientRefused, Revoked, RevokeOutcome, Transient
from headgate_operator.oauth.requests import Client
from headgate_operator.refresh.executor import Sender
from headgate_operator.refresh.subject import NoClient, Subject, Subjects
from headgate_operator.refresh.verdict import token_origin
from headgate_operator.revoke.metrics import RevokeMetrics
from headgate_runtime.vault import CasMismatch

_TRIES: Final = 8


class RevokeExecutor:
    """Tells vendors. ``fence`` raises where this process must not act."""

    def __init__(
        self,
        subjects: Subjects,
        store: Store,
        http: Sender,
        events: EventSink,
        *,
        clock: Clock,
        fence: Callable[[], None],
        metrics: RevokeMetrics,
        redactor: Redactor,
    ) -> None:
        self._subjects = subjects
        self._store = store
        self._http = http
        self._events = events
        self._clock = clock
        self._fence = fence
        self._metrics = metrics
        self._redactor = redactor

    async def revoke(self, key: Key) -> None:
        """Tell the vendor of the first grant of an account for which that is due; at the last attempt's end, give up.

        Raises VaultError, KubeError, KubeUnavailable, Unreadable, or what ``fence`` raises.
        """
        subject = await self._subjects.read(key)
        if subject is None:
            return
        stored = await self._store.grant(key.namespace, key.name)
        remember(self._redactor, stored)
        record, now = stored.record or stored.forgotten, self._clock.now()
        item = next((item for item in waiting(record) if due(item, now)), None)
        if record is None or item is None:
            return
        client = await self._client(key, subject, item)
        if isinstance(client, str):
            await self._settle(key, subject, item, client, good=False)
            return
        if item.attempts >= MOST_ATTEMPTS:
            self._metrics.revocations.labels("GivenUp").inc()
            text = f"the vendor could not be told in {MOST_ATTEMPTS} attempts: {owner_ends_it(subject.account)}"
            await self._settle(key, subject, item, text, good=False)
            return
        self._fence()
        try:
            record = attempted(record, item.grant_id, now)
            await self._store.write(grant_path(key.namespace, key.name), record, cas=stored.version)
        except CasMismatch:
            return  # others changed the record: whoever looks next sees what is left to do
        outcome = await self._ask(subject, client, item)
        self._metrics.revocations.labels(type(outcome).__name__).inc()
        if isinstance(outcome, Revoked):
            at = rfc3339(self._clock.now().replace(microsecond=0))
            await self._settle(key, subject, item, f"revoked at the vendor at {at}", good=True)
        elif isinstance(outcome, ClientRefused):
            text = f"the vendor does not revoke it: {outcome.what}. Until then, {owner_ends_it(subject.account)}"
            await self._settle(key, subject, item, text, good=False)

    async def _client(self, key: Key, subject: Subject, item: Revoking) -> Client | str | None:
        """Return the client to ask as; None: its secret cannot be had now; or why the vendor cannot be told at all."""
        profile = subject.account.spec.oauth
        if profile is None or profile.revocation_endpoint is None or token_origin(profile) not in item.token_origins:
            return no_endpoint(subject.account)
        try:
            return await self._subjects.client(key.namespace, profile)
        except NoClient:
            return None

    async def _ask(self, subject: Subject, client: Client | None, item: Revoking) -> RevokeOutcome:
        """Revoke the refresh token, then the access token. Whatever goes wrong is an outcome."""
        if client is None:
            return Transient("the client secret cannot be had")
        first: RevokeOutcome | None = None
        for token, hint in ((item.refresh_token, "refresh_token"), (item.access_token, "access_token")):
            if token is None:
                continue
            outcome = await self._one(subject, client, item, token, hint)
            if first is None:
                first = outcome
            if isinstance(outcome, Transient):
                return outcome
            if not isinstance(first, Revoked):
                return first
        return first or Revoked()

    async def _one(self, subject: Subject, client: Client, item: Revoking, token: Secret, hint: str) -> RevokeOutcome:
        try:
            answer = await self._http.send(
                requests.revoke(client, token, hint),
                origins=item.token_origins,
                private_addresses=subject.private_addresses,
                last_check=self._fence,
            )
        except (NotSent, AnswerLost) as error:
            return Transient(str(error))
        return revoke_outcome(answer, self._clock.now())

    async def _settle(self, key: Key, subject: Subject, item: Revoking, outcome: str, *, good: bool) -> None:
        path = grant_path(key.namespace, key.name)
        for _ in range(_TRIES):
            stored = await self._store.grant(key.namespace, key.name)
            held: GrantRecord | ForgottenGrant | None = stored.record or stored.forgotten
            record = settled(held, item.grant_id, outcome) if held is not None else None
            if record is None:
                return
            self._fence()
            try:
                await self._store.write(path, record, cas=stored.version)
            except CasMismatch:
                continue
            text = f"grant {item.grant_id}: {outcome}"
            await self._events.emit(
                subject.body, "Normal" if good else "Warning", ConditionReason.REVOKED, ACTION, text
            )
            return
