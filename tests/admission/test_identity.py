"""An identity profile is a person's decision: recorded under their own name, and anew for every change of it (B11)."""

import json
from typing import Any

import pytest
from tests.resources.manifests import PROVIDER, changed

from headgate_api import acknowledgement
from headgate_dev.cluster import Cluster, CommandError

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("admission")]

GITOPS = "system:serviceaccount:argocd:controller"
PLAN = changed(PROVIDER, "spec.auth", {"modes": ["Subscription"], "subscription": {}})
PROFILE = {"type": "Profile", "headers": {"user-agent": "acme-farm/1.0"}}


def presenting(
    by: str,
    *,
    at: str = "2026-11-21T08:00:00Z",
    identity: dict[str, Any] = PROFILE,
    text: str = acknowledgement.TEXT_VERSION,
) -> dict[str, Any]:
    subscription = {"identity": identity, "acknowledgement": {"by": by, "at": at, "textVersion": text}}
    return changed(PLAN, "spec.auth.subscription", subscription)


def apply(cluster: Cluster, namespace: str, manifest: dict[str, Any], user: str | None = None) -> str:
    return cluster.apply(manifest, namespace=namespace, as_user=user)


@pytest.fixture
def editors(cluster: Cluster, namespace: str) -> str:
    """Let ann, bob and a GitOps ServiceAccount edit everything in the namespace."""
    users = ["--user=ann", "--user=bob", "--serviceaccount=argocd:controller"]
    cluster.kubectl("create", "rolebinding", "-n", namespace, "editors", "--clusterrole=cluster-admin", *users)
    return namespace


def test_a_person_decides_under_their_own_name(cluster: Cluster, editors: str) -> None:
    apply(cluster, editors, PLAN, user="bob")

    apply(cluster, editors, presenting("ann"), user="ann")

    stored = cluster.get("-n", editors, "llmprovider", "anthropic")["spec"]["auth"]["subscription"]
    assert (stored["identity"]["type"], stored["acknowledgement"]["by"]) == ("Profile", "ann")


@pytest.mark.parametrize("existing", [False, True], ids=["created", "changed"])
def test_nobody_decides_in_anothers_name_nor_a_service_account(cluster: Cluster, editors: str, existing: bool) -> None:
    if existing:
        apply(cluster, editors, PLAN)

    with pytest.raises(
        CommandError,
        match=r"LLMProvider anthropic: spec\.auth\.subscription\.acknowledgement\.by is 'ann'.*made by 'bob'",
    ):
        apply(cluster, editors, presenting("ann"), user="bob")
    with pytest.raises(CommandError, match=r"must come from a person.*let a person add it"):
        apply(cluster, editors, presenting(GITOPS), user=GITOPS)


@pytest.mark.parametrize("user", ["ann", "bob", GITOPS])
def test_a_changed_profile_needs_a_fresh_decision(cluster: Cluster, editors: str, user: str) -> None:
    apply(cluster, editors, presenting("ann"), user="ann")
    other = PROFILE | {"toolNames": {"read": "AcmeRead"}}

    with pytest.raises(CommandError, match=r"identity is a Profile and changes.*decides anew: set by.* and at to"):
        apply(cluster, editors, presenting("ann", identity=other), user=user)
    with pytest.raises(CommandError, match=r"identity is a Profile and changes"):
        apply(cluster, editors, changed(presenting("ann"), "spec.auth.subscription.identity.headers", None), user=user)

    apply(cluster, editors, presenting("bob", at="2026-11-22T08:00:00Z", identity=other), user="bob")


def test_a_profile_that_was_set_aside_does_not_come_back_on_the_old_decision(cluster: Cluster, editors: str) -> None:
    apply(cluster, editors, presenting("ann"), user="ann")
    apply(cluster, editors, presenting("ann", identity={"type": "PassThrough"}), user="bob")

    with pytest.raises(CommandError, match=r"identity is a Profile and changes"):
        apply(cluster, editors, presenting("ann"), user="bob")


def test_others_may_change_the_rest_of_the_provider(cluster: Cluster, editors: str) -> None:
    apply(cluster, editors, presenting("ann"), user="ann")

    apply(cluster, editors, changed(presenting("ann"), "spec.models", [{"name": "other"}]), user="bob")
    cluster.kubectl("label", "-n", editors, "llmprovider/anthropic", "a=b", as_user=GITOPS)


def test_kubectl_says_what_a_profile_risks_and_says_nothing_without_one(cluster: Cluster, editors: str) -> None:
    strict = ("apply", "-n", editors, "-f", "-", "--warnings-as-errors")
    with pytest.raises(CommandError) as warned:
        cluster.kubectl(*strict, input=json.dumps(presenting("headgate-dev-admin")))
    assert "Warning:" in str(warned.value)
    assert acknowledgement.IDENTITY_TEXT in str(warned.value)
    assert f"textVersion {acknowledgement.TEXT_VERSION}" in str(warned.value)

    cluster.kubectl("delete", "-n", editors, "llmprovider/anthropic")
    cluster.kubectl(*strict, input=json.dumps(PLAN))
