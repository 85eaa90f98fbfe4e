"""A stable and a canary proxy in one process, with TLS between them, the emulated vendor behind, and one guarded provider.

The stable form uses one API key and the candidate another, so that the vendor's journal tells which form served a request.
"""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry

from headgate_api import names
from headgate_api.clock import SystemClock
from headgate_api.redaction import Redactor
from headgate_api.report import TrackCounts
from headgate_api.secret import Secret
from headgate_api.snapshot import (
    AccountEntry,
    AccountForm,
    CredentialPointer,
    Endpoint,
    FleetSettings,
    Head,
    ProviderEntry,
    ProviderForm,
    Snapshot,
    Split,
)
from headgate_dev.emulator import Emulator
from headgate_dev.emulator.tls import throwaway_tls
from headgate_proxy.edge.handler import Ports, Tracks
from headgate_proxy.edge.server import Edge, EdgeSettings
from headgate_proxy.routing.routing import Routing
from headgate_proxy.selection.states import Held
from headgate_proxy.selection.verdicts import Verdicts
from headgate_proxy.telemetry.exporting import RedactingExporter, client_trace_config, tracer_provider
from headgate_proxy.telemetry.metrics import ProxyMetrics
from headgate_proxy.telemetry.requestlog import RequestLog
from headgate_proxy.telemetry.telemetry import Telemetry
from headgate_proxy.tls.trust import client_context
from headgate_proxy.tracks.admission import Admission
from headgate_proxy.tracks.canary import CanaryClient
from headgate_proxy.tracks.counts import RolloutCounts
from headgate_proxy.tracks.peers import Peers
from headgate_proxy.tracks.relay_token import RelayToken
from headgate_runtime.certificates import Pair
from headgate_runtime.serving_tls import ServingTLS

STABLE, CANDIDATE = "emulated-key-stable", "emulated-key-candidate"
ISSUER = "https://kubernetes.default.svc"
POLICY, REVISION = "team-a/gate", "abc123-1"
MODEL = "claude-sonnet-4-5"
PATH = "team-a/llmproviders/claude/api-key"
FLEET, SYSTEM = "edge", "headgate-system"
SERVER_NAME = names.proxy_server_name(FLEET, SYSTEM)
TESTER = "system:serviceaccount:team-a:tester"


@dataclass
class Live:
    """A pod's configuration in use."""

    routing: Routing | None = None
    revision: str | None = "r-test"
    head: Head | None = None
    confirmed: bool = True


@dataclass
class Memory:
    """Credentials by pointer."""

    held: dict[tuple[str, int], Held] = field(default_factory=dict)

    def get(self, pointer: CredentialPointer) -> Held | None:
        return self.held.get((pointer.path, pointer.version))

    async def reread(self, pointer: CredentialPointer) -> Held | None:
        return self.get(pointer)


