"""The real edge on loopback in front of the emulated vendor, with credentials in memory and every trace event kept."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import aiohttp
import anthropic
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from headgate_api import vault
from headgate_api.clock import SystemClock
from headgate_api.secret import Secret
from headgate_api.snapshot import (
    AccountEntry,
    AccountForm,
    CredentialPointer,
    FleetSettings,
    Head,
    ProviderEntry,
    ProviderForm,
    Snapshot,
)
from headgate_dev.emulator import Emulator
from headgate_proxy.credentials.refreshing import RefreshOutcome
from headgate_proxy.edge.handler import Ports
from headgate_proxy.edge.ports import Outcome
from headgate_proxy.edge.server import Edge, EdgeSettings
from headgate_proxy.routing.routing import Routing
from headgate_proxy.selection.states import Exhausted, Failure, Fallback, Held, Selection
from headgate_proxy.selection.verdicts import Verdicts
from headgate_proxy.tracks.decide import Decision

API_KEY = "emulated-api-key"
OAUTH = "emulated-oauth-token"
ISSUER = "https://kubernetes.default.svc"
GRANT = "0123456789abcdef01234567"
WORKLOAD = {
    "serviceAccountName": "caller",
    "audience": "https://api.anthropic.com",
    "federationRuleId": "fdrl_1",
    "organizationId": "org-1",
    "serviceAccountId": "svac_1",
}


class Cluster:
    """Issues ServiceAccount tokens as the API server does."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        public = jwt.algorithms.ECAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        self.jwks = {"keys": [public | {"kid": "k1", "use": "sig", "alg": "ES256"}]}

    def token(self, account: str = "agent", namespace: str = "team-a", **claims: Any) -> str:
        now = int(SystemClock().now().timestamp())
        body = {
            "iss": ISSUER,
            "aud": ["headgate"],
            "iat": now,
            "nbf": now,
            "exp": now + 3600,
            "kubernetes.io": {
                "namespace": namespace,
                "serviceaccount": {"name": account, "uid": f"uid-{account}"},
            },
        }
        return jwt.encode(body | claims, self._key, algorithm="ES256", headers={"kid": "k1"})


@dataclass
class Memory:
    """Credentials by path; ``vault`` holds what a reread would find."""

    held: dict[str, Held] = field(default_factory=dict)
    vault: dict[str, Held] = field(default_factory=dict)
    rereads: int = 0

    def get(self, pointer: CredentialPointer) -> Held | None:
        return self.held.get(pointer.path)

    async def reread(self, pointer: CredentialPointer) -> Held | None:
        self.rereads += 1
        newest = self.vault.get(pointer.path)
        if newest is not None:
            self.held[pointer.path] = newest
        return self.held.get(pointer.path)


@dataclass
class ControlPlane:
    """Whoever is asked for refreshes; ``renews`` does it, and says what came of it."""

    asked: list[tuple[str, int]] = field(default_factory=list)
    renews: Callable[[str, int], Awaitable[RefreshOutcome]] | None = None

    async def ask(self, path: str, version: int) -> RefreshOutcome:
        self.asked.append((path, version))
        return RefreshOutcome.NO_BROKER if self.renews is None else await self.renews(path, version)


@dataclass
class Configuration:
    routing: Routing | None = None
    revision: str | None = "r-test"
    head: Head | None = None
    confirmed: bool = True


