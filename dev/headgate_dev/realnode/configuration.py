"""The configuration files of the node's programs: pure, so that what we run can be read and tested in one place."""

import json
from pathlib import Path
from typing import Any, Final

from headgate_dev.realnode.addresses import CLUSTER_DNS

NODE_NAME: Final = "headgate-e2e"
SANDBOX_IMAGE: Final = "localhost/headgate-pause:dev"
"""What holds a pod's namespaces open."""

KERNEL_SETTINGS: Final = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}
"""What the kubelet wants to find below /proc/sys, and otherwise sets for the whole machine (its protectKernelDefaults)."""

CONTAINERD_SOCKET: Final = "/run/containerd/containerd.sock"
CNI_PLUGINS: Final = "/usr/lib/cni"
"""Where Debian's containernetworking-plugins puts them."""


def containerd(state: Path, cni_folder: Path) -> str:
    """Return containerd's configuration (TOML, version 2), for containerd 1.6 and 1.7."""
    return f"""\
version = 2
root = "{state / "root"}"
state = "/run/containerd/state"
[grpc]
  address = "{CONTAINERD_SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{SANDBOX_IMAGE}"
  # Where we lack CAP_SYS_RESOURCE a container cannot ask for a lower score than our own.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{CNI_PLUGINS}"
    conf_dir = "{cni_folder}"
"""


def cni(pods: str) -> dict[str, Any]:
    """Return the network list that gives each pod a routed link of its own.

    `ptp` rather than `bridge`: answers to a Service's address cross the node's routing, and so its address translation,
    without the kernel module br_netfilter.
    """
    return {
        "cniVersion": "0.4.0",
        "name": "headgate-e2e",
        "plugins": [
            {
                "type": "ptp",
                "ipMasq": True,
                "ipam": {"type": "host-local", "ranges": [[{"subnet": pods}]], "routes": [{"dst": "0.0.0.0/0"}]},
            }
        ],
    }


def kubelet(cgroup: str, client_ca: Path, resolv_conf: Path) -> dict[str, Any]:
    """Return the KubeletConfiguration (kubelet.config.k8s.io/v1beta1)."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cgroup}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "authentication": {"anonymous": {"enabled": False}, "x509": {"clientCAFile": str(client_ca)}},
        "clusterDNS": [CLUSTER_DNS],
        "clusterDomain": "cluster.local",
        "resolvConf": str(resolv_conf),
        # A development machine's disk is fuller than a node's may be.
        "evictionHard": {"memory.available": "50Mi"},
        "imageGCHighThresholdPercent": 100,
        "readOnlyPort": 0,
        "serializeImagePulls": False,
    }


def kube_proxy(kubeconfig: Path, pods: str) -> dict[str, Any]:
    """Return the KubeProxyConfiguration (kubeproxy.config.k8s.io/v1alpha1)."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "hostnameOverride": NODE_NAME,
        "clientConnection": {"kubeconfig": str(kubeconfig)},
        "clusterCIDR": pods,
        # A network namespace may not change the connection table's limits: zero leaves them.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        "iptables": {"minSyncPeriod": "0.1s"},
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
    }


def write(folder: Path, name: str, content: str | dict[str, Any]) -> Path:
    """Write one configuration file (JSON where it is a dict, which is YAML) and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content, indent=1))
    return path
