"""What admission policies say to account commands reaches the person as a sentence; what they allow is in their own name."""

import pytest
from tests.admission.team import EDITOR, GITOPS, Team
from tests.resources.manifests import ACCOUNT, OAUTH, PROVIDER, changed

from headgate_api import acknowledgement
from headgate_cli.main import main

ACCEPT = ("--accept", acknowledgement.TEXT_VERSION)


def run(team: Team, user: str, *arguments: str) -> int:
    kubeconfig = team.cluster.kubeconfig_for_user(user)
    return main(["account", *arguments, "-n", team.namespace, "--kubeconfig", str(kubeconfig)])


@pytest.fixture
def alice(team: Team) -> None:
    for manifest in (PROVIDER, ACCOUNT):
        team.cluster.apply(manifest, namespace=team.namespace)


def test_an_editor_acknowledges_in_their_own_name_and_the_risk_is_said_once(
    team: Team, alice: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(team, EDITOR, "acknowledge", "alice", *ACCEPT) == 0
    found = team.cluster.get("subscriptionaccount/alice", "-n", team.namespace)["spec"]["acknowledgement"]
    assert (found["by"], found["textVersion"]) == (EDITOR, acknowledgement.TEXT_VERSION)
    assert "warning: " not in capsys.readouterr().err


def test_a_service_account_acknowledges_nothing(team: Team, alice: None, capsys: pytest.CaptureFixture[str]) -> None:
    bound = ("--clusterrole=cluster-admin", f"--user={GITOPS}", "-n", team.namespace)
    team.cluster.kubectl("create", "rolebinding", "gitops-for-all", *bound)
    admin = ("-n", team.namespace, "--kubeconfig", str(team.cluster.kubeconfig))
    assert main(["account", "acknowledge", "alice", *ACCEPT, "--as", GITOPS, *admin]) == 1
    err = capsys.readouterr().err
    assert "spec.acknowledgement must come from a person" in err and "ValidatingAdmissionPolicy" not in err


def test_signing_in_takes_the_verb_signin(team: Team, alice: None, capsys: pytest.CaptureFixture[str]) -> None:
    team.cluster.apply(changed(ACCOUNT, "spec.oauth", OAUTH), namespace=team.namespace)
    somewhere = ("--broker", "https://127.0.0.1:1")
    assert run(team, EDITOR, "login", "alice", *somewhere) == 1
    assert capsys.readouterr().err == (
        "headgate account login: SubscriptionAccount alice: signing in needs the verb signin on it, which 'ann' does not have; "
        f"bind the ClusterRole headgate-signer to them in namespace {team.namespace}, or ask somebody who has it\n"
    )
