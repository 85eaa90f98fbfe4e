"""One account, one vendor with single-use refresh tokens, and operators that can be killed, frozen and made to fight.

The vendor's semantics are the emulator's own. ``Direct`` asks them without sockets, so that thousands of histories are cheap.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from prometheus_client import CollectorRegistry
from tests.operator.credentials.objects import NS, START, account, provider
from tests.operator.credentials.world import Faults, MemoryKube, MemoryVault, Told

from headgate_api import names
from headgate_api.clock import ManualClock
from headgate_api.reasons import ConditionReason
from headgate_api.redaction import Redactor
from headgate_api.secret import Secret
from headgate_api.vault import AccessRecord, GrantRecord, access_path, grant_path
from headgate_dev.emulator import TokenState
from headgate_dev.emulator.anthropic.vendor import Anthropic
from headgate_dev.emulator.credentials import Credentials
from headgate_dev.emulator.oauth import Client as Registered
from headgate_dev.emulator.oauth import Dialect, OAuthServer, WithOAuth
from headgate_dev.emulator.vendor import Call
from headgate_operator.account.reconciler import AccountReconciler
from headgate_operator.credentials.executor import Executor
from headgate_operator.credentials.metrics import CredentialMetrics
from headgate_operator.credentials.store import KeyValue, Store
from headgate_operator.engine.keys import Key
from headgate_operator.oauth.answers import HttpAnswer
from headgate_operator.oauth.requests import OAuthRequest
from headgate_operator.refresh.executor import RefreshExecutor, Renewed, Result, Sender
from headgate_operator.refresh.ledger import Ledger
from headgate_operator.refresh.metrics import RefreshMetrics
from headgate_operator.refresh.subject import Subjects
from headgate_operator.refresh.verdict import Rest
from headgate_operator.revisions.guards import Guards
from headgate_operator.revisions.standing import Standing
from headgate_operator.revisions.store import RevisionStore
from headgate_runtime.vault import VaultRecord

if TYPE_CHECKING:
    from headgate_operator.signin.flows import Listing
    from headgate_runtime.kube import Kube

VENDOR = "https://auth.vendor.example"
CLIENT = "not-a-real-client"


class Direct:
    """A sender that asks the emulated vendor in this process. ``pause`` runs before the request and after the answer."""

    def __init__(self, vendor: WithOAuth, credentials: Credentials, clock: ManualClock, faults: Faults) -> None:
        self.vendor, self.credentials, self.clock, self.faults = vendor, credentials, clock, faults
        self.before: Callable[[], Awaitable[None]] = _at_once
        self.after: Callable[[], Awaitable[None]] = _at_once
        self.asked = 0
        self.in_flight = 0
        self.most = 0

    async def send(
        self,
        request: OAuthRequest,
        *,
        origins: tuple[str, ...],
        private_addresses: bool,
        last_check: Callable[[], None],
    ) -> HttpAnswer:
        self.faults.before()
        assert request.origin in origins
        await self.before()
        last_check()
        self.asked += 1
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        try:
            headers = {name: value.reveal() for name, value in request.headers.items()}
            path = request.url.removeprefix(request.origin)
            call = Call(self.asked, "POST", path, {}, headers, request.body.reveal().encode(), self.clock.now())
            answer = self.vendor.answer(call, self.credentials)
            await asyncio.sleep(0)
            await self.after()
        finally:
            self.in_flight -= 1
        self.faults.after()
        return HttpAnswer(answer.status, dict(answer.headers), Secret(answer.body.decode()))


async def _at_once() -> None:
    await asyncio.sleep(0)


@dataclass
class CrashingVault:
    """A real Vault under the same faults as the rest of the world."""

    inner: KeyValue
    faults: Faults

    async def read(self, path: str, version: int | None = None) -> VaultRecord | None:
        self.faults.before()
        found = await self.inner.read(path, version)
        self.faults.after()
        return found

    async def read_for_update(self, path: str) -> tuple[VaultRecord | None, int]:
        self.faults.before()
        found = await self.inner.read_for_update(path)
        self.faults.after()
        return found

    async def write(self, path: str, data: Mapping[str, Any], *, cas: int) -> int:
        self.faults.before()
        version = await self.inner.write(path, data, cas=cas)
        self.faults.after()
        return version

    async def delete(self, path: str) -> None:
        self.faults.before()
        await self.inner.delete(path)
        self.faults.after()

    async def readable_versions(self, path: str) -> tuple[int, ...]:
        self.faults.before()
        return await self.inner.readable_versions(path)

    async def destroy(self, path: str, versions: Iterable[int]) -> None:
        self.faults.before()
        await self.inner.destroy(path, versions)
        self.faults.after()

    async def list(self, path: str) -> tuple[str, ...]:
        return await cast("Listing", self.inner).list(path)


@dataclass
class World:
    """Everything around one account. ``url``: the vendor's origin."""

    vault: KeyValue | None = None
    name: str = "ada"
    url: str = VENDOR
    ca: str | None = None
    dialect: Dialect = Dialect.STANDARD
    spec: dict[str, Any] = field(default_factory=dict)
    oauth: OAuthServer | None = None
    credentials: Credentials = field(default_factory=Credentials)
    clock: ManualClock = field(default_factory=lambda: ManualClock(START))

    def __post_init__(self) -> None:
        self.faults = Faults()
        self.memory = MemoryVault(self.faults)
        self.kv: KeyValue = CrashingVault(self.vault, self.faults) if self.vault is not None else self.memory
        self.kube = MemoryKube(self.faults)
        self.server = self.oauth or OAuthServer(Registered(CLIENT), dialect=self.dialect)
        self.direct = Direct(WithOAuth(Anthropic(), self.server), self.credentials, self.clock, self.faults)
        self.told = Told()
        self.redactor = Redactor()
        self.key = Key("SubscriptionAccount", NS, self.name)
        self.leads = True
        self._holders = itertools.count(1)
        self.kube.put(provider(modes=("Subscription",)))
        self.put_account()
        self.kube.put(
            {
                "apiVersion": names.API_VERSION,
                "kind": "ProxyFleet",
                "metadata": {"namespace": "headgate-system", "name": "default"},
                "spec": {"image": "h", "allowedNamespaces": ["*"], "allowances": {"privateAddresses": True}},
            }
        )

    def put_account(self, **spec: Any) -> None:
        """Apply the account, its spec changed."""
        oauth = {"tokenEndpoint": f"{self.url}/oauth/token", "clientId": CLIENT}
        if self.ca is not None:
            oauth["tls"] = {"caBundle": self.ca}  # type: ignore[assignment]
        body = account(source=None, **({"oauth": oauth} | self.spec | spec))
        body["metadata"]["name"] = self.name
        self.kube.put(body)

    async def sign_in(self) -> None:
        """Give the account a fresh grant, stored as an import would."""
        now = self.clock.now()
        issued = self.server.grants.begin(CLIENT, "s", now, self.credentials)
        assert issued.refresh_token is not None
        record = GrantRecord(
            origins=("https://api.vendor.example",),
            access_token=Secret(issued.access_token),
            refresh_token=Secret(issued.refresh_token),
            expires_at=now + self.server.grants.lifetime,
            obtained_at=now,
            token_origins=(self.url,),
            grant_id=f"grant-{issued.grant.number}",
            generation=1,
        )
        stored = await self.grant()
        path = grant_path(NS, self.name)
        version = (await self.kv.read_for_update(path))[1]
        if stored is not None:
            record = record.model_copy(update={"imports": stored.imports})
        await self.kv.write(path, record.to_vault(), cas=version)
        path = access_path(NS, self.name)
        await self.kv.write(path, record.access().to_vault(), cas=(await self.kv.read_for_update(path))[1])

    def operator(self, sender: Sender | None = None, fence: Callable[[], None] | None = None) -> RefreshExecutor:
        """Return a freshly started operator's executor."""
        return RefreshExecutor(
            Subjects(cast("Kube", self.kube), self.redactor, fleet_namespace="headgate-system"),
            Ledger(Store(self.kv), self.redactor),
            sender or self.direct,
            clock=self.clock,
            holder=f"operator-{next(self._holders)}",
            fence=fence or (lambda: None),
            metrics=RefreshMetrics(CollectorRegistry()),
            redactor=self.redactor,
        )

    async def until_settled(self, operator: RefreshExecutor, refused: int | None = None, looks: int = 30) -> Result:
        """Let an operator look as often as it wants to, at the times it asks for, until it has tokens or nothing to wait for."""
        result: Result = Rest(None, None, ConditionReason.PENDING, "")
        for _ in range(looks):
            result = await operator.refresh(self.key, refused)
            if isinstance(result, Renewed) or result.until is None:
                return result
            if result.reason is ConditionReason.SCHEDULED:
                return result
            self.clock.advance(max(1.0, (result.until - self.clock.now()).total_seconds()))
        return result

    async def grant(self) -> GrantRecord | None:
        """Return the grant that Vault holds."""
        found = await self._latest(grant_path(NS, self.name))
        there = found is not None and "forgotten_grant" not in found.data
        return GrantRecord.model_validate(found.data) if found is not None and there else None

    async def grant_id(self) -> str:
        """Return the id of the grant that Vault holds."""
        grant = await self.grant()
        assert grant is not None
        return grant.grant_id

    async def access(self) -> AccessRecord | None:
        """Return what proxies read."""
        found = await self._latest(access_path(NS, self.name))
        return AccessRecord.model_validate(found.data) if found is not None else None

    async def _latest(self, path: str) -> VaultRecord | None:
        if self.vault is not None:
            return await self.vault.read(path)
        data = self.memory.latest(path)
        return VaultRecord(data, 1) if data is not None else None

    async def works(self) -> bool:
        """Tell whether the vendor takes the token that proxies read, and the refresh token behind it."""
        access, grant = await self.access(), await self.grant()
        if access is None or grant is None or grant.refresh_token is None:
            return False
        holder = self.server.grants.of(grant.refresh_token.reveal())
        spendable = holder is not None and not holder.revoked and grant.refresh_token.reveal() == holder.refresh_token
        return spendable and self.credentials.oauth_tokens.get(access.access_token.reveal()) is TokenState.VALID

    async def look(self) -> None:
        """Reconcile the account as a freshly started operator."""
        store = Store(self.kv)
        kube = cast("Kube", self.kube)
        executor = Executor(kube, store, self.told, self.clock, CredentialMetrics(CollectorRegistry()))
        guards = Guards(kube, RevisionStore(kube, lambda: None), Standing(kube, "headgate-system"), "headgate-system")
        await AccountReconciler(kube, store, executor, self.told, self.redactor, guards).reconcile(self.key)

    async def told_of(self, type_: str = "RefreshHealthy") -> tuple[str, str, str]:
        """Return what ``condition`` does, of a condition that must be there."""
        found = await self.condition(type_)
        assert found is not None
        return found

    async def condition(self, type_: str = "RefreshHealthy") -> tuple[str, str, str] | None:
        """Reconcile the account and return (status, reason, message) of a condition."""
        await self.look()
        body = self.kube.objects[self.key.kind, NS, self.name]
        for found in body["status"]["conditions"]:
            if found["type"] == type_:
                return found["status"], found["reason"], found["message"]
        return None

    def advance_to(self, moment: datetime) -> None:
        """Move the clock forward to a moment (never back)."""
        self.clock.advance(max(0.0, (moment - self.clock.now()).total_seconds()))

    def advance(self, **span: float) -> None:
        self.clock.advance(timedelta(**span).total_seconds())
