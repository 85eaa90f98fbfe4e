"""No confused deputy: only who may read a Secret has Headgate read it and send what it holds to an endpoint they choose."""

from typing import Any

import pytest
from tests.resources.manifests import ACCOUNT, OAUTH, PROVIDER, changed

from headgate_dev.cluster import Cluster, CommandError

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("admission")]

WITH_OAUTH = changed(ACCOUNT, "spec.oauth", OAUTH)


def may(cluster: Cluster, namespace: str, user: str, *rules: str) -> None:
    """Grant rules of the form ``verbs:resource[/name]``."""
    for index, rule in enumerate(rules):
        verbs, _, resource = rule.partition(":")
        kind, _, name = resource.partition("/")
        only = [f"--resource-name={name}"] if name else []
        role = f"{user}-{index}"
        cluster.kubectl("create", "role", role, "-n", namespace, f"--verb={verbs}", f"--resource={kind}", *only)
        cluster.kubectl("create", "rolebinding", role, "-n", namespace, f"--role={role}", f"--user={user}")


EDIT = (
    "get,create,update,patch:llmproviders.headgate.dev",
    "get,create,update,patch:subscriptionaccounts.headgate.dev",
)


@pytest.mark.parametrize("manifest", [PROVIDER, ACCOUNT], ids=lambda m: m["kind"])
def test_a_secret_one_may_not_read_cannot_be_named(cluster: Cluster, namespace: str, manifest: dict[str, Any]) -> None:
    may(cluster, namespace, "mallory", *EDIT)

    with pytest.raises(CommandError, match=r"importSecretRef names Secret .*'mallory' may not read.*verb get"):
        cluster.apply(manifest, namespace=namespace, as_user="mallory")


@pytest.mark.parametrize("manifest", [PROVIDER, ACCOUNT], ids=lambda m: m["kind"])
def test_the_right_to_get_that_one_secret_is_enough(cluster: Cluster, namespace: str, manifest: dict[str, Any]) -> None:
    may(cluster, namespace, "ann", *EDIT, "get:secrets/anthropic-key", "get:secrets/alice-claude")

    cluster.apply(manifest, namespace=namespace, as_user="ann")


def test_who_may_not_read_the_secret_changes_the_rest_but_neither_secret_nor_endpoint(
    cluster: Cluster, namespace: str
) -> None:
    cluster.apply(PROVIDER, namespace=namespace)
    may(cluster, namespace, "mallory", *EDIT)

    cluster.kubectl(
        "patch", "llmprovider/anthropic", "-n", namespace, "--type=merge",
        "-p", '{"spec":{"timeouts":{"idleSeconds":60}}}', as_user="mallory",
    )  # fmt: skip
    for change in (
        changed(PROVIDER, "spec.endpoint", "https://mallory.example"),
        changed(PROVIDER, "spec.auth.apiKey.importSecretRef.name", "another"),
        changed(PROVIDER, "spec.auth.apiKey.importSecretRef.key", "another"),
    ):
        with pytest.raises(CommandError, match="may not read"):
            cluster.apply(change, namespace=namespace, as_user="mallory")


def test_a_provider_whose_key_is_in_vault_already_needs_no_right_on_secrets(cluster: Cluster, namespace: str) -> None:
    may(cluster, namespace, "ann", *EDIT)

    cluster.apply(changed(PROVIDER, "spec.auth.apiKey", {}), namespace=namespace, as_user="ann")
    cluster.apply(changed(ACCOUNT, "spec.credential", {}), namespace=namespace, as_user="ann")


def test_nobody_has_a_client_secret_sent_anywhere_that_they_may_not_read(cluster: Cluster, namespace: str) -> None:
    plain = changed(
        changed(WITH_OAUTH, "spec.credential", {}), "spec.oauth.clientSecretRef", {"name": "client", "key": "s"}
    )
    may(cluster, namespace, "mallory", *EDIT)
    with pytest.raises(CommandError, match=r"clientSecretRef names Secret client.*'mallory' may not read"):
        cluster.apply(plain, namespace=namespace, as_user="mallory")

    cluster.apply(plain, namespace=namespace)
    moved = changed(plain, "spec.oauth.tokenEndpoint", "https://mallory.example/token")
    with pytest.raises(CommandError, match=r"clientSecretRef names Secret client.*'mallory' may not read"):
        cluster.apply(moved, namespace=namespace, as_user="mallory")


def test_moving_the_token_endpoint_takes_the_right_on_the_imported_secret(cluster: Cluster, namespace: str) -> None:
    cluster.apply(WITH_OAUTH, namespace=namespace)
    may(cluster, namespace, "mallory", *EDIT)
    moved = changed(WITH_OAUTH, "spec.oauth.tokenEndpoint", "https://mallory.example/token")
    with pytest.raises(CommandError, match=r"importSecretRef names Secret alice-claude.*'mallory' may not read"):
        cluster.apply(moved, namespace=namespace, as_user="mallory")
