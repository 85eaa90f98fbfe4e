"""The sign-ins of this replica: begun, told of, gone on with and given up, for whoever holds the key.

Everything that matters is in Vault, so every replica serves every flow. What has been begun with the vendor runs in tasks of its
own: a client that leaves takes no tokens with it.
"""

import asyncio
import secrets
from datetime import timedelta
from typing import Final

from headgate_api.clock import Clock
from headgate_api.secret import Secret
from headgate_api.signin import Method, SignInState
from headgate_operator.broker.authentication import Refused
from headgate_operator.credentials.store import Store
from headgate_operator.engine.work import Work
from headgate_operator.oauth import requests
from headgate_operator.oauth.answers import device_outcome
from headgate_operator.oauth.authorization import BadCode, begin, returned
from headgate_operator.oauth.http import AnswerLost, NotSent
from headgate_operator.oauth.outcomes import DeviceCode, Transient
from headgate_operator.refresh.executor import Sender
from headgate_operator.refresh.verdict import profile_id, token_origin
from headgate_operator.signin.asking import Asked, Asking, Gate
from headgate_operator.signin.devices import Devices
from headgate_operator.signin.flow import BEGIN_AGAIN, Device, Flow, expiry, new_grant_id, over
from headgate_operator.signin.flows import Flows, Kept
from headgate_operator.signin.methods import NotOffered, chosen
from headgate_operator.signin.providers import Providers
from headgate_operator.signin.redeeming import Party, Redeemer
from headgate_operator.signin.shown import shown
from headgate_runtime.vault import CasMismatch

WAIT_SECONDS: Final = 40.0
"""How long whoever brings a code is kept waiting: longer than a vendor may take."""
_TICKET_BYTES: Final = 32


