"""What admission policies refuse reaches the person as a sentence; what they allow goes through in the person's own name."""

import pytest
from tests.admission.team import EDITOR, REVISION, Team, awaiting

from headgate_api import names
from headgate_cli.main import main

AWAITED = f"{REVISION}/1"


def run(team: Team, user: str, *arguments: str) -> int:
    kubeconfig = team.cluster.kubeconfig_for_user(user)
    return main([*arguments, "-n", team.namespace, "--kubeconfig", str(kubeconfig)])


def test_approving_without_the_verb_is_refused_in_one_sentence(team: Team, capsys: pytest.CaptureFixture[str]) -> None:
    team.create_policy(status=awaiting())
    assert run(team, EDITOR, "approve", "claude", "--yes") == 1
    assert capsys.readouterr().err == (
        "headgate approve: RolloutPolicy claude: approving needs the verb approve on it, which 'ann' does not have; bind the "
        f"ClusterRole headgate-approver to them in namespace {team.namespace}, or ask somebody who has it\n"
    )


def test_an_approver_approves_in_their_own_name(team: Team) -> None:
    team.create_policy(status=awaiting())
    assert run(team, "ivy", "approve", "claude", "--revision", AWAITED, "--wait", "0") == 0
    assert team.annotation("rolloutpolicy/claude", "approve") == AWAITED
    assert team.annotation("rolloutpolicy/claude", "approved-by") == "ivy"


def test_ones_own_change_is_refused(team: Team, capsys: pytest.CaptureFixture[str]) -> None:
    team.create_policy(status=awaiting(authors=("joe",)))
    assert run(team, "joe", "approve", "claude", "--yes") == 1
    assert "let another person approve it" in capsys.readouterr().err


def test_whoever_may_change_the_policy_may_stop_it_at_once(team: Team) -> None:
    team.create_policy(status=awaiting())
    assert run(team, EDITOR, "abort", "claude", "--wait", "0") == 0
    assert team.annotation("rolloutpolicy/claude", "abort") == REVISION
    assert run(team, EDITOR, "pause", "claude", "--reason", "lunch") == 0
    assert team.annotation("rolloutpolicy/claude", "pause") == "lunch"
    assert run(team, EDITOR, "resume", "claude") == 0


def test_releasing_takes_the_verb(team: Team, capsys: pytest.CaptureFixture[str]) -> None:
    rejected = REVISION.partition("-")[0]
    team.create_policy(status={"conditions": [], "sequence": 7, "rejected": rejected})
    assert run(team, EDITOR, "release", "claude") == 1
    assert f"{names.ANNOTATION_RELEASE} needs the verb approve" in capsys.readouterr().err
    assert run(team, "ivy", "release", "claude") == 0
    assert team.annotation("rolloutpolicy/claude", "release") == rejected
