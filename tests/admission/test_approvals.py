"""Approvals mean something (design, guarantee 2): each test is a way to get an approval that must not be had, and its refusal."""

import pytest

from headgate_dev.cluster import Cluster, CommandError

from .team import EDITOR, GITOPS, OPERATOR, REVISION, Team, awaiting, policy

pytestmark = pytest.mark.cluster
POLICY = "rolloutpolicy/claude"


def test_who_has_the_verb_approves_what_is_awaited_under_their_own_name(team: Team) -> None:
    team.create_policy(status=awaiting())

    team.approve("ivy")

    assert team.annotation(POLICY, "approve") == f"{REVISION}/1"
    assert team.annotation(POLICY, "approved-by") == "ivy"


def test_the_api_server_fills_in_the_name(team: Team) -> None:
    team.create_policy(status=awaiting())

    team.annotate(POLICY, "ivy", approve=f"{REVISION}/1")

    assert team.annotation(POLICY, "approved-by") == "ivy"


def test_with_a_certificate_of_their_own_it_is_the_same(cluster: Cluster, team: Team) -> None:
    team.create_policy(status=awaiting())
    annotate = ("annotate", POLICY, "-n", team.namespace, f"headgate.dev/approve={REVISION}/1")

    with pytest.raises(CommandError, match=r"approving needs the verb approve on it, which 'ann' does not have"):
        cluster.kubectl(*annotate, kubeconfig=cluster.kubeconfig_for_user(EDITOR))
    cluster.kubectl(*annotate, kubeconfig=cluster.kubeconfig_for_user("ivy"))

    assert team.annotation(POLICY, "approved-by") == "ivy"


def test_without_the_verb_nobody_approves(team: Team) -> None:
    team.create_policy(status=awaiting())

    with pytest.raises(
        CommandError,
        match=r"RolloutPolicy claude: approving needs the verb approve on it, which 'ann'.*headgate-approver.*ask somebody",
    ):
        team.approve(EDITOR)

    assert team.annotation(POLICY, "approve") is None


def test_the_right_to_approve_one_policy_is_no_right_to_approve_another(cluster: Cluster, team: Team) -> None:
    team.create_policy(status=awaiting())
    only = ("--verb=approve", "--resource=rolloutpolicies.headgate.dev", "--resource-name=other")
    cluster.kubectl("create", "role", "other", "-n", team.namespace, *only)
    cluster.kubectl("create", "rolebinding", "other", "-n", team.namespace, "--role=other", f"--user={EDITOR}")

    with pytest.raises(CommandError, match="needs the verb approve"):
        team.approve(EDITOR)


def test_nobody_approves_their_own_change(team: Team) -> None:
    team.create_policy(status=awaiting(authors=("joe", "ivy")))

    with pytest.raises(CommandError, match=r"'ivy' made \(part of\) the change that .*let another person approve it"):
        team.approve("ivy")
    team.approve("kim")


def test_own_changes_may_be_approved_where_the_policy_says_so(team: Team) -> None:
    team.create_policy(policy(distinctFromAuthor=False), awaiting(authors=("ivy",)))

    team.approve("ivy")


def test_the_policy_as_stored_decides_not_the_one_in_the_approving_request(team: Team) -> None:
    team.create_policy(status=awaiting(authors=("ivy",)))
    annotations = {"headgate.dev/approve": f"{REVISION}/1"}
    change = {"metadata": {"annotations": annotations}, "spec": {"approval": {"distinctFromAuthor": False}}}

    with pytest.raises(CommandError, match=r"'ivy' made \(part of\) the change"):
        team.patch(POLICY, change, "ivy")


def test_a_service_account_approves_only_when_listed(team: Team) -> None:
    team.create_policy(status=awaiting())
    with pytest.raises(
        CommandError, match=r"is a ServiceAccount, .*approvers.serviceAccounts lists them; let a person"
    ):
        team.approve(GITOPS)

    listed = {"approvers": {"serviceAccounts": [{"name": "controller", "namespace": "argocd"}], "users": ["kim"]}}
    team.patch(POLICY, {"spec": {"approval": listed}}, "ivy")
    team.approve(GITOPS)

    assert team.annotation(POLICY, "approved-by") == GITOPS


def test_listing_a_name_in_another_namespace_lists_nobody_here(team: Team) -> None:
    team.create_policy(policy(approvers={"serviceAccounts": [{"name": "controller"}]}), awaiting())

    with pytest.raises(CommandError, match="is a ServiceAccount"):
        team.approve(GITOPS)


