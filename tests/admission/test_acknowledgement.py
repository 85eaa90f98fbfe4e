"""Opting in to a subscription is personal: the API server compares ``acknowledgement.by`` with the request's own user."""

import json
from typing import Any

import pytest
from tests.resources.manifests import ACCOUNT, changed

from headgate_api import acknowledgement
from headgate_dev.cluster import Cluster, CommandError

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("admission")]


def acknowledged_by(user: str) -> dict[str, Any]:
    text = {"by": user, "at": "2026-11-21T08:00:00Z", "textVersion": acknowledgement.TEXT_VERSION}
    return changed(ACCOUNT, "spec.acknowledgement", text)


def apply(cluster: Cluster, namespace: str, manifest: dict[str, Any], user: str | None = None) -> str:
    return cluster.apply(manifest, namespace=namespace, as_user=user)


@pytest.fixture
def editors(cluster: Cluster, namespace: str) -> str:
    """Let alice, bob and a GitOps ServiceAccount edit everything in the namespace."""
    users = ["--user=alice", "--user=bob", "--serviceaccount=argocd:controller"]
    cluster.kubectl("create", "rolebinding", "-n", namespace, "editors", "--clusterrole=cluster-admin", *users)
    return namespace


def test_a_person_acknowledges_for_themselves(cluster: Cluster, editors: str) -> None:
    apply(cluster, editors, ACCOUNT)

    apply(cluster, editors, acknowledged_by("alice"), user="alice")

    by = cluster.kubectl("get", "-n", editors, "subacc", "alice", "-o", "jsonpath={.spec.acknowledgement.by}")
    assert by == "alice"


def test_nobody_acknowledges_for_another(cluster: Cluster, editors: str) -> None:
    with pytest.raises(CommandError, match=r"spec\.acknowledgement\.by is 'alice'.*made by 'bob'.*set by to your own"):
        apply(cluster, editors, acknowledged_by("alice"), user="bob")


def test_a_service_account_is_not_a_person(cluster: Cluster, editors: str) -> None:
    gitops = "system:serviceaccount:argocd:controller"

    with pytest.raises(CommandError, match=r"must come from a person.*let a person add it"):
        apply(cluster, editors, acknowledged_by(gitops), user=gitops)


def test_others_may_change_the_rest_of_an_acknowledged_account(cluster: Cluster, editors: str) -> None:
    apply(cluster, editors, acknowledged_by("alice"), user="alice")

    apply(cluster, editors, changed(acknowledged_by("alice"), "spec.priority", 5), user="bob")

    with pytest.raises(CommandError, match="made by 'bob'"):
        apply(cluster, editors, changed(acknowledged_by("alice"), "spec.acknowledgement.textVersion", "x"), user="bob")


def test_kubectl_shows_the_risk_where_a_subscription_is_configured(cluster: Cluster, editors: str) -> None:
    with pytest.raises(CommandError) as warned:
        cluster.kubectl("apply", "-n", editors, "-f", "-", "--warnings-as-errors", input=json.dumps(ACCOUNT))

    assert "Warning:" in str(warned.value)
    assert acknowledgement.TEXT[:60] in str(warned.value)