@dataclass
class Trace:
    """Keeps the events of one request."""

    request_id: str
    path: str
    sampled: bool = False
    traceparent: str | None = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
    decisions: list[Selection | Exhausted] = field(default_factory=list)
    fallbacks: list[Fallback] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    refreshes: list[RefreshOutcome] = field(default_factory=list)
    first_bytes: list[int] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def authenticated(self, caller: object) -> None: ...

    def routed(self, route: object, revision: str | None, *, streaming: bool) -> None: ...

    def decided(self, decision: Decision) -> None: ...

    @contextmanager
    def relaying(self, decision: Decision) -> Iterator[None]:
        yield

    def not_relayed(self, instead: Decision) -> None: ...

    def admitted(self, policy: str, revision: str, request_id: str) -> None: ...

    def selected(self, decision: Selection | Exhausted) -> None:
        self.decisions.append(decision)

    def fell_back(self, fallback: Fallback) -> None:
        self.fallbacks.append(fallback)

    @contextmanager
    def upstream(self, selection: Selection) -> Iterator[None]:
        yield

    def failed(self, selection: Selection, failure: Failure) -> None:
        self.failures.append(failure)

    def refresh_asked(self, selection: Selection, outcome: RefreshOutcome) -> None:
        self.refreshes.append(outcome)

    def first_byte(self, status: int) -> None:
        self.first_bytes.append(status)

    def finished(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self.ended.set()


@dataclass
class Tracing:
    traces: list[Trace] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    def begin(self, headers: Mapping[str, str], *, request_id: str, method: str, path: str) -> Trace:
        self.traces.append(Trace(request_id, path))
        self.begun.set()
        return self.traces[-1]


class Gate:
    """An edge and everything a test turns on it: apply objects, hold credentials, send requests."""

    def __init__(self, emu: Emulator, stack: AsyncExitStack) -> None:
        self.emu = emu
        self.cluster = Cluster()
        self.credentials = Memory()
        self.control_plane = ControlPlane()
        self.live = Configuration()
        self.tracing = Tracing()
        self.verdicts = Verdicts(SystemClock())
        self.providers: dict[str, ProviderEntry] = {}
        self.accounts: dict[str, AccountEntry] = {}
        self.fleet: dict[str, Any] = {
            "allowedNamespaces": ["team-a", "team-b"],
            "allowances": {"plainHTTP": True, "privateAddresses": True},
        }
        self._stack = stack
        self.edge: Edge

    async def start(self, **options: Any) -> None:
        bounds: dict[str, Any] = {"port": 0, "port_https": 0, "body_seconds": 20}
        bounds |= {name: options.pop(name) for name in ("port", "body_seconds", "buffered_bytes") if name in options}
        settings = EdgeSettings(host="127.0.0.1", settle_seconds=0.0, **bounds)
        ports = Ports(
            self.live, self.credentials, self.verdicts, self.tracing, SystemClock(), refreshes=self.control_plane
        )
        self.edge = Edge(ports, settings, **options)
        await self.edge.start()
        self._stack.push_async_callback(self.edge.close)
        self.http = await self._stack.enter_async_context(aiohttp.ClientSession(auto_decompress=False))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.edge.port}"

    @property
    def trace(self) -> Trace:
        return self.tracing.traces[-1]

    def publish(self) -> None:
        """Hand the present objects to the edge, as the configuration follower would."""
        fleet = FleetSettings.model_validate(
            {"callerTokens": {}, "limits": {}, "issuer": ISSUER, "jwks": self.cluster.jwks} | self.fleet
        )
        snapshot = Snapshot(
            fleet=fleet, providers=tuple(self.providers.values()), accounts=tuple(self.accounts.values())
        )
        self.live.routing = Routing.build(snapshot)
        self.verdicts.follow(self.live.routing)

    def hold(
        self, path: str, value: str, *, version: int = 1, origins: tuple[str, ...] | None = None, **more: Any
    ) -> None:
        bound = frozenset(origins if origins is not None else (self.emu.url,))
        self.credentials.held[path] = Held(Secret(value), bound, path, version, **more)

    def provider(
        self,
        name: str = "claude",
        *,
        namespace: str = "team-a",
        modes: tuple[str, ...] = ("APIKey",),
        fallback: dict[str, str] | None = None,
        key: str | None = API_KEY,
        version: int = 1,
        federated: str | None = None,
        expires_at: datetime | None = None,
        **spec: Any,
    ) -> None:
        path = vault.api_key_path(namespace, name)
        body = {
            "protocol": "Anthropic",
            "endpoint": self.emu.url,
            "models": [{"name": "claude-sonnet-5-5"}],
            "auth": {"modes": list(modes), "fallback": fallback or {}}
            | ({"apiKey": {}} if "APIKey" in modes else {})
            | ({"subscription": {}} if "Subscription" in modes else {})
            | ({"workloadIdentity": WORKLOAD} if "WorkloadIdentity" in modes else {}),
        }
        form = ProviderForm.model_validate(
            {"revision": "r1", "spec": body | spec, "apiKey": {"path": path, "version": version}}
        )
        if federated is not None:
            pointer = CredentialPointer(path=vault.federated_path(namespace, name, GRANT), version=1)
            form = form.model_copy(update={"workload_identity": pointer})
            self.hold(pointer.path, federated, expires_at=expires_at)
        self.providers[f"{namespace}/{name}"] = ProviderEntry(namespace=namespace, name=name, generation=1, stable=form)
        if key is not None:
            self.hold(path, key, version=version)
        self.publish()

    def account(
        self,
        name: str = "max",
        *,
        token: str | None = OAUTH,
        namespace: str = "team-a",
        provider: str = "claude",
        acknowledged: bool = True,
        version: int = 1,
        expires_at: datetime | None = None,
        account_id: str | None = None,
        **spec: Any,
    ) -> None:
        path = vault.access_path(namespace, name)
        body = {
            "providerRef": {"name": provider},
            "owner": {"email": "a@example.test", "subjects": [{"name": "agent"}]},
        }
        form = AccountForm.model_validate(
            {
                "revision": "r1",
                "spec": body | spec,
                "acknowledged": acknowledged,
                "access": {"path": path, "version": version},
            }
        )
        self.accounts[f"{namespace}/{name}"] = AccountEntry(namespace=namespace, name=name, generation=1, stable=form)
        if token is not None:
            self.hold(path, token, version=version, expires_at=expires_at, account_id=account_id)
        self.publish()

    def headers(self, **token: Any) -> dict[str, str]:
        return {
            "authorization": f"Bearer {self.cluster.token(**token)}",
            "anthropic-version": "2023-06-01",
            "content-type": "application/json",
        }

    def sdk(self, **token: Any) -> anthropic.AsyncAnthropic:
        return anthropic.AsyncAnthropic(
            api_key=self.cluster.token(**token), base_url=self.url, max_retries=0, http_client=None
        )


def message(text: str = "hello", **more: Any) -> dict[str, Any]:
    return {
        "model": "claude-sonnet-5-5",
        "max_tokens": 64,
        "messages": [{"role": "user", "content": text}],
    } | more


@pytest.fixture
async def emu() -> AsyncIterator[Emulator]:
    async with Emulator(api_keys=[API_KEY], oauth_tokens=[OAUTH]) as emulator:
        yield emulator


@pytest.fixture
async def gate(emu: Emulator) -> AsyncIterator[Gate]:
    async with AsyncExitStack() as stack:
        gate = Gate(emu, stack)
        gate.publish()
        await gate.start()
        yield gate


@pytest.fixture
def body() -> Any:
    return message
