"""The proxy as the process a pod runs, with a real API server, a real OpenBao and the emulated vendor around it."""

import base64
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from headgate_api import names
from headgate_api.resources import LLMProviderSpec
from headgate_api.resources.proxyfleet import Allowances, CallerTokens, Limits
from headgate_api.secret import Secret
from headgate_api.snapshot import (
    CHUNK_KEY,
    HEAD_KEY,
    CredentialPointer,
    FleetSettings,
    Head,
    ProviderEntry,
    ProviderForm,
    Snapshot,
    pack,
)
from headgate_api.vault import DEFAULT_MOUNT, PROXY_ROLE, APIKeyRecord, api_key_path
from headgate_dev.cluster import Cluster
from headgate_dev.host.network import free_ports

SYSTEM = "headgate-system"
MODEL = "claude-sonnet-4-6"
PROGRAM = "import sys; from headgate_proxy.main import main; sys.exit(main(sys.argv[1:]))"


class ProxyProcess:
    """One container of a pod: started, asked, signalled, restarted with the same state folder."""

    def __init__(self, environ: dict[str, str], folder: Path) -> None:
        self.environ = environ
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._starts = 0

    def start(self) -> Self:
        self._starts += 1
        http, admin = free_ports(2)
        environ = {**self.environ, "HEADGATE_PORT_HTTP": str(http), "HEADGATE_PORT_ADMIN": str(admin)}
        self.url, self.admin = f"http://127.0.0.1:{http}", f"http://127.0.0.1:{admin}"
        with self.file("stdout").open("wb") as out, self.file("stderr").open("wb") as err:
            self._process = subprocess.Popen([sys.executable, "-c", PROGRAM], env=environ, stdout=out, stderr=err)
        return self

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def file(self, stream: str) -> Path:
        return self._folder / f"{stream}-{self._starts}"

    def lines(self, stream: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.file(stream).read_text().splitlines()]

    def everything_written(self) -> str:
        return "".join(path.read_text() for path in sorted(self._folder.glob("std*")))

    def probe(self) -> dict[str, Any]:
        return dict(httpx.get(f"{self.admin}/readyz", timeout=5).json())

    def metrics(self) -> str:
        return httpx.get(f"{self.admin}/metrics", timeout=5).text

    def wait_for_reason(self, reason: str, containing: str = "", seconds: float = 60) -> dict[str, Any]:
        """Probe, as a kubelet does, until the answer gives this reason and holds this text; return it."""
        until = time.monotonic() + seconds
        seen: object = None
        while time.monotonic() < until:
            assert self.process.poll() is None, self.file("stderr").read_text()
            try:
                seen = self.probe()
            except httpx.TransportError as error:
                seen = error
            if isinstance(seen, dict) and seen["reason"] == reason and containing in str(seen):
                return seen
            time.sleep(0.05)
        raise AssertionError(f"/readyz never said {reason} {containing}: {seen}\n{self.file('stderr').read_text()}")

    def ask(self, token: str, text: str = "hello", *, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        """Send one message that is not streamed; return status and JSON."""
        body = {"model": MODEL, "max_tokens": 100, "messages": [{"role": "user", "content": text}]}
        sent = {"authorization": f"Bearer {token}", "anthropic-version": "2023-06-01"} | (headers or {})
        answer = httpx.post(f"{self.url}/v1/messages", json=body, headers=sent, timeout=20)
        return answer.status_code, answer.json()

    def kill(self) -> None:
        if self._process is not None:
            if self._process.poll() is None:
                self._process.kill()
            self._process.wait()


class Installation:
    """What the operator would have put around one fleet."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster = cluster
        self.folder = folder
        self.fleet = f"t{uuid.uuid4().hex[:8]}"
        self.tenant = f"tenant-{self.fleet}"
        self.caller = ""

    def prepare(self) -> None:
        account = names.proxy_name(self.fleet)
        self.cluster.kubectl("create", "serviceaccount", account, "-n", SYSTEM)
        self.cluster.kubectl("create", "namespace", self.tenant)
        self.cluster.kubectl("create", "serviceaccount", "agent", "-n", self.tenant)
        self.caller = self.cluster.create_token(self.tenant, "agent", audience=names.AUDIENCE_CALLER)
        (self.folder / "vault-token").write_text(self.cluster.create_token(SYSTEM, account, audience="vault"))

    def environ(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "PYTHONWARNINGS": "error",
            "KUBECONFIG": str(self.cluster.kubeconfig),
            "HEADGATE_VAULT_ADDR": self.cluster.bao.address,
            "HEADGATE_VAULT_ROLE": PROXY_ROLE,
            "HEADGATE_VAULT_TOKEN_FILE": str(self.folder / "vault-token"),
            "HEADGATE_FLEET": self.fleet,
            "HEADGATE_NAMESPACE": SYSTEM,
            "HEADGATE_POD_NAME": "proxy-0",
            "HEADGATE_BROKER_TOKEN_FILE": str(self.folder / "broker-token"),
            "HEADGATE_STATE_DIR": str(self.folder / "state"),
            "HEADGATE_DRAIN_SECONDS": "20",
        }

    def write_key(self, key: str, endpoint: str) -> CredentialPointer:
        path = api_key_path(self.tenant, "claude")
        record = APIKeyRecord(origins=(endpoint,), value=Secret(key)).to_vault()
        answer = self.cluster.bao.client().secrets.kv.v2.create_or_update_secret(
            path, secret=record, mount_point=DEFAULT_MOUNT
        )
        return CredentialPointer(path=path, version=answer["data"]["version"])

    def publish(
        self, endpoint: str, pointer: CredentialPointer, candidate: CredentialPointer | None = None, **head: Any
    ) -> str:
        """Publish one API-key provider, with ``head`` as further fields of the head; return the snapshot's revision."""
        spec = LLMProviderSpec.model_validate(
            {
                "protocol": "Anthropic",
                "endpoint": endpoint,
                "models": [{"name": MODEL}],
                "auth": {"modes": ["APIKey"], "apiKey": {}},
            }
        )
        keys = json.loads(self.cluster.kubectl("get", "--raw", "/openid/v1/jwks"))
        issuer = json.loads(self.cluster.kubectl("get", "--raw", "/.well-known/openid-configuration"))["issuer"]
        snapshot = Snapshot(
            fleet=FleetSettings(
                allowed_namespaces=("*",),
                allowances=Allowances(plain_http=True, private_addresses=True),
                caller_tokens=CallerTokens(),
                limits=Limits(),
                issuer=issuer,
                jwks=keys,
            ),
            providers=(
                ProviderEntry(
                    namespace=self.tenant,
                    name="claude",
                    generation=1,
                    stable=ProviderForm(revision="r1", spec=spec, api_key=pointer),
                    candidate=None if candidate is None else ProviderForm(revision="r2", spec=spec, api_key=candidate),
                    policy=f"{self.tenant}/gate",
                ),
            ),
        )
        revision, chunks = pack(snapshot)
        for digest, data in chunks.items():
            self._config_map(names.chunk_name(digest), {"binaryData": {CHUNK_KEY: base64.b64encode(data).decode()}})
        published = Head(revision=revision, chunks=tuple(chunks), **head)
        self._config_map(names.head_name(self.fleet), {"data": {HEAD_KEY: published.to_json()}})
        return revision

    def _config_map(self, name: str, content: dict[str, Any]) -> None:
        metadata = {"name": name, "namespace": SYSTEM}
        self.cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **content})


@pytest.fixture
def installation(cluster: Cluster, tmp_path: Path) -> Installation:
    made = Installation(cluster, tmp_path)
    made.prepare()
    return made


@pytest.fixture
def proxy(installation: Installation, tmp_path: Path) -> Iterator[ProxyProcess]:
    process = ProxyProcess(installation.environ(), tmp_path)
    yield process
    process.kill()
