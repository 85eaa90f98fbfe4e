"""Make OpenBao what an administrator prepares for Headgate: mount, policies, and logins that trust this cluster.

The policies and role names come from the contract (`headgate_api.vault`): what is tested here is what users are told to set up.
"""

from typing import Any, Final

import hvac

from headgate_api.vault import CANARY_ROLE, DEFAULT_MOUNT, OPERATOR_ROLE, PROXY_ROLE, operator_policy, proxy_policy
from headgate_dev.cluster.access import ClusterAccess
from headgate_dev.cluster.arguments import ISSUER

NAMESPACE: Final = "headgate-system"
"""Where the operator and the fleet run."""

AUDIENCE: Final = "vault"
"""The audience of the ServiceAccount tokens that log in."""

_REVIEWER_NAMESPACE: Final = "openbao"
_REVIEWER: Final = "openbao-reviewer"
_TEN_YEARS: Final = "87600h"

_MANIFESTS: Final[tuple[dict[str, Any], ...]] = (
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": _REVIEWER_NAMESPACE}},
    {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": _REVIEWER, "namespace": _REVIEWER_NAMESPACE},
    },
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": _REVIEWER},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:auth-delegator"},
        "subjects": [{"kind": "ServiceAccount", "name": _REVIEWER, "namespace": _REVIEWER_NAMESPACE}],
    },
)

_ROLES: Final = (
    # role, ServiceAccount name (a glob)
    (OPERATOR_ROLE, "headgate-operator"),
    (PROXY_ROLE, "headgate-proxy-*"),
    (CANARY_ROLE, "headgate-canary-*"),
)


def prepare_vault(client: hvac.Client, access: ClusterAccess, issuer_public_pem: str) -> None:
    """Enable KV v2, write the policies, and let the ServiceAccounts log in by `kubernetes` and by `jwt` auth."""
    client.sys.enable_secrets_engine("kv", path=DEFAULT_MOUNT, options={"version": "2"})
    client.sys.create_or_update_policy(OPERATOR_ROLE, operator_policy(DEFAULT_MOUNT))
    for role in (PROXY_ROLE, CANARY_ROLE):
        client.sys.create_or_update_policy(role, proxy_policy(DEFAULT_MOUNT))
    access.apply(_MANIFESTS)
    reviewer = access.create_token(_REVIEWER_NAMESPACE, _REVIEWER, duration=_TEN_YEARS)
    _kubernetes_auth(client, access, reviewer)
    _jwt_auth(client, issuer_public_pem)


def _kubernetes_auth(client: hvac.Client, access: ClusterAccess, reviewer_token: str) -> None:
    client.sys.enable_auth_method("kubernetes")
    client.write_data(
        "auth/kubernetes/config",
        data={
            "kubernetes_host": access.server_url,
            "kubernetes_ca_cert": access.ca_file.read_text(),
            "token_reviewer_jwt": reviewer_token,
            "disable_local_ca_jwt": True,
        },
    )
    for role, account in _ROLES:
        client.write_data(
            f"auth/kubernetes/role/{role}",
            data={
                "bound_service_account_names": [account],
                "bound_service_account_namespaces": [NAMESPACE],
                "audience": AUDIENCE,
                **_token(role),
            },
        )


def _jwt_auth(client: hvac.Client, issuer_public_pem: str) -> None:
    client.sys.enable_auth_method("jwt")
    client.write_data("auth/jwt/config", data={"jwt_validation_pubkeys": [issuer_public_pem], "bound_issuer": ISSUER})
    for role, account in _ROLES:
        client.write_data(
            f"auth/jwt/role/{role}",
            data={
                "role_type": "jwt",
                "user_claim": "sub",
                "bound_audiences": [AUDIENCE],
                "bound_claims_type": "glob",
                "bound_claims": {"sub": f"system:serviceaccount:{NAMESPACE}:{account}"},
                **_token(role),
            },
        )


def _token(role: str) -> dict[str, Any]:
    return {"token_policies": [role], "token_ttl": "1h", "token_max_ttl": "24h"}