class SignIns:
    """Begins, tells of, and goes on with sign-ins. Every method raises Refused, VaultError, KubeError, KubeUnavailable."""

    def __init__(
        self,
        asking: Asking,
        providers: Providers,
        flows: Flows,
        store: Store,
        redeemer: Redeemer,
        http: Sender,
        *,
        clock: Clock,
    ) -> None:
        self.gate = Gate()
        self._asking = asking
        self._providers = providers
        self.flows = flows
        self._store = store
        self._redeemer = redeemer
        self._http = http
        self._clock = clock
        self._redeeming: set[str] = set()
        self._work = Work()
        self.devices = Devices(self.kept, redeemer, self._work, clock=clock)

    async def run(self) -> None:
        """Work until cancelled; then let what is under way end, for some seconds."""
        await self._work.run()

    async def begin(self, authorization: str, namespace: str, name: str, method: Method | None) -> SignInState:
        """Begin a sign-in; to begin the same one again tells how it stands."""
        asked = await self._ask(authorization, namespace, name)
        kept = await self.flows.read(asked.name)
        if kept.flow is None:
            kept = await self._begin(asked, kept, method)
        elif (
            not self._own(asked, kept.flow)
            or not kept.flow.waits(self._clock.now())
            or method not in (None, kept.flow.method)
        ):
            raise Refused(409, "KeyUsed", f"a sign-in was begun with this key before; {BEGIN_AGAIN}, with a new key")
        return self._shown(asked, kept)

    async def tell(self, authorization: str, namespace: str, name: str) -> SignInState:
        """Tell how a sign-in stands."""
        asked = await self._ask(authorization, namespace, name)
        kept = await self._redeemer.resolve(asked, await self._read(asked))
        return self._shown(asked, kept)

    async def bring(self, authorization: str, namespace: str, name: str, pasted: str) -> SignInState:
        """Go on with the code that a person pasted."""
        asked = await self._ask(authorization, namespace, name)
        kept = await self._read(asked)
        flow = self.still_open(kept)
        if flow.device is not None:
            raise Refused(409, "NoCodeAwaited", "this sign-in is by device code: type the code at the vendor instead")
        try:
            code = returned(pasted, flow.proof())
        except BadCode as error:
            raise Refused(400, "BadCode", str(error)) from None
        return self._told(asked, kept, await self.redeem(asked, kept, code))

    async def give_up(self, authorization: str, namespace: str, name: str) -> None:
        """Forget a sign-in, so that nobody goes on with it; one that has brought a grant leaves that where it is."""
        asked = await self._ask(authorization, namespace, name)
        await self.flows.delete(asked.name)

    async def kept(self, flow: str) -> tuple[Asked, Kept]:
        """Return a flow by its name, with its account. Raises Refused also where there is none."""
        async with self.gate.slot():
            kept = await self.flows.read(flow)
            if kept.flow is None:
                raise Refused(404, "NotFound", f"there is no such sign-in (any more); {BEGIN_AGAIN}")
            return await self._asking.of_flow(kept.flow, flow), kept

    async def write(self, asked: Asked, kept: Kept, flow: Flow) -> Kept:
        """Write what became of a flow. Raises CasMismatch."""
        return await self.flows.write(asked.name, flow, cas=kept.version)

    async def fail(self, asked: Asked, kept: Kept, message: str) -> Flow:
        """End a flow that brought nothing."""
        flow = self.still_open(kept)
        ended = over(flow, "Failed", message)
        try:
            await self.flows.write(asked.name, ended, cas=kept.version)
        except CasMismatch:
            raise Refused(409, "Changed", "this sign-in was gone on with elsewhere; ask how it stands") from None
        return ended

    async def redeem(self, asked: Asked, kept: Kept, code: Secret) -> Flow | None:
        """Redeem a code in a task of its own; return what became of the flow, or None when that takes long."""
        self.still_open(kept)
        if asked.name in self._redeeming:
            raise Refused(409, "Redeeming", "a code of this sign-in is being redeemed already; ask how it stands")
        task = self._work.begin(self._redeemed(asked, kept, code))
        done, _ = await asyncio.wait((task,), timeout=WAIT_SECONDS)
        if not done:
            return None
        result = task.result()
        if isinstance(result, Exception):
            raise result
        return result

    async def _redeemed(self, asked: Asked, kept: Kept, code: Secret) -> Flow | Exception:
        """Redeem a code; errors are returned, since one sign-in's must not end the others."""
        self._redeeming.add(asked.name)
        try:
            return await self._redeemer.redeem(asked, kept, code)
        except Exception as error:
            return error
        finally:
            self._redeeming.discard(asked.name)

    async def _ask(self, authorization: str, namespace: str, name: str) -> Asked:
        async with self.gate.slot():
            return await self._asking.of_key(authorization, namespace, name)

    async def _read(self, asked: Asked) -> Kept:
        kept = await self.flows.read(asked.name)
        if kept.flow is None:
            raise Refused(404, "NotFound", f"no sign-in of {asked.where} was begun with this key; {BEGIN_AGAIN}")
        if not self._own(asked, kept.flow):
            raise Refused(
                403, "Forbidden", f"this sign-in was begun for another account or by another user; {BEGIN_AGAIN}"
            )
        return kept

    def _own(self, asked: Asked, flow: Flow) -> bool:
        """Tell whether a flow is of this account, and was begun by whom the annotation names."""
        return flow.uid == asked.account.metadata.uid and flow.began_by == asked.by

    def still_open(self, kept: Kept) -> Flow:
        """Return the flow while a code may still come. Raises Refused (404, 409, 410)."""
        flow = kept.flow
        if flow is None:
            raise Refused(404, "NotFound", f"there is no such sign-in (any more); {BEGIN_AGAIN}")
        if flow.phase == "Redeeming":
            raise Refused(409, "Redeeming", "a code of this sign-in is being redeemed already; ask how it stands")
        if flow.phase != "Waiting":
            raise Refused(409, "Over", f"this sign-in is over ({flow.message}); {BEGIN_AGAIN} for another one")
        if self._clock.now() >= flow.expires_at:
            raise Refused(410, "Expired", f"this sign-in has expired; {BEGIN_AGAIN}")
        return flow

    def _shown(self, asked: Asked, kept: Kept) -> SignInState:
        if kept.flow is None:
            raise Refused(404, "NotFound", f"there is no such sign-in (any more); {BEGIN_AGAIN}")
        self.devices.watch(asked.name, kept.flow)
        return shown(kept.flow, asked.name, asked.account, self._clock.now())

    def _told(self, asked: Asked, kept: Kept, flow: Flow | None) -> SignInState:
        if flow is None and kept.flow is not None:
            flow = kept.flow.model_copy(update={"phase": "Redeeming"})
        return self._shown(asked, Kept(flow, kept.version))

    async def _begin(self, asked: Asked, kept: Kept, wanted: Method | None) -> Kept:
        profile = asked.profile()
        try:
            method = chosen(profile, wanted)
        except NotOffered as error:
            raise Refused(409, "MethodNotOffered", str(error)) from None
        if token_origin(profile) is None:
            raise Refused(409, "SpecInvalid", "spec.oauth.tokenEndpoint is no usable URL; correct it")
        party = await self._redeemer.party(asked)
        origins = await self._providers.origins(asked.account)
        standing = await self._store.grant(asked.account.metadata.namespace, asked.account.metadata.name)
        device = await self._device(party) if method == "DeviceCode" else None
        now = self._clock.now()
        proof = begin(profile) if device is None else None
        flow = Flow(
            namespace=asked.account.metadata.namespace,
            name=asked.account.metadata.name,
            uid=asked.account.metadata.uid or "",
            began_by=asked.by,
            began_at=now,
            expires_at=expiry(now, device),
            method=method,
            profile=profile_id(profile),
            origins=origins,
            grant_id=new_grant_id(),
            replaces=standing.record.grant_id if standing.record is not None else None,
            state=proof.state if proof is not None else None,
            verifier=proof.verifier if proof is not None else None,
            ticket=Secret(secrets.token_urlsafe(_TICKET_BYTES)) if method == "Browser" else None,
            device=_waiting(device, self._clock) if device is not None else None,
        )
        try:
            return await self.flows.write(asked.name, flow, cas=kept.version)
        except CasMismatch:
            return await self._read(asked)  # the same request came twice: the first one's flow counts

    async def _device(self, party: Party) -> DeviceCode:
        """Ask the vendor for a device code. Raises Refused where it gives none."""
        origin = token_origin(party.profile)
        try:
            answer = await self._http.send(
                requests.ask_device(party.client),
                origins=(origin,) if origin is not None else (),
                private_addresses=party.private_addresses,
                last_check=lambda: None,
            )
        except (NotSent, AnswerLost) as error:
            raise Refused(503, "VendorUnavailable", f"no device code could be had: {error}") from None
        outcome = device_outcome(answer, self._clock.now())
        if isinstance(outcome, Transient):
            raise Refused(503, "VendorUnavailable", f"no device code could be had: {outcome.what}; try again later")
        if not isinstance(outcome, DeviceCode):
            raise Refused(409, "ClientRefused", f"no device code could be had: {outcome.what}")
        return outcome


def _waiting(device: DeviceCode, clock: Clock) -> Device:
    return Device(
        device_code=device.device_code,
        user_code=device.user_code,
        verification_uri=device.verification_uri,
        verification_uri_complete=device.verification_uri_complete,
        interval=device.interval,
        next_poll=clock.now() + timedelta(seconds=device.interval),
    )
