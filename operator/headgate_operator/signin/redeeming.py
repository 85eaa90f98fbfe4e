"""Turns a code into a grant: the vendor is asked once, and what it gives is stored before anybody is told.

Whatever breaks off in between leaves a flow that says so: a code that was taken and brought no grant is spent, and its person
begins again.
"""

import asyncio
import logging
from dataclasses import dataclass
from typing import Final

from headgate_api.clock import Clock
from headgate_api.redaction import Redactor
from headgate_api.resources import OAuthProfile
from headgate_api.secret import Secret
from headgate_api.vault import GrantRecord, grant_path
from headgate_operator.broker.authentication import Refused
from headgate_operator.credentials.store import Store
from headgate_operator.engine.keys import Key
from headgate_operator.oauth import requests
from headgate_operator.oauth.answers import token_outcome
from headgate_operator.oauth.http import AnswerLost, NotSent
from headgate_operator.oauth.outcomes import Granted, TokenOutcome, Transient
from headgate_operator.oauth.requests import Client, OAuthRequest
from headgate_operator.reading import Unreadable
from headgate_operator.refresh.executor import Sender
from headgate_operator.refresh.subject import NoClient, Subjects
from headgate_operator.refresh.verdict import profile_id, token_origin
from headgate_operator.signin.asking import Asked, Asking
from headgate_operator.signin.flow import ASK_WITHIN_SECONDS, BEGIN_AGAIN, Flow, ended, over, polled, polling, taken
from headgate_operator.signin.flows import Flows, Kept
from headgate_operator.signin.granted import Standing, grant_of, stored_over
from headgate_operator.signin.metrics import SignInMetrics
from headgate_operator.signin.telling import Telling, completed_message
from headgate_runtime.kube import KubeError, KubeUnavailable
from headgate_runtime.vault import CasMismatch, VaultError

FIRST_RETRY_SECONDS: Final = 0.5
LONGEST_RETRY_SECONDS: Final = 5.0
_CONCLUDE_TRIES: Final = 8
_log = logging.getLogger(__name__)


class TooLate(Exception):  # noqa: N818 - a state
    """So much time has passed since the code was taken that another replica may call it lost."""


@dataclass(frozen=True, slots=True)
class Party:
    """The client that a flow's tokens are issued to. ``private_addresses``: a fleet that serves the namespace allows them."""

    profile: OAuthProfile
    client: Client
    private_addresses: bool


