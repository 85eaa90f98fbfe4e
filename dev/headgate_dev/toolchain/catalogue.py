"""Which tools there are, which version we pin and from which Go package each is built: data, no I/O."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

MINIMUM_GO: Final = (1, 26)
"""The `go` line of the strictest committed go.mod."""

_GO_MODULES: Final = Path(__file__).parent / "go"


@dataclass(frozen=True)
class ToolSet:
    """Tools that share one Go module and one version, and are therefore built together."""

    name: str
    version: str
    ldflags: str = ""

    @property
    def module(self) -> Path:
        """The folder of the committed go.mod and go.sum this set is built from."""
        return _GO_MODULES / self.name


@dataclass(frozen=True)
class Tool:
    """One program: the name of its binary, the set it belongs to, and the Go package it is built from."""

    name: str
    tool_set: ToolSet
    package: str
    real_node: bool = False
    """Whether only a node with real containers runs it; the development cluster does without."""
    in_envtest: bool = False
    """Whether the published envtest archives carry it (and so a KUBEBUILDER_ASSETS folder may)."""


def _kubernetes_ldflags(version: str) -> str:
    """Return the linker flags that tell the binaries their version: clients compare it and choke on v0.0.0."""
    major, minor, _ = version.removeprefix("v").split(".")
    package = "k8s.io/component-base/version"
    return f"-s -w -X {package}.gitVersion={version} -X {package}.gitMajor={major} -X {package}.gitMinor={minor}"


ETCD: Final = ToolSet("etcd", "v3.6.8", ldflags="-s -w")
KUBERNETES: Final = ToolSet("kubernetes", "v1.36.3", ldflags=_kubernetes_ldflags("v1.36.3"))
HELM: Final = ToolSet("helm", "v3.22.0", ldflags="-s -w -X helm.sh/helm/v3/internal/version.version=v3.22.0")
COREDNS: Final = ToolSet("coredns", "v1.12.4", ldflags="-s -w")

_ALL: Final = (
    Tool("etcd", ETCD, ".", in_envtest=True),
    Tool("kube-apiserver", KUBERNETES, "k8s.io/kubernetes/cmd/kube-apiserver", in_envtest=True),
    Tool("kube-controller-manager", KUBERNETES, "k8s.io/kubernetes/cmd/kube-controller-manager"),
    Tool("kubectl", KUBERNETES, "k8s.io/kubernetes/cmd/kubectl", in_envtest=True),
    Tool("kube-scheduler", KUBERNETES, "k8s.io/kubernetes/cmd/kube-scheduler", real_node=True),
    Tool("kubelet", KUBERNETES, "k8s.io/kubernetes/cmd/kubelet", real_node=True),
    Tool("kube-proxy", KUBERNETES, "k8s.io/kubernetes/cmd/kube-proxy", real_node=True),
    Tool("coredns", COREDNS, "github.com/coredns/coredns", real_node=True),
    Tool("helm", HELM, "helm.sh/helm/v3/cmd/helm"),
)

TOOLS: Final[dict[str, Tool]] = {tool.name: tool for tool in _ALL}
"""Every tool we know how to get, by the name of its binary."""