class Pod:
    """One proxy with its own telemetry."""

    def __init__(self, world: "World", track: str) -> None:
        clock = SystemClock()
        self.track = track
        self.live = Live()
        self.registry = CollectorRegistry()
        self.metrics = ProxyMetrics(self.registry)
        self.spans = InMemorySpanExporter()
        self.written: list[bytes] = []
        self.ended = asyncio.Event()
        redactor = Redactor()
        processor = SimpleSpanProcessor(RedactingExporter(self.spans, redactor, self.metrics.export_failed))
        provider = tracer_provider(processor, fleet=FLEET, namespace=SYSTEM, pod=track)
        telemetry = Telemetry(
            self.metrics,
            RequestLog(self._write, redactor, clock),
            clock,
            tracer=provider.get_tracer("test"),
            sampling_percent=0,
            track=track,
            source=random.Random(1),  # noqa: S311 - no secret
        )
        self.counts = RolloutCounts(clock)
        self.client: CanaryClient | None = None
        peers = Peers(clock, fleet=FLEET, namespace=SYSTEM)
        tracing = [client_trace_config(provider)]
        if track == "stable":
            self.client = CanaryClient(
                RelayToken(world.token_file, redactor, clock),
                clock,
                server_name=SERVER_NAME,
                context=client_context,
                ejected=self.metrics.canary_ejected,
                trace_configs=tracing,
            )
            tracks = Tracks(self.client, self.counts, peers=peers)
        else:
            tracks = Tracks(admission=Admission(peers))
        ports = Ports(self.live, world.credentials, Verdicts(clock), telemetry, clock, tracks)
        tls = None
        if track == "canary":
            tls = ServingTLS(clock, plain_answer=lambda: b"")
            tls.take(Pair(world.tls.certificate_pem, Secret(world.tls.key_pem)), SERVER_NAME)
        settings = EdgeSettings(port=0, port_https=0, host="127.0.0.1", settle_seconds=0.5, body_seconds=20)
        self.edge = Edge(ports, settings, tls=tls, trace_configs=tracing)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.written]

    def sample(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"headgate_proxy_{name}", labels)

    def follow(self, routing: Routing, head: Head) -> None:
        self.live.routing, self.live.head = routing, head
        self.counts.follow(head)
        self.metrics.follow(head)
        if self.client is not None:
            self.client.follow(head)

    async def close(self) -> None:
        await self.edge.close()
        if self.client is not None:
            await self.client.close()

    async def done(self, requests: int = 1) -> dict[str, Any]:
        """Wait until this many requests have ended; return the last one's log line."""
        async with asyncio.timeout(10):
            while len(self.written) < requests:
                self.ended.clear()
                await self.ended.wait()
        return self.lines[-1]

    def _write(self, line: bytes) -> None:
        self.written.append(line)
        self.ended.set()


