"""Everything of Headgate's that outlives ``helm uninstall``, found by kind and label, in the order in which it must go.

Admission policies go first: while they act, nobody but the operator may touch what they guard, and it is gone. Custom resources go
before their definitions, whose deletion waits for them.
"""

from dataclasses import dataclass
from typing import Any, Final

from headgate_api import names
from headgate_cli.cluster.api import Api, Objects
from headgate_runtime.kube_errors import KubeError
from headgate_runtime.kube_kinds import (
    CONFIG_MAP,
    CONTROLLER_REVISION,
    DEPLOYMENT,
    LEASE,
    LLM_PROVIDER,
    POD,
    PROXY_FLEET,
    ROLE,
    ROLE_BINDING,
    ROLLOUT_POLICY,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
    SUBSCRIPTION_ACCOUNT,
    Kind,
)

_ADMISSION: Final = "admissionregistration.k8s.io"
_RBAC: Final = "rbac.authorization.k8s.io/v1"
CRD: Final = Kind("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions")
POLICIES: Final = (
    Kind(f"{_ADMISSION}/v1", "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings"),
    Kind(f"{_ADMISSION}/v1", "MutatingAdmissionPolicyBinding", "mutatingadmissionpolicybindings"),
    Kind(f"{_ADMISSION}/v1beta1", "MutatingAdmissionPolicyBinding", "mutatingadmissionpolicybindings"),
    Kind(f"{_ADMISSION}/v1", "ValidatingAdmissionPolicy", "validatingadmissionpolicies"),
    Kind(f"{_ADMISSION}/v1", "MutatingAdmissionPolicy", "mutatingadmissionpolicies"),
    Kind(f"{_ADMISSION}/v1beta1", "MutatingAdmissionPolicy", "mutatingadmissionpolicies"),
)
RESOURCES: Final = (ROLLOUT_POLICY, SUBSCRIPTION_ACCOUNT, LLM_PROVIDER, PROXY_FLEET)
MADE: Final = (
    *(DEPLOYMENT, SERVICE, ROLE_BINDING, ROLE, SERVICE_ACCOUNT),
    *(CONTROLLER_REVISION, CONFIG_MAP, SECRET),
    Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
)
CLUSTER_ROLES: Final = (
    Kind(_RBAC, "ClusterRoleBinding", "clusterrolebindings"),
    Kind(_RBAC, "ClusterRole", "clusterroles"),
)
LEASE_NAME: Final = "headgate-operator"
_MADE_BY_OPERATOR: Final = f"{names.LABEL_MANAGED_BY}={names.FIELD_MANAGER}"
_OF_CHART: Final = f"{names.LABEL_NAME}=headgate"
_OPERATOR: Final = f"{names.LABEL_NAME}=headgate,{names.LABEL_COMPONENT}=operator"


@dataclass(frozen=True, slots=True)
class Item:
    """One object; ``namespace`` None: cluster-scoped."""

    kind: Kind
    namespace: str | None
    name: str
    finalizers: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Return ``Kind namespace/name``."""
        return f"{self.kind.kind} {self.namespace + '/' if self.namespace else ''}{self.name}"

    def to_json(self) -> dict[str, Any]:
        """Return how purge names it in JSON."""
        return {"kind": self.kind.kind, "namespace": self.namespace, "name": self.name}


@dataclass(frozen=True, slots=True)
class Inventory:
    """What is there, in phases: each is deleted, and waited for, before the next."""

    policies: tuple[Item, ...]
    resources: tuple[Item, ...]
    made: tuple[Item, ...]
    definitions: tuple[Item, ...]
    roles: tuple[Item, ...]

    @property
    def phases(self) -> tuple[tuple[str, tuple[Item, ...]], ...]:
        """Return (title, items) in the order of deletion."""
        return (
            ("admission policies", self.policies),
            ("custom resources", self.resources),
            ("what the operator made", self.made),
            ("custom resource definitions", self.definitions),
            ("cluster roles", self.roles),
        )

    @property
    def items(self) -> tuple[Item, ...]:
        """Return everything, in the order of deletion."""
        return tuple(item for _, items in self.phases for item in items)


def collect(api: Api) -> Inventory:
    """Return everything that is left of Headgate in the cluster. Raises KubeError where the user may not look."""
    leases = [item for item in _found(api, LEASE, None) if item.name == LEASE_NAME]
    return Inventory(
        policies=_all(api, POLICIES, _OF_CHART),
        resources=_all(api, RESOURCES, None),
        made=(*_all(api, MADE, _MADE_BY_OPERATOR), *leases),
        definitions=tuple(item for item in _found(api, CRD, None) if item.name.endswith(f".{names.GROUP}")),
        roles=_all(api, CLUSTER_ROLES, _OF_CHART),
    )


def running(api: Api) -> list[str]:
    """Return what still runs of the operator, as ``Kind namespace/name``: it would make again what purge deletes."""
    return [item.label for kind in (DEPLOYMENT, POD) for item in _found(api, kind, _OPERATOR)]


def _all(api: Api, kinds: tuple[Kind, ...], selector: str | None) -> tuple[Item, ...]:
    found = {
        (item.kind.kind, item.namespace, item.name): item for kind in kinds for item in _found(api, kind, selector)
    }
    return tuple(found.values())


def _found(api: Api, kind: Kind, selector: str | None) -> list[Item]:
    try:
        bodies: Objects = api.list(kind, label_selector=selector)
    except KubeError as error:
        if error.status == 404:  # this cluster does not know the kind (any more)
            return []
        raise
    return [_item(kind, body["metadata"]) for body in bodies]


def _item(kind: Kind, metadata: dict[str, Any]) -> Item:
    return Item(kind, metadata.get("namespace"), metadata["name"], tuple(metadata.get("finalizers") or ()))
