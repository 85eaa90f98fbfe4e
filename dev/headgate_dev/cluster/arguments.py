"""The command lines of the control plane: pure, so that what we run can be read and tested in one place."""

from dataclasses import dataclass
from pathlib import Path

from headgate_dev.cluster.pki import ClusterPKI

ISSUER = "https://kubernetes.default.svc"
"""The issuer of ServiceAccount tokens, also their default audience."""
CONTROLLER_MANAGER = "system:kube-controller-manager"
"""The user that RBAC's own rules expect the controller manager to be."""


@dataclass(frozen=True)
class Ports:
    """The loopback ports of one cluster; they stay the same when a component restarts."""

    etcd_client: int
    etcd_peer: int
    apiserver: int
    openbao: int
    openbao_cluster: int


def etcd_command(binary: Path, data: Path, ports: Ports) -> list[str]:
    """Return etcd's command line: one member, no fsync, since a development cluster's data may be lost with power."""
    client = f"http://127.0.0.1:{ports.etcd_client}"
    peer = f"http://127.0.0.1:{ports.etcd_peer}"
    return [
        str(binary),
        f"--data-dir={data}",
        "--unsafe-no-fsync",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--log-level=warn",
    ]


def apiserver_command(
    binary: Path,
    pki: ClusterPKI,
    token_file: Path,
    ports: Ports,
    *,
    address: str = "127.0.0.1",
    kubelet_client: tuple[Path, Path] | None = None,
) -> list[str]:
    """Return kube-apiserver's command line: TLS, RBAC and Node authorization, tokens signed with real keys.

    ``address`` is where it listens. ``kubelet_client`` (certificate, key) is for a cluster of real pods: with it the API
    server reaches the kubelet (logs, exec), and pods reach the API server through the Service `kubernetes`.
    """
    if kubelet_client is None:
        # No EndpointSlice of the API server itself: they refuse loopback addresses.
        pods = ["--endpoint-reconciler-type=none"]
    else:
        certificate, key = kubelet_client
        pods = [
            f"--kubelet-client-certificate={certificate}",
            f"--kubelet-client-key={key}",
            "--kubelet-preferred-address-types=InternalIP",
        ]
    return [
        str(binary),
        f"--etcd-servers=http://127.0.0.1:{ports.etcd_client}",
        f"--bind-address={address}",
        f"--secure-port={ports.apiserver}",
        f"--tls-cert-file={pki.server_cert_file}",
        f"--tls-private-key-file={pki.server_key_file}",
        f"--client-ca-file={pki.ca_file}",
        f"--token-auth-file={token_file}",
        f"--service-account-issuer={ISSUER}",
        f"--service-account-key-file={pki.issuer_public_file}",
        f"--service-account-signing-key-file={pki.issuer_key_file}",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--authorization-mode=RBAC,Node",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        "--profiling=false",
        *pods,
    ]


def scheduler_command(binary: Path, kubeconfig: Path) -> list[str]:
    """Return kube-scheduler's command line: one, no port."""
    return [str(binary), f"--kubeconfig={kubeconfig}", "--leader-elect=false", "--secure-port=0", "--profiling=false"]


def controller_manager_command(binary: Path, kubeconfig: Path, pki: ClusterPKI) -> list[str]:
    """Return kube-controller-manager's command line: every controller that needs no cloud, one leader, no port.

    Each controller acts under a ServiceAccount of its own, as on any cluster, so that admission policies can tell the
    garbage collector from a person. ``kubeconfig`` is of the user CONTROLLER_MANAGER.
    """
    return [
        str(binary),
        f"--kubeconfig={kubeconfig}",
        f"--root-ca-file={pki.ca_file}",
        f"--service-account-private-key-file={pki.issuer_key_file}",
        "--controllers=*",
        "--use-service-account-credentials=true",
        "--leader-elect=false",
        "--secure-port=0",
        "--profiling=false",
    ]