def test_only_named_people_and_groups_approve_where_some_are_named(cluster: Cluster, team: Team) -> None:
    team.create_policy(policy(approvers={"users": ["kim"], "groups": ["release"]}), awaiting())

    with pytest.raises(
        CommandError, match=r"names neither 'ivy' nor a group of theirs; ask one of those it names: kim, rel"
    ):
        team.approve("ivy")
    annotate = ("annotate", POLICY, "-n", team.namespace, f"headgate.dev/approve={REVISION}/1")
    cluster.kubectl(*annotate, as_user="joe", as_groups=["release"])
    team.approve("kim")

    assert team.annotation(POLICY, "approved-by") == "kim"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("fedcba9876543210-6/1", rf"another rollout, {REVISION}, awaits approval.*set it to '{REVISION}/1'"),
        ("0123456789abcdef-6/1", rf"another rollout, {REVISION}, awaits approval"),
        (f"{REVISION}/3", rf"step 1 of this rollout awaits approval.*set it to '{REVISION}/1'"),
        (REVISION, "another rollout"),
        (f"{REVISION}/1 ", "step 1 of this rollout"),
    ],
    ids=["another-content", "an-earlier-rollout-of-the-same-content", "another-step", "no-step", "a-blank"],
)
def test_an_approval_of_anything_else_is_refused(team: Team, given: str, message: str) -> None:
    team.create_policy(status=awaiting())

    with pytest.raises(CommandError, match=message):
        team.approve("ivy", given)


def test_nothing_is_approved_before_it_is_awaited(team: Team) -> None:
    team.create_policy()
    with pytest.raises(CommandError, match="no approval is awaited, since no rollout is under way"):
        team.approve("ivy")

    team.set_status(awaiting(2, kind="Weight"))
    with pytest.raises(
        CommandError, match=rf"no approval is awaited, since step 2 of rollout {REVISION} is of kind Weight"
    ):
        team.approve("ivy", f"{REVISION}/2")


def test_one_person_counts_once_and_a_second_approves_the_same(team: Team) -> None:
    team.create_policy(status=awaiting())
    team.approve("ivy")
    team.set_status(awaiting(approved=("ivy",)))

    team.annotate(POLICY, "ivy", approve=None, approved_by=None)
    with pytest.raises(CommandError, match=r"'ivy' approved .* already, and one person counts once; another person"):
        team.approve("ivy")

    team.approve("joe")
    assert team.annotation(POLICY, "approved-by") == "joe"


def test_a_second_person_replaces_the_name_of_the_first(team: Team) -> None:
    team.create_policy(status=awaiting())
    team.approve("ivy")
    team.set_status(awaiting(approved=("ivy",)))

    team.approve("joe")

    assert team.annotation(POLICY, "approved-by") == "joe"


def test_an_approval_of_an_earlier_step_does_not_stand_in_the_way(team: Team) -> None:
    team.create_policy(status=awaiting(approved=("ivy",)))
    later = awaiting(3)
    later["rollout"]["approvals"] = awaiting(approved=("ivy",))["rollout"]["approvals"]
    team.set_status(later)

    team.approve("ivy", f"{REVISION}/3")


def test_a_forged_name_is_replaced_by_the_true_one(team: Team) -> None:
    team.create_policy(status=awaiting())

    team.approve("ivy", by="kim")

    assert team.annotation(POLICY, "approved-by") == "ivy"


def test_the_name_alone_cannot_be_forged_later(team: Team) -> None:
    team.create_policy(status=awaiting())
    team.approve("ivy")

    team.annotate(POLICY, "ivy", approved_by="kim")
    assert team.annotation(POLICY, "approved-by") == "ivy"

    with pytest.raises(CommandError, match="'ann' does not have"):
        team.annotate(POLICY, EDITOR, approved_by="kim")
    assert team.annotation(POLICY, "approved-by") == "ivy"


def test_taking_an_approval_back_takes_its_name_with_it(team: Team) -> None:
    team.create_policy(status=awaiting())
    team.approve("ivy")

    team.annotate(POLICY, EDITOR, approve=None)

    assert team.annotation(POLICY, "approved-by") is None


def test_others_edit_a_policy_that_carries_an_approval(team: Team) -> None:
    team.create_policy(status=awaiting())
    team.approve("ivy")

    team.patch(POLICY, {"metadata": {"labels": {"team": "a"}}}, EDITOR)

    assert team.annotation(POLICY, "approved-by") == "ivy"


