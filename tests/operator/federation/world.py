"""A provider with a workload identity, an API server that signs, and a vendor that verifies; operators that can be made to fight.

The vendor's semantics are the emulator's own, and it verifies each assertion by the signing key's JWKS.
"""

import itertools
import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, cast

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from prometheus_client import CollectorRegistry
from tests.operator.credentials.objects import NS, PROVIDER, START, provider
from tests.operator.credentials.world import Faults, MemoryKube, MemoryVault, Told
from tests.operator.refresh.world import Direct

from headgate_api import names
from headgate_api.clock import ManualClock
from headgate_api.redaction import Redactor
from headgate_api.resources import LLMProvider
from headgate_api.vault import FederatedRecord
from headgate_dev.emulator import TokenState
from headgate_dev.emulator.anthropic.vendor import Anthropic
from headgate_dev.emulator.credentials import Credentials
from headgate_dev.emulator.oauth import Federation as VendorFederation
from headgate_dev.emulator.oauth import FederationRule, OAuthServer, WithOAuth
from headgate_operator.credentials.executor import Executor
from headgate_operator.credentials.metrics import CredentialMetrics
from headgate_operator.credentials.store import KeyValue, Store
from headgate_operator.engine.keys import Key
from headgate_operator.federation.assertion import Assertions
from headgate_operator.federation.executor import FederationExecutor
from headgate_operator.federation.memory import Memory
from headgate_operator.federation.metrics import FederationMetrics
from headgate_operator.federation.settings import Federation, federation_of
from headgate_operator.provider.reconciler import ProviderReconciler
from headgate_operator.refresh.executor import Result, Sender
from headgate_operator.revisions.guards import Guards
from headgate_operator.revisions.held import Held
from headgate_operator.revisions.standing import Standing
from headgate_operator.revisions.store import RevisionStore
from headgate_runtime.kube import Kube, KubeError, KubeUnavailable

ISSUER = "https://cluster.example"
AUDIENCE = "https://api.vendor.example"
AUTH: dict[str, Any] = {
    "serviceAccountName": "caller",
    "audience": AUDIENCE,
    "federationRuleId": "fdrl_1",
    "organizationId": "org-1",
    "serviceAccountId": "svac_1",
}
RULE = FederationRule("fdrl_1", "org-1", "svac_1", ISSUER, AUDIENCE, f"system:serviceaccount:{NS}:caller")


class SigningKube(MemoryKube):
    """An API server that signs tokens of the ServiceAccounts it has, where it lets the operator."""

    def __init__(self, faults: Faults, clock: ManualClock) -> None:
        super().__init__(faults)
        self._clock = clock
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._count = itertools.count(1)
        self.accounts = {(NS, "caller")}
        self.trouble: Literal["forbidden", "away"] | None = None
        self.minted: list[str] = []
        self.own_audiences = [ISSUER, "api.of.this.cluster"]

    @property
    def jwks(self) -> dict[str, Any]:
        key = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self._key.public_key()))
        return {"keys": [key | {"kid": "k1", "alg": "ES256"}]}

    async def token_request(
        self, namespace: str, name: str, *, audiences: Sequence[str], seconds: int
    ) -> dict[str, Any]:
        self._faults.before()
        if self.trouble == "away":
            raise KubeUnavailable("the API server answers 503")
        if self.trouble == "forbidden":
            raise KubeError(403, "Forbidden", "serviceaccounts is forbidden")
        if (namespace, name) not in self.accounts:
            raise KubeError(404, "NotFound", "not found")
        now = int(self._clock.now().timestamp())
        claims = {
            "iss": ISSUER,
            "sub": f"system:serviceaccount:{namespace}:{name}",
            "aud": list(audiences),
            "iat": now,
            "exp": now + seconds,
            "jti": f"jti-{next(self._count)}",
        }
        token = jwt.encode(claims, self._key, algorithm="ES256", headers={"kid": "k1"})
        self.minted.append(token)
        self._faults.after()
        return {"token": token}

    async def token_review(self, token: str, audiences: Sequence[str]) -> dict[str, Any]:
        self._faults.before()
        claims = jwt.decode(token, options={"verify_signature": False})
        taken = [*(audiences or self.own_audiences)]
        return {"authenticated": any(audience in claims["aud"] for audience in taken)}