class World:
    """Both pods and all that a test turns on them."""

    def __init__(self, emu: Emulator, folder: Path) -> None:
        self.emu = emu
        self.token_file = folder / "relay-token"
        self.tls = throwaway_tls((SERVER_NAME,))
        self.credentials = Memory()
        self._key = ec.generate_private_key(ec.SECP256R1())
        public = jwt.algorithms.ECAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        self.jwks = {"keys": [public | {"kid": "k1", "use": "sig", "alg": "ES256"}]}
        self.token_file.write_text(self.relay_token())
        self.split: dict[str, Any] = {"weight": 10_000, "testers": (TESTER,)}
        self.candidate: dict[str, Any] = {}
        self.spec: dict[str, Any] = {}
        """What both forms of the provider have instead of the usual."""
        self.has_stable = True
        self.accounts: tuple[AccountEntry, ...] = ()
        self.trust: str | None = self.tls.ca_pem
        self.stable = Pod(self, "stable")
        self.canary = Pod(self, "canary")
        self.endpoints: list[Endpoint] = []
        self.http: aiohttp.ClientSession
        for version, key in ((1, STABLE), (2, CANDIDATE)):
            self.credentials.held[PATH, version] = Held(Secret(key), frozenset({emu.url}), PATH, version)

    async def start(self, stack: AsyncExitStack) -> None:
        for pod in (self.canary, self.stable):
            await pod.edge.start()
            stack.push_async_callback(pod.close)
        self.http = await stack.enter_async_context(aiohttp.ClientSession(auto_decompress=False))
        self.endpoints = [Endpoint(pod="canary-0", address="127.0.0.1", port=self.canary.edge.port_https)]
        self.publish()

    def token(self, account: str = "agent", namespace: str = "team-a", **claims: Any) -> str:
        now = int(SystemClock().now().timestamp())
        body = {
            "iss": ISSUER,
            "aud": [names.AUDIENCE_CALLER],
            "iat": now,
            "nbf": now,
            "exp": now + 3600,
            "kubernetes.io": {
                "namespace": namespace,
                "serviceaccount": {"name": account, "uid": f"uid-{account}"},
                "pod": {"name": f"{account}-0", "uid": f"uid-{account}-0"},
            },
        }
        return jwt.encode(body | claims, self._key, algorithm="ES256", headers={"kid": "k1"})

    def relay_token(self, account: str = names.proxy_name(FLEET), namespace: str = SYSTEM, **claims: Any) -> str:
        return self.token(account, namespace, **{"aud": [names.AUDIENCE_RELAY]} | claims)

    def publish(self, *pods: Pod) -> None:
        """Hand the present objects and the present split to the pods (both by default)."""
        fleet = FleetSettings.model_validate(
            {
                "allowedNamespaces": ["team-a", "team-b"],
                "allowances": {"plainHTTP": True, "privateAddresses": True},
                "callerTokens": {},
                "limits": {},
                "issuer": ISSUER,
                "jwks": self.jwks,
            }
        )
        entry = ProviderEntry(
            namespace="team-a",
            name="claude",
            generation=1,
            stable=self._form("r1", 1) if self.has_stable else None,
            candidate=self._form("r2", 2, **self.candidate),
            policy=POLICY,
        )
        routing = Routing.build(Snapshot(fleet=fleet, providers=(entry,), accounts=self.accounts))
        split = Split.model_validate({"revision": REVISION, "step": 1, "salt": "s", "weight": 0} | self.split)
        head = Head(
            revision="r-test",
            chunks=(),
            rollouts={POLICY: split} if self.split else {},
            canary_endpoints=tuple(self.endpoints),
            trust_bundle=self.trust,
        )
        for pod in pods or (self.stable, self.canary):
            pod.follow(routing, head)

    def _form(self, revision: str, version: int, **spec: Any) -> ProviderForm:
        body = {
            "protocol": "Anthropic",
            "endpoint": self.emu.url,
            "models": [{"name": MODEL}],
            "auth": {"modes": ["APIKey"], "apiKey": {}},
        }
        return ProviderForm.model_validate(
            {"revision": revision, "spec": body | self.spec | spec, "apiKey": {"path": PATH, "version": version}}
        )

    def account(self) -> None:
        """Add an account of the provider whose token nobody holds."""
        body = {
            "providerRef": {"name": "claude"},
            "owner": {"email": "a@example.test", "subjects": [{"name": "agent"}]},
        }
        form = AccountForm.model_validate({"revision": "r1", "spec": body, "acknowledged": True})
        self.accounts = (AccountEntry(namespace="team-a", name="max", generation=1, stable=form),)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.stable.edge.port}"

    @property
    def served(self) -> list[str | None]:
        """Return the key of each request that the vendor got."""
        return [request.credential for request in self.emu.requests]

    def headers(self, account: str = "agent", **more: str) -> dict[str, str]:
        sent = {
            "authorization": f"Bearer {self.token(account)}",
            "anthropic-version": "2023-06-01",
            "content-type": "application/json",
        }
        return sent | {name.replace("_", "-"): value for name, value in more.items()}

    def post(self, text: str = "hello", *, headers: dict[str, str] | None = None, **more: Any) -> Any:
        return self.http.post(
            f"{self.url}/v1/messages",
            json=message(text, **more),
            headers=self.headers() if headers is None else headers,
        )

    async def ask(self, text: str = "hello", *, headers: dict[str, str] | None = None, **more: Any) -> Any:
        """Send one message and read the whole answer; return the response, its body kept."""
        async with self.post(text, headers=headers, **more) as response:
            await response.read()
            return response

    def counted(self) -> tuple[TrackCounts, TrackCounts]:
        """Return what the stable pod counted of (stable, canary)."""
        (seen,) = self.stable.counts.observations()
        return seen.stable, seen.canary


def message(text: str = "hello", **more: Any) -> dict[str, Any]:
    return {"model": MODEL, "max_tokens": 64, "messages": [{"role": "user", "content": text}]} | more


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with Emulator(api_keys=[STABLE, CANDIDATE]) as emu, AsyncExitStack() as stack:
        world = World(emu, tmp_path)
        await world.start(stack)
        yield world
