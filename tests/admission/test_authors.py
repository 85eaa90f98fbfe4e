"""Who changed a guarded object, the API server records: whoever it was, however they wrote, and nobody writes it themselves."""

import copy
import json
from typing import Any

import pytest
from tests.resources.manifests import ACCOUNT, FLEET, PROVIDER, changed

from headgate_dev.cluster import Cluster, CommandError

from .team import EDITOR, GITOPS, Team

pytestmark = pytest.mark.cluster
PROVIDER_REF = "llmprovider/anthropic"
IN_VAULT = changed(PROVIDER, "spec.auth.apiKey", {})


def authors(team: Team, resource: str = PROVIDER_REF) -> list[str]:
    return (team.annotation(resource, "authors") or "").split("\n")


def idle(seconds: int) -> dict[str, Any]:
    return {"spec": {"timeouts": {"idleSeconds": seconds}}}


@pytest.mark.parametrize(
    "manifest", [IN_VAULT, changed(ACCOUNT, "spec.credential", {}), FLEET], ids=lambda manifest: manifest["kind"]
)
def test_whoever_creates_is_the_first_author(cluster: Cluster, team: Team, manifest: dict[str, Any]) -> None:
    fresh = changed(manifest, "metadata.name", "fresh")

    cluster.apply(fresh, namespace=team.namespace, as_user=EDITOR)

    assert authors(team, f"{manifest['kind'].lower()}/fresh") == ["1=ann"]


def test_authors_accumulate_each_at_the_generation_of_their_last_change(cluster: Cluster, team: Team) -> None:
    team.patch(PROVIDER_REF, idle(60), "ivy")
    team.patch(PROVIDER_REF, idle(61), "kim")
    team.patch(PROVIDER_REF, idle(62), GITOPS)
    team.patch(PROVIDER_REF, idle(63), "ivy")

    assert authors(team) == ["1=ann", "3=kim", f"4={GITOPS}", "5=ivy"]
    assert cluster.get(PROVIDER_REF, "-n", team.namespace)["metadata"]["generation"] == 5


def test_a_name_that_ends_like_another_is_another(cluster: Cluster, team: Team) -> None:
    team.bind("lookalikes", "headgate-editor", "--user=x=ann", "--user=n", "--user=1=ann")

    for seconds, user in enumerate(("x=ann", "n", "1=ann"), start=60):
        team.patch(PROVIDER_REF, idle(seconds), user)

    assert authors(team) == ["1=ann", "2=x=ann", "3=n", "4=1=ann"]


def test_what_is_no_change_of_spec_has_no_author(team: Team) -> None:
    team.patch(PROVIDER_REF, {"metadata": {"labels": {"a": "b"}}}, "ivy")
    team.patch(PROVIDER_REF, {"spec": {"protocol": "Anthropic"}}, "ivy")

    assert authors(team) == ["1=ann"]


@pytest.mark.parametrize("forged", ["1=joe", "2=joe", "", None], ids=["another", "later", "empty", "removed"])
def test_the_record_cannot_be_altered(team: Team, forged: str | None) -> None:
    team.annotate(PROVIDER_REF, "ivy", authors=forged)

    assert authors(team) == ["1=ann"]


def test_a_change_cannot_bring_an_author_of_its_own(cluster: Cluster, team: Team) -> None:
    annotations = {"headgate.dev/authors": "2=joe"}
    team.patch(PROVIDER_REF, {"metadata": {"annotations": annotations}, **idle(60)}, "ivy")
    assert authors(team) == ["1=ann", "2=ivy"]

    forged = changed(IN_VAULT, "metadata", {"name": "forged", "annotations": annotations})
    cluster.apply(forged, namespace=team.namespace, as_user="ivy")
    assert authors(team, "llmprovider/forged") == ["1=ivy"]


def test_replacing_the_object_without_the_record_keeps_it(cluster: Cluster, team: Team) -> None:
    bare = copy.deepcopy(IN_VAULT)

    cluster.kubectl("replace", "-n", team.namespace, "-f", "-", input=json.dumps(bare), as_user="ivy")

    assert authors(team) == ["1=ann"]


def test_applying_again_what_stands_changes_no_record(cluster: Cluster, team: Team) -> None:
    team.patch(PROVIDER_REF, idle(60), "ivy")

    applied = changed(IN_VAULT, "spec.timeouts", {"idleSeconds": 60})
    for _ in range(2):
        cluster.kubectl(
            "apply", "--server-side", "--force-conflicts", "-n", team.namespace, "-f", "-",
            input=json.dumps(applied), as_user=EDITOR,
        )  # fmt: skip

    assert authors(team) == ["1=ann", "2=ivy"]


def test_a_user_name_of_two_lines_cannot_write_two_records(cluster: Cluster, team: Team) -> None:
    name = "ivy\n3=joe"
    team.bind("split", "headgate-editor", f"--user={name}")
    patch = ("patch", PROVIDER_REF, "-n", team.namespace, "--type=merge", f"--patch={json.dumps(idle(60))}")

    with pytest.raises(CommandError, match="a user whose name has a line break cannot be recorded"):
        cluster.kubectl(*patch, kubeconfig=cluster.kubeconfig_for_user(name))


def test_without_stamps_nobody_pretends_one(cluster: Cluster, older_team: Team) -> None:
    assert older_team.annotation(PROVIDER_REF, "authors") is None

    with pytest.raises(CommandError, match=r"headgate\.dev/authors is for the API server to write.*leave it out"):
        older_team.annotate(PROVIDER_REF, "ivy", authors="1=joe")
