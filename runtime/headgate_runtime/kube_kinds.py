"""The kinds of objects Headgate asks the API server about, and where each is found there.

All are namespaced. One table, so that no caller spells a path, and a body finds its own path by apiVersion and kind.
Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from headgate_api import names
from headgate_api.resources import LLMProvider, ProxyFleet, RolloutPolicy, SubscriptionAccount


@dataclass(frozen=True, slots=True)
class Kind:
    """One namespaced kind: ``api_version`` is ``v1`` or ``group/version``, ``plural`` the resource's name in paths."""

    api_version: str
    kind: str
    plural: str

    def path(self, namespace: str | None, name: str | None = None, subresource: str | None = None) -> str:
        """Return the URL path of a collection (``name`` None; ``namespace`` None: all of them), object or subresource."""
        parts = ["apis" if "/" in self.api_version else "api", self.api_version]
        if namespace is not None:
            parts += ["namespaces", namespace]
        parts += [part for part in (self.plural, name, subresource) if part is not None]
        return "/" + "/".join(parts)


LLM_PROVIDER: Final = Kind(names.API_VERSION, LLMProvider.KIND, LLMProvider.PLURAL)
SUBSCRIPTION_ACCOUNT: Final = Kind(names.API_VERSION, SubscriptionAccount.KIND, SubscriptionAccount.PLURAL)
PROXY_FLEET: Final = Kind(names.API_VERSION, ProxyFleet.KIND, ProxyFleet.PLURAL)
ROLLOUT_POLICY: Final = Kind(names.API_VERSION, RolloutPolicy.KIND, RolloutPolicy.PLURAL)
CONFIG_MAP: Final = Kind("v1", "ConfigMap", "configmaps")
EVENT: Final = Kind("events.k8s.io/v1", "Event", "events")
POD: Final = Kind("v1", "Pod", "pods")
SECRET: Final = Kind("v1", "Secret", "secrets")
SERVICE: Final = Kind("v1", "Service", "services")
SERVICE_ACCOUNT: Final = Kind("v1", "ServiceAccount", "serviceaccounts")
DEPLOYMENT: Final = Kind("apps/v1", "Deployment", "deployments")
CONTROLLER_REVISION: Final = Kind("apps/v1", "ControllerRevision", "controllerrevisions")
LEASE: Final = Kind("coordination.k8s.io/v1", "Lease", "leases")
ROLE: Final = Kind("rbac.authorization.k8s.io/v1", "Role", "roles")
ROLE_BINDING: Final = Kind("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings")

_KINDS: Final = {
    (kind.api_version, kind.kind): kind
    for kind in (
        LLM_PROVIDER,
        SUBSCRIPTION_ACCOUNT,
        PROXY_FLEET,
        ROLLOUT_POLICY,
        CONFIG_MAP,
        EVENT,
        POD,
        SECRET,
        SERVICE,
        SERVICE_ACCOUNT,
        DEPLOYMENT,
        CONTROLLER_REVISION,
        LEASE,
        ROLE,
        ROLE_BINDING,
    )
}


def kind_of(body: Mapping[str, Any]) -> Kind:
    """Return the kind of an object. Raises ValueError when its apiVersion and kind are not in the table."""
    found = _KINDS.get((body.get("apiVersion", ""), body.get("kind", "")))
    if found is None:
        raise ValueError(
            f"no kind {body.get('kind')!r} in {body.get('apiVersion')!r} is known here; add it to kube_kinds"
        )
    return found