def test_pausing_and_aborting_take_no_more_than_the_right_to_edit(team: Team) -> None:
    team.create_policy(status=awaiting())

    team.annotate(POLICY, EDITOR, pause="")
    team.annotate(POLICY, EDITOR, abort=REVISION)


def test_the_operator_itself_cannot_approve(team: Team) -> None:
    team.create_policy(status=awaiting())

    with pytest.raises(CommandError, match="needs the verb approve"):
        team.annotate(POLICY, OPERATOR, approve=f"{REVISION}/1")


def test_a_policy_cannot_be_created_with_an_approval(cluster: Cluster, team: Team) -> None:
    with pytest.raises(CommandError, match=r"cannot be created with headgate\.dev/approve, since there is nothing yet"):
        cluster.apply(policy(approve=f"{REVISION}/1"), namespace=team.namespace, as_user="ivy")


def test_releasing_rejected_content_takes_the_verb_and_names_it(team: Team) -> None:
    team.create_policy(status={"conditions": [], "rejected": "0123456789abcdef"})

    with pytest.raises(CommandError, match=r"headgate\.dev/release needs the verb approve on it, which 'ann'"):
        team.annotate(POLICY, EDITOR, release="0123456789abcdef")
    with pytest.raises(CommandError, match=r"what is rejected is '0123456789abcdef'; set it to that"):
        team.annotate(POLICY, "ivy", release="fedcba9876543210")
    team.annotate(POLICY, "ivy", release="0123456789abcdef")


def test_releasing_a_held_provider_takes_the_verb_on_the_policies_of_its_namespace(team: Team) -> None:
    with pytest.raises(
        CommandError, match=r"LLMProvider anthropic: headgate\.dev/release needs the verb approve on the R"
    ):
        team.annotate("llmprovider/anthropic", EDITOR, release="0123456789abcdef")

    team.annotate("llmprovider/anthropic", "ivy", release="0123456789abcdef")


# Where the API server cannot stamp, the requester writes their own name, and no other is taken.


def test_without_stamps_another_name_is_refused(older_team: Team) -> None:
    older_team.create_policy(policy(distinctFromAuthor=False), awaiting())

    with pytest.raises(
        CommandError, match=r"approved-by is 'kim', but this request is made by 'ivy'; an approval is pers"
    ):
        older_team.approve("ivy", by="kim")
    with pytest.raises(CommandError, match=r"approved-by is '', but this request is made by 'ivy'"):
        older_team.annotate(POLICY, "ivy", approve=f"{REVISION}/1")
    older_team.approve("ivy")


def test_without_stamps_the_name_alone_cannot_be_forged_later(older_team: Team) -> None:
    older_team.create_policy(policy(distinctFromAuthor=False), awaiting())
    older_team.approve("ivy")

    with pytest.raises(CommandError, match="approved-by is 'kim', but this request is made by 'ivy'"):
        older_team.annotate(POLICY, "ivy", approved_by="kim")
    with pytest.raises(CommandError, match="approved-by is '', but"):
        older_team.annotate(POLICY, "ivy", approved_by=None)


def test_without_stamps_nobody_is_promised_a_distinct_author(cluster: Cluster, older_team: Team) -> None:
    with pytest.raises(
        CommandError, match=r"distinctFromAuthor is true \(the default\), but .*set it to false, or use a cl"
    ):
        older_team.create_policy()

    older_team.create_policy(policy(distinctFromAuthor=False))


def test_overruling_an_analysis_that_found_harm_takes_the_right_to_approve(team: Team) -> None:
    """A pause set while analysis holds the rollout takes that hold over; removing it then goes on."""
    held = awaiting(2, kind="Weight")
    held["rollout"]["heldByFailure"] = True
    team.create_policy(status=held)

    with pytest.raises(
        CommandError, match=r"analysis found harm and holds .* needs the verb approve on it, which 'ann'"
    ):
        team.annotate(POLICY, EDITOR, pause="let it be")
    team.annotate(POLICY, EDITOR, abort="something")
    team.annotate(POLICY, "ivy", pause="I looked at it")
    team.annotate(POLICY, EDITOR, pause=None)


def test_whoever_may_edit_pauses_and_resumes(team: Team) -> None:
    team.create_policy(status=awaiting(2, kind="Weight"))

    team.annotate(POLICY, EDITOR, pause="wait")
    team.annotate(POLICY, EDITOR, pause=None)