class World:
    """Everything around one provider."""

    def __init__(self, vault: KeyValue | None = None, *, modes: Sequence[str] = ("WorkloadIdentity",)) -> None:
        self.clock = ManualClock(START)
        self.faults = Faults()
        self.kube = SigningKube(self.faults, self.clock)
        self.vault = MemoryVault(self.faults)
        self.kv: KeyValue = vault or self.vault
        self.credentials = Credentials()
        self.vendor = VendorFederation(RULE, issuers={ISSUER: self.kube.jwks})
        self.oauth = OAuthServer()
        whole = WithOAuth(Anthropic(), self.oauth, self.vendor)
        self.direct = Direct(whole, self.credentials, self.clock, self.faults)
        self.told = Told()
        self.redactor = Redactor()
        self.memory = Memory()
        self.modes = tuple(modes)
        self.asked: list[Key] = []
        fleet = {"image": "h", "allowedNamespaces": ["*"]}
        meta = {"namespace": "headgate-system", "name": "default"}
        self.kube.put({"apiVersion": names.API_VERSION, "kind": "ProxyFleet", "metadata": meta, "spec": fleet})
        self.apply()

    def apply(self, *, endpoint: str = AUDIENCE, **auth: Any) -> None:
        """Apply the provider with its workload identity changed."""
        body = provider(endpoint, modes=self.modes)
        if "WorkloadIdentity" in self.modes:
            body["spec"]["auth"]["workloadIdentity"] = AUTH | auth
        self.kube.put(body)

    @property
    def federation(self) -> Federation:
        """The settings of the provider as it was applied last."""
        found = federation_of(NS, PROVIDER.name, self.provider.spec)
        assert found is not None
        return found

    @property
    def provider(self) -> LLMProvider:
        return LLMProvider.from_wire(self.kube.objects[PROVIDER.kind, NS, PROVIDER.name])

    def executor(
        self, sender: Sender | None = None, fence: Callable[[], None] | None = None, memory: Memory | None = None
    ) -> FederationExecutor:
        """Return the executor of a freshly started operator (of this one, when it shares ``memory``)."""
        mine = memory or Memory()
        if memory is None:
            mine.want(PROVIDER, [self.federation])
        kube = cast("Kube", self.kube)
        return FederationExecutor(
            kube,
            Store(self.kv),
            Assertions(kube, self.redactor, operator="system:serviceaccount:headgate-system:headgate-operator"),
            sender or self.direct,
            mine,
            fleet_namespace="headgate-system",
            clock=self.clock,
            fence=fence or (lambda: None),
            metrics=FederationMetrics(CollectorRegistry()),
            redactor=self.redactor,
        )

    async def exchange(self, refused: int | None = None) -> Result:
        """Let this operator look once."""
        if self.memory.federation(self.federation.key) is None:
            self.memory.want(PROVIDER, [self.federation])
        return await self.executor(memory=self.memory).refresh(self.federation.key, refused)

    def due(self, key: Key, origin: str, expires: datetime | None) -> None:
        """Take note of what a look finds due, as the refresher would."""
        self.asked.append(key)

    async def look(self) -> float | None:
        """Reconcile the provider, exchange what that finds due, and reconcile again; return when it wants to look next."""
        self.asked.clear()
        again = await self._reconcile()
        for key in dict.fromkeys(self.asked):
            await self.executor(memory=self.memory).refresh(key)
        return await self._reconcile() if self.asked else again

    async def _reconcile(self) -> float | None:
        kube, store = cast("Kube", self.kube), Store(self.kv)
        executor = Executor(kube, store, self.told, self.clock, CredentialMetrics(CollectorRegistry()))
        revisions = RevisionStore(kube, lambda: None)
        guards = Guards(kube, revisions, Standing(kube, "headgate-system"), "headgate-system")
        reconciler = ProviderReconciler(
            kube,
            store,
            executor,
            self.told,
            self.redactor,
            guards,
            Held(kube, guards, revisions),
            fleet_namespace="headgate-system",
            refreshes=self,
            memory=self.memory,
        )
        return await reconciler.reconcile(PROVIDER)

    def record(self, federation: Federation | None = None) -> FederatedRecord | None:
        """Return the latest token at the path of some settings."""
        data = self.vault.latest((federation or self.federation).path)
        return FederatedRecord.model_validate(data) if data is not None else None

    def condition(self, type_: str = "CredentialsReady") -> tuple[str, str, str]:
        found = next(c for c in self.provider.status.conditions if c.type == type_)
        assert "***" not in found.message, "no word of ours looks like a credential"
        return found.status, found.reason, found.message

    def works(self) -> bool:
        """Tell whether the vendor takes the token that Vault holds."""
        record = self.record()
        return (
            record is not None and self.credentials.oauth_tokens.get(record.access_token.reveal()) is TokenState.VALID
        )

    def advance(self, **span: float) -> None:
        self.clock.advance(timedelta(**span).total_seconds())
