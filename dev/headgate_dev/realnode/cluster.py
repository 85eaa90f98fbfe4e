"""The real cluster as one context manager: the control plane on the machine, the node in namespaces of its own.

The control plane is the development cluster's, from the same parts (`headgate_dev.cluster`), reachable from pods; the
scheduler, kubelet, container runtime, Service network and DNS are added, so that pods are containers.
"""

import json
import secrets
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from headgate_api.clock import Clock, SystemClock
from headgate_dev.cluster.access import ClusterAccess
from headgate_dev.cluster.arguments import (
    CONTROLLER_MANAGER,
    Ports,
    apiserver_command,
    controller_manager_command,
    etcd_command,
    scheduler_command,
)
from headgate_dev.cluster.component import Component
from headgate_dev.cluster.errors import CommandError
from headgate_dev.cluster.kubeconfig import token_user, write_kubeconfig
from headgate_dev.cluster.openbao import direct_client, find_bao
from headgate_dev.cluster.pki import ClusterPKI
from headgate_dev.cluster.vault_setup import prepare_vault
from headgate_dev.host.errors import ClusterError
from headgate_dev.host.network import answers, free_ports
from headgate_dev.host.spawner import Spawner
from headgate_dev.realnode import addons, configuration, image
from headgate_dev.realnode.addresses import choose
from headgate_dev.realnode.configuration import NODE_NAME
from headgate_dev.realnode.machine import Machine, routed_networks
from headgate_dev.realnode.machine_facts import prepare
from headgate_dev.toolchain import find_tools

if TYPE_CHECKING:
    import hvac

_TOOLS: Final = (
    "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl", "coredns",
)  # fmt: skip
_NODE_TIMEOUT: Final = 60.0


