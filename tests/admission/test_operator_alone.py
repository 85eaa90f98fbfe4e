"""What rollouts rest on is written by one hand: status, and the ControllerRevisions that keep guarded forms."""

from typing import Any

import pytest
from tests.resources.manifests import ACCOUNT, changed

from headgate_dev.cluster import Cluster, CommandError

from .team import EDITOR, OPERATOR, Team, awaiting

pytestmark = pytest.mark.cluster
KEPT = {"headgate.dev/revision-of-kind": "LLMProvider", "headgate.dev/revision-of-name": "anthropic"}


def revision(name: str = "kept", labels: dict[str, str] | None = KEPT, number: int = 0) -> dict[str, Any]:
    metadata = {"name": name, "labels": labels or {}}
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": metadata,
        "data": {"form": "x"},
        "revision": number,
    }


@pytest.fixture
def admins(team: Team) -> Team:
    """Let ivy do everything that RBAC can grant, in this namespace."""
    team.bind("admins", "cluster-admin", "--user=ivy")
    return team


@pytest.mark.parametrize("user", ["ivy", None], ids=["an-admin-of-the-namespace", "the-cluster-admin"])
@pytest.mark.parametrize("resource", ["rolloutpolicy/claude", "llmprovider/anthropic", "subscriptionaccount/alice"])
def test_nobody_else_writes_a_status(cluster: Cluster, admins: Team, resource: str, user: str | None) -> None:
    admins.create_policy()
    cluster.apply(changed(ACCOUNT, "spec.credential", {}), namespace=admins.namespace)

    with pytest.raises(
        CommandError,
        match=r"status is what the operator observed and decided, and only .*:headgate-operator may write it, not '",
    ):
        cluster.kubectl(
            "patch", resource, "-n", admins.namespace, "--type=merge", "--subresource=status",
            '--patch={"status":{"conditions":[],"observedGeneration":1}}', as_user=user,
        )  # fmt: skip


def test_the_operator_writes_it(admins: Team) -> None:
    admins.create_policy(status=awaiting())


def test_a_status_in_the_spec_s_request_comes_to_nothing(cluster: Cluster, admins: Team) -> None:
    admins.create_policy(status=awaiting())

    admins.patch("rolloutpolicy/claude", {"status": {"canaryRevision": "forged"}}, "ivy")

    assert cluster.get("rolloutpolicy/claude", "-n", admins.namespace)["status"]["canaryRevision"] != "forged"


def test_nobody_else_makes_changes_promotes_or_deletes_a_kept_form(cluster: Cluster, admins: Team) -> None:
    where = {"namespace": admins.namespace}
    alone = (
        r"ControllerRevision kept: with the label headgate\.dev/revision-of-kind .* only .* not 'ivy'; go through the R"
    )
    with pytest.raises(CommandError, match=alone):
        cluster.apply(revision(), as_user="ivy", **where)

    cluster.apply(revision(), as_user=OPERATOR, **where)
    for change in ({"revision": 5}, {"metadata": {"labels": dict.fromkeys(KEPT)}}):
        with pytest.raises(CommandError, match=alone):
            admins.patch("controllerrevision/kept", change, "ivy")
    with pytest.raises(CommandError, match=alone):
        admins.delete("controllerrevision/kept", "ivy")
    with pytest.raises(CommandError, match=alone):
        cluster.kubectl("delete", "controllerrevisions", "--all", "-n", admins.namespace, as_user="ivy")

    admins.patch("controllerrevision/kept", {"revision": 1}, OPERATOR)
    admins.delete("controllerrevision/kept", OPERATOR)


def test_nobody_else_passes_a_controller_revision_off_as_a_kept_form(cluster: Cluster, admins: Team) -> None:
    cluster.apply(revision("of-a-daemon", labels=None), namespace=admins.namespace, as_user="ivy")

    with pytest.raises(CommandError, match=r"only .* may write or delete it"):
        admins.patch("controllerrevision/of-a-daemon", {"metadata": {"labels": KEPT}}, "ivy")


def test_controller_revisions_of_others_are_none_of_headgate_s_business(cluster: Cluster, admins: Team) -> None:
    cluster.apply(revision("of-a-daemon", labels={"app": "x"}), namespace=admins.namespace, as_user="ivy")

    admins.patch("controllerrevision/of-a-daemon", {"revision": 2}, "ivy")
    admins.delete("controllerrevision/of-a-daemon", "ivy")


def test_kubernetes_collects_the_kept_forms_of_what_was_deleted(cluster: Cluster, admins: Team) -> None:
    owner = cluster.get("llmprovider/anthropic", "-n", admins.namespace)
    kept = revision()
    kept["metadata"]["ownerReferences"] = [
        {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": "anthropic", "uid": owner["metadata"]["uid"]}
    ]
    cluster.apply(kept, namespace=admins.namespace, as_user=OPERATOR)

    admins.delete("llmprovider/anthropic", EDITOR)

    cluster.wait_for("controllerrevision/kept", "delete", namespace=admins.namespace, timeout=60)
