"""The whole development cluster as one context manager: components, OpenBao and node, in the order they need each other."""

import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from headgate_api.clock import Clock, SystemClock
from headgate_dev.cluster.access import ClusterAccess
from headgate_dev.cluster.arguments import (
    CONTROLLER_MANAGER,
    Ports,
    apiserver_command,
    controller_manager_command,
    etcd_command,
)
from headgate_dev.cluster.component import Component
from headgate_dev.cluster.errors import CommandError
from headgate_dev.cluster.kubeconfig import token_user, write_kubeconfig
from headgate_dev.cluster.openbao import OpenBao
from headgate_dev.cluster.pki import ClusterPKI
from headgate_dev.cluster.records import write_processes
from headgate_dev.cluster.vault_setup import prepare_vault
from headgate_dev.host.errors import ClusterError
from headgate_dev.host.network import answers, free_ports
from headgate_dev.host.spawner import Spawner
from headgate_dev.node.files import PodFiles
from headgate_dev.toolchain import find_tools

_DEFAULTS_TIMEOUT = 60.0
_NODE_TIMEOUT = 30.0
_TOOLS = ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")


class Cluster(ClusterAccess):
    """etcd, kube-apiserver, kube-controller-manager, OpenBao and the development node on free ports of 127.0.0.1.

    ``state`` is the folder of all its files (default: a temporary one, removed by `stop`). With ``detached`` the processes
    outlive this one (`headgate dev up`); otherwise they end with it, even when it is killed.
    """

    def __init__(
        self, state: Path | None = None, *, node: bool = True, detached: bool = False, clock: Clock | None = None
    ) -> None:
        clock = clock or SystemClock()
        self._temporary = state is None
        state = Path(tempfile.mkdtemp(prefix="headgate-dev-")) if state is None else state
        state.mkdir(parents=True, exist_ok=True)
        state.chmod(0o700)
        self._with_node = node
        self._ports = Ports(*free_ports(5))
        self._tools = find_tools(_TOOLS)
        super().__init__(state, f"https://127.0.0.1:{self._ports.apiserver}", ClusterPKI(state / "pki", clock))
        self._logs = state / "logs"
        self._logs.mkdir(exist_ok=True)
        self._spawner = Spawner(detached=detached)
        self._pods = PodFiles(state / "node")
        token = secrets.token_urlsafe(24)
        write_kubeconfig(self.kubeconfig, self.server_url, self.ca_file, token_user(token))
        self.etcd = self._component("etcd", etcd_command(self._tools["etcd"], state / "etcd", self._ports))
        self.etcd_url = f"http://127.0.0.1:{self._ports.etcd_client}"
        self.apiserver = self._apiserver(token)
        self.controller_manager = self._component(
            "kube-controller-manager",
            controller_manager_command(
                self._tools["kube-controller-manager"], self.kubeconfig_for_user(CONTROLLER_MANAGER), self._pki
            ),
        )
        self.bao = OpenBao(state / "openbao", self._ports, self._spawner, self._logs, self._record_processes)
        self.node = self._component(
            "node",
            [sys.executable, "-m", "headgate_dev.node", f"--kubeconfig={self.kubeconfig}", f"--state={state / 'node'}"],
            grace=45.0,
        )

    def start(self) -> Self:
        """Start everything and wait until it can be used. Raises ClusterError with the end of the log of what failed."""
        try:
            for component in (self.etcd, self.apiserver, self.bao):
                component.launch()
            self.bao.wait_ready()
            self.bao.initialise()
            self.apiserver.wait_ready()
            self.controller_manager.launch()
            if self._with_node:
                self.node.launch()
            prepare_vault(self.bao.client(), self, self._pki.issuer_public_pem())
            self._wait_for_defaults()
            if self._with_node:
                self._wait_for_node()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End every process, the node and its pods first; remove the state folder if it was a temporary one."""
        for component in (self.node, self.controller_manager, self.apiserver, self.etcd):
            component.stop()
        self.bao.close()
        self._spawner.close()
        if self._temporary:
            shutil.rmtree(self.state)

    def release(self) -> None:
        """Let go of the processes without ending them: what `headgate dev up` does before it returns."""
        self.bao.client().adapter.close()
        self._spawner.close()

    def pod_log(self, namespace: str, name: str, container: str | None = None) -> str:
        """Return what the pod's container (default: its only one) wrote, all its restarts together."""
        return self._pods.log(namespace, name, container)

    def pod_pid(self, namespace: str, name: str, container: str | None = None) -> int:
        """Return the process id of the pod's container (default: its only one). Raises ClusterError when it does not run."""
        return self._pods.pid(namespace, name, container)

    def __enter__(self) -> Self:
        """Start the cluster."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the cluster."""
        self.stop()

    def _component(self, name: str, command: list[str], grace: float = 5.0) -> Component:
        return Component(
            name, command, spawner=self._spawner, logs=self._logs, grace=grace, changed=self._record_processes
        )

    def _apiserver(self, token: str) -> Component:
        token_file = self.state / "pki" / "tokens.csv"
        token_file.touch(mode=0o600)
        token_file.write_text(f'{token},headgate-dev-admin,headgate-dev-admin,"system:masters"\n')
        return Component(
            "kube-apiserver",
            apiserver_command(self._tools["kube-apiserver"], self._pki, token_file, self._ports),
            spawner=self._spawner,
            logs=self._logs,
            ready=lambda: answers(f"{self.server_url}/readyz", ca_file=self.ca_file),
            # It would drain open watches for a minute; an outage is what a stop is for.
            grace=1.0,
            changed=self._record_processes,
        )

    def _record_processes(self) -> None:
        components = (self.etcd, self.apiserver, self.bao, self.controller_manager, self.node)
        write_processes(self.state, {each.name: each.identity for each in components})

    def _wait_for_node(self) -> None:
        try:
            for condition in ("create", "condition=Ready"):
                self.wait_for("node/headgate-dev", condition, timeout=_NODE_TIMEOUT)
        except CommandError as error:
            raise ClusterError(f"the development node does not become ready: {error}\n{self.node.tail()}") from error

    def _wait_for_defaults(self) -> None:
        """Wait for what pods take for granted: the `default` ServiceAccount and the root certificate's ConfigMap."""
        deadline = time.monotonic() + _DEFAULTS_TIMEOUT
        while True:
            try:
                self.kubectl("get", "serviceaccount/default", "configmap/kube-root-ca.crt", "--namespace=default")
            except CommandError as error:
                if time.monotonic() > deadline:
                    raise ClusterError(
                        f"the controller manager made no defaults: {error}\n{self.controller_manager.tail()}"
                    ) from error
                time.sleep(0.1)
            else:
                return