class Redeemer:
    """Redeems codes and polls for devices, of one flow per call."""

    def __init__(
        self,
        asking: Asking,
        subjects: Subjects,
        flows: Flows,
        store: Store,
        http: Sender,
        telling: Telling,
        *,
        clock: Clock,
        metrics: SignInMetrics,
        redactor: Redactor,
    ) -> None:
        self._asking = asking
        self._subjects = subjects
        self._flows = flows
        self._store = store
        self._http = http
        self._telling = telling
        self._clock = clock
        self._metrics = metrics
        self._redactor = redactor

    async def party(self, asked: Asked) -> Party:
        """Return the account's client as it stands. Raises Refused, KubeError, KubeUnavailable."""
        profile = asked.profile()
        subject = await self._subjects.read(Key.of(asked.body))
        try:
            client = await self._subjects.client(asked.account.metadata.namespace, profile)
        except NoClient as error:
            raise Refused(409, "ClientSecretMissing", str(error)) from None
        return Party(profile, client, subject is not None and subject.private_addresses)

    async def redeem(self, asked: Asked, kept: Kept, code: Secret, party: Party | None = None) -> Flow:
        """Take the flow's code and redeem it; return what became of the flow.

        Raises Refused, VaultError, KubeError, KubeUnavailable while nothing was asked of the vendor.
        """
        flow = _present(kept)
        party = party or await self.party(asked)
        if profile_id(party.profile) != flow.profile:
            return await self._end(asked.name, kept, _changed(flow))
        self._redactor.remember(code)
        proof, began, at = flow.proof(), self._clock.monotonic(), self._clock.now()
        try:
            kept = await self._flows.write(asked.name, taken(flow, at), cas=kept.version)
        except CasMismatch:
            raise Refused(
                409, "Redeeming", "a code of this sign-in is being redeemed already; ask how it stands"
            ) from None
        outcome = await self._ask(requests.redeem_code(party.client, code, proof), party, began)
        if isinstance(outcome, Granted):
            return await self._store_grant(asked, kept, grant_of(flow, party.profile, outcome, at))
        return await self._end(asked.name, kept, ended(_present(kept), outcome))

    async def poll(self, asked: Asked, kept: Kept, party: Party | None = None) -> Kept:
        """Ask the vendor once whether the person has decided, and return the flow as it stands then.

        Raises as ``redeem``; CasMismatch where another replica polls.
        """
        flow = _present(kept)
        party = party or await self.party(asked)
        device = flow.device
        if device is None or device.device_code is None:
            return kept
        if profile_id(party.profile) != flow.profile:
            await self._end(asked.name, kept, _changed(flow))
            return await self._flows.read(asked.name)
        began, at = self._clock.monotonic(), self._clock.now()
        kept = await self._flows.write(asked.name, polling(flow, at), cas=kept.version)
        outcome = await self._ask(requests.redeem_device(party.client, device.device_code), party, began)
        if isinstance(outcome, Granted):
            await self._store_grant(asked, kept, grant_of(flow, party.profile, outcome, at))
        else:
            after = polled(_present(kept), outcome, self._clock.now())
            if after.phase == "Waiting":
                return await self._flows.write(asked.name, after, cas=kept.version)
            await self._end(asked.name, kept, after)
        return await self._flows.read(asked.name)

    async def resolve(self, asked: Asked, kept: Kept) -> Kept:
        """Return a flow as it truly stands: what another process stored, or lost, before it could say so. Raises VaultError."""
        flow = _present(kept)
        if flow.phase == "Redeeming" or (flow.phase == "Waiting" and flow.device is not None):
            stored = await self._store.grant(flow.namespace, flow.name)
            if stored.record is not None and stored.record.grant_id == flow.grant_id:
                await self._telling.signed_in(asked.body, stored.record)
                await self._end(asked.name, kept, _completed(flow, asked, stored.record))
                return await self._flows.read(asked.name)
        if flow.lost(self._clock.now()):
            text = f"the answer to the code was lost, so the code is spent and brought nothing; {BEGIN_AGAIN}"
            await self._end(asked.name, kept, over(flow, "Failed", text))
            return await self._flows.read(asked.name)
        return kept

    async def _ask(self, request: OAuthRequest, party: Party, began: float) -> TokenOutcome:
        """Ask the vendor, once. Whatever goes wrong is an outcome."""

        def last_check() -> None:
            if self._clock.monotonic() - began > ASK_WITHIN_SECONDS:
                raise TooLate

        origin = token_origin(party.profile)
        try:
            answer = await self._http.send(
                request,
                origins=(origin,) if origin is not None else (),
                private_addresses=party.private_addresses,
                last_check=last_check,
            )
        except NotSent as error:
            return Transient(str(error))
        except AnswerLost as error:
            return Transient(str(error), uncertain=True)
        except TooLate:
            return Transient("the operator stood still for too long before it could ask the vendor")
        outcome = token_outcome(answer, self._clock.now())
        if isinstance(outcome, Granted):
            for token in (outcome.access_token, outcome.refresh_token, outcome.id_token):
                if token is not None:
                    self._redactor.remember(token)
        return outcome

    async def _store_grant(self, asked: Asked, kept: Kept, grant: GrantRecord) -> Flow:
        flow = _present(kept)
        with self._metrics.unsaved.track_inprogress():
            problem = await self._stored(asked, flow, grant)
        if problem is not None:
            return await self._end(asked.name, kept, over(flow, "Failed", problem))
        await self._telling.signed_in(asked.body, grant)
        return await self._end(asked.name, kept, _completed(flow, asked, grant))

    async def _stored(self, asked: Asked, flow: Flow, grant: GrantRecord) -> str | None:
        """Store a grant, however long Vault is away; return why it was not stored, or None."""
        wait = FIRST_RETRY_SECONDS
        while True:
            if not await self._exists(asked):
                return (
                    f"SubscriptionAccount {asked.where} was deleted meanwhile, so its tokens were not stored; end the sign-in in "
                    f"the account settings at the vendor, and {BEGIN_AGAIN}"
                )
            try:
                held = await self._store.grant(flow.namespace, flow.name)
                record = stored_over(held, grant, flow.replaces)
                if isinstance(record, Standing):
                    newer = "a newer credential was stored for the account meanwhile, and stays; to replace it, "
                    return None if record.ours else newer + BEGIN_AGAIN
                await self._store.write(grant_path(flow.namespace, flow.name), record, cas=held.version)
                return None
            except CasMismatch:
                continue
            except VaultError as error:
                _log.warning(
                    "%s: the tokens of a sign-in wait in memory until Vault takes them",
                    asked.where,
                    extra={"error": str(error), "retry_seconds": wait},
                )
                await asyncio.sleep(wait)
                wait = min(wait * 2, LONGEST_RETRY_SECONDS)

    async def _exists(self, asked: Asked) -> bool:
        """Tell whether the account is there still, as far as the API server can say."""
        try:
            subject = await self._subjects.read(Key.of(asked.body))
        except (KubeError, KubeUnavailable, Unreadable):
            return True
        metadata = subject.account.metadata if subject is not None else None
        return metadata is not None and metadata.uid == asked.account.metadata.uid and not metadata.deletion_timestamp

    async def _end(self, name: str, kept: Kept, flow: Flow) -> Flow:
        """Write how a flow ended. What Vault does not take is lost, and then found out from the grant, or its absence."""
        wait = FIRST_RETRY_SECONDS
        for _ in range(_CONCLUDE_TRIES):
            try:
                same = kept.flow is not None and kept.flow.grant_id == flow.grant_id
                if same and kept.flow is not None and kept.flow.phase != "Completed":
                    await self._flows.write(name, flow, cas=kept.version)
                    self._metrics.sign_ins.labels(flow.phase).inc()
                return flow
            except CasMismatch:
                try:
                    kept = await self._flows.read(name)
                except VaultError:
                    await asyncio.sleep(wait)
            except VaultError:
                await asyncio.sleep(wait)
                wait = min(wait * 2, LONGEST_RETRY_SECONDS)
        return flow


def _present(kept: Kept) -> Flow:
    if kept.flow is None:
        raise Refused(404, "NotFound", f"no such sign-in is under way; {BEGIN_AGAIN}")
    return kept.flow


def _changed(flow: Flow) -> Flow:
    return over(flow, "Failed", f"spec.oauth was changed since this sign-in began; look at it, and {BEGIN_AGAIN}")


def _completed(flow: Flow, asked: Asked, grant: GrantRecord) -> Flow:
    return over(flow, "Completed", completed_message(asked.account, grant))
