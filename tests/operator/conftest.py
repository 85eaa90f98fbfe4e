"""The operator as processes of the test's own, against the real API server, with the chart's own rights and no others."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import hvac
import pytest

from headgate_api.clock import SystemClock
from headgate_api.redaction import Redactor
from headgate_api.secret import Secret
from headgate_api.vault import DEFAULT_MOUNT
from headgate_dev.cluster import Cluster, CommandError
from headgate_dev.cluster.arguments import Ports
from headgate_dev.cluster.openbao import OpenBao
from headgate_dev.host.network import free_ports
from headgate_dev.host.spawner import Spawner
from headgate_dev.release import CHART, NAMESPACE
from headgate_runtime.vault import Vault, VaultSession, VaultSettings

from .process import OperatorProcess, free_port, until


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A cluster of this folder's own, since the chart is installed into it."""
    with Cluster() as started:
        yield started


@pytest.fixture(scope="module")
def rights(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The chart installed, but its own operator scaled away."""
    values = tmp_path_factory.mktemp("chart") / "values.json"
    values.write_text(
        json.dumps({"vault": {"address": cluster.bao.address}, "defaultFleet": {"enabled": False}}), encoding="utf-8"
    )
    cluster.helm(
        "upgrade",
        "--install",
        "headgate",
        str(CHART),
        "--namespace",
        NAMESPACE,
        "--values",
        str(values),
        "--take-ownership",
    )
    cluster.kubectl("scale", "deployment", "headgate-operator", "-n", NAMESPACE, "--replicas=0")
    cluster.kubectl("wait", "pod", "-n", NAMESPACE, "-l", "app.kubernetes.io/component=operator", "--for=delete")
    until(lambda: _knows_kinds(cluster), what="admission to know Headgate's kinds")
    yield
    cluster.helm("uninstall", "headgate", "--namespace", NAMESPACE, "--wait")


def _knows_kinds(cluster: Cluster) -> bool:
    """Tell whether objects can be applied: policies that stamp authors know a new kind some seconds after it is there."""
    for kind in ("LLMProvider", "SubscriptionAccount", "ProxyFleet", "RolloutPolicy"):
        body = {"apiVersion": "headgate.dev/v1alpha1", "kind": kind, "metadata": {"name": "probe"}, "spec": {}}
        try:
            cluster.kubectl(
                "create", "--dry-run=server", "-n", NAMESPACE, "--validate=false", "-f", "-", input=json.dumps(body)
            )
        except CommandError as error:
            if "There can be a delay" in error.stderr:
                return False
    return True


@pytest.fixture
def start_operator(cluster: Cluster, rights: None, tmp_path: Path) -> Iterator[Callable[..., OperatorProcess]]:
    """Start operators; those that still run are ended after the test, and what they made is deleted."""
    started: list[OperatorProcess] = []
    with contextlib.ExitStack() as stack:

        def start(**fleet: Any) -> OperatorProcess:
            name = f"operator-{len(started)}"
            folder = tmp_path / name
            folder.mkdir()
            (folder / "kube").write_text(cluster.create_token(NAMESPACE, "headgate-operator"))
            (folder / "vault").write_text(cluster.create_token(NAMESPACE, "headgate-operator", audience="vault"))
            admin, broker = free_port(), free_port()
            environ = {k: v for k, v in os.environ.items() if k != "KUBECONFIG"} | {
                "HEADGATE_NAMESPACE": NAMESPACE,
                "HEADGATE_POD_NAME": name,
                "HEADGATE_POD_IP": "127.0.0.1",
                "HEADGATE_PORT_ADMIN": str(admin),
                "HEADGATE_PORT_BROKER": str(broker),
                "HEADGATE_KUBE_URL": cluster.server_url,
                "HEADGATE_KUBE_TOKEN_FILE": str(folder / "kube"),
                "HEADGATE_KUBE_CA_FILE": str(cluster.ca_file),
                "HEADGATE_VAULT_ADDR": cluster.bao.address,
                "HEADGATE_VAULT_ROLE": "headgate-operator",
                "HEADGATE_VAULT_TOKEN_FILE": str(folder / "vault"),
                "HEADGATE_DEFAULT_FLEET": json.dumps(
                    {"image": "headgate:test", "replicas": 0, "allowedNamespaces": ["*"], **fleet}
                ),
            }
            log = stack.enter_context((folder / "log").open("wb"))
            command = [str(Path(sys.executable).with_name("headgate")), "operator"]
            process = subprocess.Popen(command, env=environ, stdout=log, stderr=log)
            started.append(OperatorProcess(process, name, admin, broker, folder / "log", cluster))
            return started[-1]

        yield start
        for operator in started:
            operator.end()
    cluster.kubectl("delete", "proxyfleet", "--all", "-n", NAMESPACE)
    # What the fleet owned would be collected in time; the next test must not meet it.
    cluster.kubectl("delete", "deployment,service,configmap", "-n", NAMESPACE, "-l", "headgate.dev/fleet")
    cluster.kubectl("delete", "lease", "headgate-operator", "-n", NAMESPACE, "--ignore-not-found")


@pytest.fixture(scope="module")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    """A real OpenBao of the test module's own, without the rest of a cluster."""
    state = tmp_path_factory.mktemp("openbao")
    first, second = free_ports(2)
    ports = Ports(**dict.fromkeys(Ports.__dataclass_fields__, 0) | {"openbao": first, "openbao_cluster": second})
    spawner = Spawner()
    server = OpenBao(state, ports, spawner, state, changed=lambda: None)
    try:
        server.start()
        server.initialise()
        client = server.client()
        client.sys.enable_secrets_engine("kv", path=DEFAULT_MOUNT, options={"version": "2"})
        until(lambda: _versioned(client), what="the new mount to be ready, which answers 400 for a moment")
        yield server
    finally:
        server.close()
        spawner.close()


def _versioned(client: hvac.Client) -> bool:
    try:
        client.secrets.kv.v2.read_configuration(mount_point=DEFAULT_MOUNT)
    except hvac.exceptions.InvalidRequest:
        return False
    return True


@pytest.fixture
async def vault(bao: OpenBao) -> AsyncIterator[Vault]:
    settings = VaultSettings(address=bao.address, role="unused")
    async with Vault(settings, SystemClock(), Redactor()) as opened:
        opened.restore(VaultSession(Secret(bao.root_token_file.read_text()), SystemClock().now()))
        yield opened
