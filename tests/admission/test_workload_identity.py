"""No confused deputy: only who may mint a ServiceAccount's tokens has Headgate mint them and send them where they say."""

from typing import Any

import pytest
from tests.resources.manifests import PROVIDER, changed

from headgate_dev.cluster import Cluster, CommandError

from .test_secret_references import EDIT, may

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("admission")]

FEDERATED: dict[str, Any] = changed(
    PROVIDER,
    "spec.auth",
    {
        "modes": ["WorkloadIdentity"],
        "workloadIdentity": {
            "serviceAccountName": "caller",
            "audience": "https://api.anthropic.com",
            "federationRuleId": "fdrl_emulated",
            "organizationId": "org-emulated",
            "serviceAccountId": "svac_emulated",
        },
    },
)
REFUSED = r"workloadIdentity names ServiceAccount caller, whose tokens 'mallory' may not mint.*serviceaccounts/token of caller"


def mint(cluster: Cluster, namespace: str, user: str, account: str) -> None:
    """Let a user mint the tokens of one ServiceAccount."""
    rule = ("--verb=create", "--resource=serviceaccounts/token", f"--resource-name={account}")
    cluster.kubectl("create", "role", f"{user}-mints-{account}", "-n", namespace, *rule)
    bound = (f"--role={user}-mints-{account}", f"--user={user}")
    cluster.kubectl("create", "rolebinding", f"{user}-mints-{account}", "-n", namespace, *bound)


def test_who_may_not_mint_its_tokens_cannot_name_a_service_account(cluster: Cluster, namespace: str) -> None:
    may(cluster, namespace, "mallory", *EDIT)
    mint(cluster, namespace, "mallory", "another")
    with pytest.raises(CommandError, match=REFUSED):
        cluster.apply(FEDERATED, namespace=namespace, as_user="mallory")
    cluster.apply(
        changed(FEDERATED, "spec.auth.workloadIdentity.serviceAccountName", "another"),
        namespace=namespace,
        as_user="mallory",
    )


def test_the_right_to_mint_that_ones_tokens_is_enough(cluster: Cluster, namespace: str) -> None:
    may(cluster, namespace, "ann", *EDIT)
    mint(cluster, namespace, "ann", "caller")
    cluster.apply(FEDERATED, namespace=namespace, as_user="ann")


def test_who_may_not_mint_them_changes_the_rest_but_nothing_that_decides_where_tokens_go(
    cluster: Cluster, namespace: str
) -> None:
    cluster.apply(FEDERATED, namespace=namespace)
    may(cluster, namespace, "mallory", *EDIT)

    cluster.kubectl(
        "patch", "llmprovider/anthropic", "-n", namespace, "--type=merge",
        "-p", '{"spec":{"timeouts":{"idleSeconds":60}}}', as_user="mallory",
    )  # fmt: skip
    for change in (
        changed(FEDERATED, "spec.endpoint", "https://mallory.example"),
        changed(FEDERATED, "spec.tls", {"caBundle": "-----BEGIN CERTIFICATE-----"}),
        changed(FEDERATED, "spec.auth.workloadIdentity.tokenEndpoint", "https://mallory.example/token"),
        changed(FEDERATED, "spec.auth.workloadIdentity.audience", "https://mallory.example"),
        changed(FEDERATED, "spec.auth.workloadIdentity.federationRuleId", "fdrl_of_mallory"),
    ):
        with pytest.raises(CommandError, match=REFUSED):
            cluster.apply(change, namespace=namespace, as_user="mallory")


def test_a_provider_without_a_workload_identity_asks_for_no_such_right(cluster: Cluster, namespace: str) -> None:
    may(cluster, namespace, "ann", *EDIT)
    plain = changed(PROVIDER, "spec.auth.apiKey", {})
    cluster.apply(plain, namespace=namespace, as_user="ann")
    cluster.apply(changed(plain, "spec.endpoint", "https://elsewhere.example"), namespace=namespace, as_user="ann")
    with pytest.raises(CommandError, match=r"'ann' may not mint"):
        cluster.apply(FEDERATED, namespace=namespace, as_user="ann")
