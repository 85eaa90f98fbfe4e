"""What every cluster has and ours needs as pods: CoreDNS, and an OpenBao. Manifests as data.

Both run the machine's own binary from a hostPath in Headgate's image: no registry to pull theirs from, and 200 MB fewer to copy.
"""

from pathlib import Path
from typing import Any, Final

from headgate_dev.realnode.addresses import CLUSTER_DNS

OPENBAO_NAMESPACE: Final = "openbao"
OPENBAO_ADDRESS: Final = "http://openbao.openbao.svc:8200"
"""OpenBao as pods reach it."""

_DNS_PORT: Final = 1053
_COREFILE: Final = f"""\
.:{_DNS_PORT} {{
    errors
    ready
    kubernetes cluster.local in-addr.arpa
    cache 5
}}
"""


def coredns(binary: Path, image: str) -> list[dict[str, Any]]:
    """Return CoreDNS: rights to follow Services, its Corefile, a pod and the Service that every pod's resolv.conf names."""
    metadata = {"name": "coredns", "namespace": "kube-system"}
    container = {
        "name": "coredns",
        "image": image,
        "imagePullPolicy": "Never",
        "command": ["/opt/bin/coredns", "-conf", "/etc/coredns/Corefile"],
        "ports": [{"name": "dns", "containerPort": _DNS_PORT, "protocol": "UDP"}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 1},
        "volumeMounts": [
            {"name": "bin", "mountPath": "/opt/bin", "readOnly": True},
            {"name": "config", "mountPath": "/etc/coredns"},
        ],
    }
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": "coredns"},
            "rules": [
                {"apiGroups": [""], "resources": ["services", "namespaces", "pods"], "verbs": ["list", "watch"]},
                {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
            ],
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "coredns"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "coredns"},
            "subjects": [{"kind": "ServiceAccount", **metadata}],
        },
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"Corefile": _COREFILE}},
        _deployment(
            metadata,
            {
                "serviceAccountName": "coredns",
                "dnsPolicy": "Default",
                "containers": [container],
                "volumes": [_folder("bin", binary.parent), {"name": "config", "configMap": {"name": "coredns"}}],
            },
        ),
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "kube-dns", "namespace": "kube-system"},
            "spec": {
                "clusterIP": CLUSTER_DNS,
                "selector": {"app": "coredns"},
                "ports": [
                    {"name": f"dns-{protocol.lower()}", "port": 53, "targetPort": _DNS_PORT, "protocol": protocol}
                    for protocol in ("UDP", "TCP")
                ],
            },
        },
    ]


def openbao(binary: Path, image: str, root_token: str) -> list[dict[str, Any]]:
    """Return OpenBao in its own development mode (in memory, unsealed) behind a Service."""
    metadata = {"name": "openbao", "namespace": OPENBAO_NAMESPACE}
    token = {"secretKeyRef": {"name": "openbao", "key": "root-token"}}
    container = {
        "name": "openbao",
        "image": image,
        "imagePullPolicy": "Never",
        "command": [f"/opt/bin/{binary.name}", "server", "-dev", "-dev-no-store-token"],
        "env": [
            {"name": "BAO_DEV_ROOT_TOKEN_ID", "valueFrom": token},
            {"name": "BAO_DEV_LISTEN_ADDRESS", "value": "0.0.0.0:8200"},
            {"name": "HOME", "value": "/tmp"},  # noqa: S108 (the container's)
        ],
        "ports": [{"name": "http", "containerPort": 8200}],
        "readinessProbe": {"httpGet": {"path": "/v1/sys/health", "port": "http"}, "periodSeconds": 1},
        "volumeMounts": [{"name": "bin", "mountPath": "/opt/bin", "readOnly": True}],
    }
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": OPENBAO_NAMESPACE}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"root-token": root_token}},
        _deployment(
            metadata,
            {
                "automountServiceAccountToken": False,
                "containers": [container],
                "volumes": [_folder("bin", binary.parent)],
            },
        ),
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"selector": {"app": "openbao"}, "ports": [{"name": "http", "port": 8200, "targetPort": "http"}]},
        },
    ]


def _deployment(metadata: dict[str, str], pod: dict[str, Any]) -> dict[str, Any]:
    labels = {"app": metadata["name"]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def _folder(name: str, path: Path) -> dict[str, Any]:
    return {"name": name, "hostPath": {"path": str(path), "type": "Directory"}}