class RealCluster(ClusterAccess):
    """One node with real containers, CoreDNS and OpenBao as pods, and Headgate's image ready to run.

    Raises RealNodeUnavailableError, with the reason, on a machine that cannot have one. `stop` leaves nothing behind.
    """

    image = f"{image.REPOSITORY}:{image.TAG}"
    """The image of Headgate, built from this source tree; containers use it with imagePullPolicy Never or IfNotPresent."""

    def __init__(self, clock: Clock | None = None) -> None:
        prepare()
        self._tools = find_tools(_TOOLS)
        self._archives = image.build()
        state = Path(tempfile.mkdtemp(prefix="headgate-e2e-"))
        self._logs = state / "logs"
        self._logs.mkdir()
        self._addresses = choose(routed_networks())
        self._ports = Ports(*free_ports(5))
        self._pki = ClusterPKI(state / "pki", clock or SystemClock(), (self._addresses.host,))
        super().__init__(state, f"https://{self._addresses.host}:{self._ports.apiserver}", self._pki)
        self._spawner = Spawner()
        self._machine = Machine(f"hg{secrets.token_hex(4)}", self._addresses, state, self._spawner, self._logs)
        self._admin_token = secrets.token_urlsafe(24)
        write_kubeconfig(self.kubeconfig, self.server_url, self.ca_file, token_user(self._admin_token))
        self._running: list[Component] = []
        self._vault: hvac.Client | None = None

    def start(self) -> Self:
        """Start everything and wait until pods run. Raises ClusterError with the end of the log of what failed."""
        try:
            self._machine.start()
            self._start_control_plane()
            self._start_node()
            self._start_addons()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End the node with everything in it, then the control plane; remove links, control groups and files."""
        self._machine.stop()
        for component in reversed(self._running):
            component.stop()
        if self._vault is not None:
            self._vault.adapter.close()
        self._spawner.close()
        shutil.rmtree(self.state)

    def on_node(self, *command: str, timeout: float = 60.0) -> str:
        """Run a command in the node's namespaces (its processes, mounts and network) and return its stdout."""
        return self._machine.run(*command, timeout=timeout)

    def tag_image(self, tag: str) -> str:
        """Give Headgate's image a second name on the node, as a release of the same content would have; return it."""
        name = f"{image.REPOSITORY}:{tag}"
        self.on_node("ctr", "--namespace=k8s.io", "images", "tag", "--force", self.image, name)
        return name

    def logs(self) -> str:
        """Return the ends of the logs of every program, for the report of a failed start."""
        return "\n".join(f"--- {each.name}\n{each.tail()}" for each in self._running)

    def leftovers(self) -> list[str]:
        """Return what is still there of it on this machine, one line each: nothing after `stop`."""
        return [*self._machine.leftovers(), *([str(self.state)] if self.state.exists() else [])]

    def __enter__(self) -> Self:
        """Start the cluster."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the cluster."""
        self.stop()

    def _start_control_plane(self) -> None:
        self._launch("etcd", etcd_command(self._tools["etcd"], self.state / "etcd", self._ports))
        token_file = self.state / "pki" / "tokens.csv"
        token_file.touch(mode=0o600)
        token_file.write_text(f'{self._admin_token},headgate-dev-admin,headgate-dev-admin,"system:masters"\n')
        self._launch(
            "kube-apiserver",
            apiserver_command(
                self._tools["kube-apiserver"],
                self._pki,
                token_file,
                self._ports,
                address=self._addresses.host,
                kubelet_client=self._pki.write_client_certificate("kubelet-client", "apiserver", ("system:masters",)),
            ),
            ready=lambda: answers(f"{self.server_url}/readyz", ca_file=self.ca_file),
            # It would drain open watches for a minute, and nobody is left to serve.
            grace=1.0,
        )
        manager = self._tools["kube-controller-manager"]
        identity = self.kubeconfig_for_user(CONTROLLER_MANAGER)
        self._launch("kube-controller-manager", controller_manager_command(manager, identity, self._pki))
        self._launch(
            "kube-scheduler",
            scheduler_command(self._tools["kube-scheduler"], self.kubeconfig_for_user("system:kube-scheduler")),
        )

    def _start_node(self) -> None:
        files = self.state / "node"
        resolv_conf = configuration.write(files, "resolv.conf", "")
        cni = configuration.write(files / "cni", "10-headgate.conflist", configuration.cni(self._addresses.pods))
        containerd = configuration.write(
            files, "containerd.toml", configuration.containerd(self.state / "containerd", cni.parent)
        )
        kubelet = configuration.write(
            files, "kubelet.json", configuration.kubelet(self._machine.name, self.ca_file, resolv_conf)
        )
        proxy_config = configuration.kube_proxy(self.kubeconfig_for_user("system:kube-proxy"), self._addresses.pods)
        kube_proxy = configuration.write(files, "kube-proxy.json", proxy_config)
        identity = self.kubeconfig_for_user(f"system:node:{NODE_NAME}", ("system:nodes",))

        self._launch(
            "containerd",
            self._machine.inside("containerd", f"--config={containerd}"),
            ready=lambda: self._machine.succeeds("ctr", "version"),
        )
        for archive in (self._archives.sandbox, self._archives.headgate):
            self._machine.run("ctr", "--namespace=k8s.io", "images", "import", str(archive))
        self._launch("kube-proxy", self._machine.inside(str(self._tools["kube-proxy"]), f"--config={kube_proxy}"))
        self._launch(
            "kubelet",
            self._machine.inside(
                str(self._tools["kubelet"]),
                f"--config={kubelet}",
                f"--kubeconfig={identity}",
                f"--root-dir={files / 'kubelet'}",
                f"--hostname-override={NODE_NAME}",
                f"--node-ip={self._addresses.node}",
            ),
            ready=lambda: self.kubectl("get", "nodes", "--output=name", check=False) != "",
        )
        try:
            self.wait_for(f"node/{NODE_NAME}", "condition=Ready", timeout=_NODE_TIMEOUT)
        except CommandError as error:
            raise ClusterError(f"the node does not become ready: {error}\n{self.logs()}") from error

    def _start_addons(self) -> None:
        root_token = f"root-{secrets.token_hex(16)}"
        self.apply(addons.coredns(self._tools["coredns"], self.image))
        self.apply(addons.openbao(find_bao(), self.image, root_token))
        try:
            self.wait_for("deployment/coredns", "condition=Available", namespace="kube-system", timeout=_NODE_TIMEOUT)
            self.wait_for("deployment/openbao", "condition=Available", namespace=addons.OPENBAO_NAMESPACE)
        except CommandError as error:
            pods = self.kubectl("describe", "pods", "--all-namespaces", check=False)
            raise ClusterError(f"CoreDNS or OpenBao does not start: {error}\n{pods}\n{self.logs()}") from error
        pod = json.loads(self.kubectl("get", "pods", f"--namespace={addons.OPENBAO_NAMESPACE}", "--output=json"))[
            "items"
        ][0]
        self._vault = direct_client(f"http://{pod['status']['podIP']}:8200", root_token)
        prepare_vault(self._vault, self, self._pki.issuer_public_pem())

    def _launch(
        self, name: str, command: list[str], *, ready: Callable[[], bool] = lambda: True, grace: float = 5.0
    ) -> None:
        component = Component(name, command, spawner=self._spawner, logs=self._logs, ready=ready, grace=grace)
        component.launch()
        self._running.append(component)
        component.wait_ready()
