"""A rollout from its first look to its end, as status, traffic and the stable form show it."""

from datetime import timedelta

import pytest

from headgate_api.resources.rolloutstatus import HISTORY

from .world import APPROVAL, AUDIENCE, ERRORS, START, World, given, weight

A = "LLMProvider/a"
B = "LLMProvider/b"


def outcomes(world: World, name: str = "p") -> list[str]:
    return [entry.outcome for entry in world.read(name).status.history]


def test_a_policy_secures_what_already_serves_and_then_rests() -> None:
    world = given(weight(100))
    assert world.stable(A) == "v1"
    assert world.read("p").status.stable_revision == "v1"
    assert outcomes(world) == ["Adopted"]
    assert world.condition("Promoted").status == "True"
    assert world.condition("Ready").status == "True"
    assert world.settle().requeue is None


def test_all_conditions_are_there_from_the_first_look() -> None:
    world = given(weight(100))
    types = [c.type for c in world.read("p").status.conditions]
    assert types == ["Ready", "Accepted", "Progressing", "AwaitingApproval", "Paused", "Promoted", "Healthy"]
    assert {c.observed_generation for c in world.read("p").status.conditions} == {1}


def test_a_change_passes_audience_approval_and_weights_and_becomes_stable() -> None:
    world = given(AUDIENCE, APPROVAL, weight(10, "5m"), APPROVAL, weight(100))
    world.change(A, "v2")

    world.settle()
    assert world.step().kind == "Approval"
    split = world.split()
    assert split is not None and (split.weight, split.testers) == (0, ("system:serviceaccount:team:tester",))
    assert world.condition("AwaitingApproval").status == "True"

    world.approve("p")
    world.settle()
    assert (world.step().kind, world.step().reason, world.read("p").status.weight) == ("Weight", "Holding", 10)

    world.wait(5 * 60)
    world.settle()
    assert (world.step().kind, world.read("p").status.weight) == ("Approval", 10)
    assert world.stable(A) == "v1"

    world.approve("p")
    world.settle()
    assert world.stable(A) == "v2"
    assert outcomes(world) == ["Promoted", "Adopted"]
    assert [r.step for r in world.read("p").status.history[0].approvals] == [1, 3]
    assert world.split() is None
    assert world.condition("Promoted").status == "True"


def test_each_step_and_each_ending_is_told_once() -> None:
    world = given(APPROVAL, weight(10), weight(100))
    world.change(A, "v2")
    world.settle()
    world.approve("p")
    world.settle()
    reasons = [note.reason for note in world.notes]
    assert reasons == [
        *("RolloutStarted", "StepBegun", "Approved", "StepBegun", "WeightChanged"),
        *("StepBegun", "WeightChanged", "StepBegun", "Promoted"),
    ]


def test_a_rollout_is_named_by_content_and_number_so_that_no_two_share_an_approval() -> None:
    world = given(APPROVAL, weight(100))
    world.change(A, "v2")
    world.settle()
    first = world.rollout().revision
    world.change(A, "v1")
    world.settle()
    world.change(A, "v2")
    world.settle()
    assert (first, world.rollout().revision) == ("v2-1", "v2-2")


def test_a_new_provider_without_a_stable_form_is_rolled_out_too() -> None:
    world = World()
    world.change(A, "v1")
    world.apply("p", {"targets": [{"name": "a"}], "steps": [APPROVAL, weight(100)]})
    world.settle()
    assert world.step().kind == "Approval"
    assert world.stable(A) is None
    world.approve("p")
    world.settle()
    assert world.stable(A) == "v1"


def test_a_newer_change_supersedes_and_begins_at_the_first_step() -> None:
    world = given(APPROVAL, weight(10, "1h"), weight(100))
    world.change(A, "v2", "alice")
    world.settle()
    world.approve("p")
    world.settle()
    assert world.read("p").status.weight == 10

    world.change(A, "v3", "carol")
    world.look("p")
    assert world.split() is None, "the superseded candidate is withdrawn at once"
    assert (world.rollout().revision, world.step().index) == ("v3-2", 0)
    assert world.rollout().authors == ("alice", "carol")
    assert world.rollout().approvals == ()
    assert outcomes(world)[0] == "Superseded"


def test_reverting_the_spec_ends_the_rollout_without_holding_it_against_the_content() -> None:
    world = given(APPROVAL, weight(100))
    world.change(A, "v2")
    world.settle()
    world.change(A, "v1")
    world.settle()
    assert outcomes(world)[0] == "Reverted"
    assert world.condition("Promoted").status == "True"
    assert world.read("p").status.rejected is None


def test_content_that_was_stable_lately_returns_without_steps() -> None:
    world = given(APPROVAL, weight(100), rollbackWindow="1h")
    world.change(A, "v2")
    world.settle()
    world.approve("p")
    world.settle()
    world.wait(3599)
    world.change(A, "v1")
    world.settle()
    assert world.stable(A) == "v1"
    assert outcomes(world)[0] == "Returned"


def test_content_whose_rollback_window_is_over_takes_all_steps() -> None:
    world = given(APPROVAL, weight(100), rollbackWindow="1h")
    world.change(A, "v2")
    world.settle()
    world.approve("p")
    world.settle()
    world.wait(3600)
    world.change(A, "v1")
    world.settle()
    assert (world.step().reason, world.stable(A)) == ("AwaitingApproval", "v2")


@pytest.mark.parametrize("window", ["0s", "1h"])
def test_a_clock_that_was_set_back_opens_no_rollback_window(window: str) -> None:
    world = given(APPROVAL, weight(100), rollbackWindow=window)
    world.wait(7200)
    world.change(A, "v2")
    world.settle()
    world.approve("p")
    world.settle()
    world.wait(-7000)
    world.change(A, "v1")
    world.settle()
    assert (world.step().reason, world.stable(A)) == ("AwaitingApproval", "v2")


def test_content_that_was_withdrawn_does_not_count_as_stable_lately() -> None:
    world = given(APPROVAL, weight(100))
    world.change(A, "v2")
    world.settle()
    world.change(A, "v3")
    world.settle()
    world.change(A, "v2")
    world.settle()
    assert world.step().reason == "AwaitingApproval"


def test_rejected_content_stays_away_until_it_is_released_and_a_release_counts_once() -> None:
    world = given(weight(100), analysis=ERRORS)
    world.canary_ready = 0
    world.change(A, "v2")
    world.settle()
    world.annotate("p", abort="v2-1")
    world.settle()
    assert world.read("p").status.rejected == "v2"
    assert world.condition("Ready").reason == "Aborted"
    assert "headgate.dev/release: v2" in world.condition("Ready").message

    world.annotate("p", release="v2")
    world.settle()
    assert world.rollout().revision == "v2-2"

    world.annotate("p", abort="v2-2")
    world.settle()
    assert world.read("p").status.rollout is None, "the same annotation must not bring it back a second time"

    world.annotate("p", release=None)
    world.settle()
    world.annotate("p", release="v2")
    world.settle()
    assert world.rollout().revision == "v2-3"


def test_rejected_content_may_come_again_after_the_spec_went_elsewhere() -> None:
    world = given(APPROVAL, weight(100))
    world.change(A, "v2")
    world.settle()
    world.annotate("p", abort="v2-1")
    world.settle()
    world.change(A, "v1")
    world.settle()
    assert world.condition("Ready").status == "True"
    world.change(A, "v2")
    world.settle()
    assert world.rollout().revision == "v2-2"


def test_a_rollout_runs_under_the_policy_it_began_with() -> None:
    world = given(APPROVAL, weight(100))
    world.change(A, "v2")
    world.settle()
    world.apply("p", {"targets": [{"name": "a"}], "steps": [weight(100)]})
    world.settle()
    assert world.step().reason == "AwaitingApproval", "weakening the policy must not open a gate that was closed"


def test_a_pinned_policy_that_is_lost_ends_the_rollout_and_keeps_stable() -> None:
    world = given(APPROVAL, weight(100))
    world.change(A, "v2")
    world.settle()
    world.pinned.clear()
    world.settle()
    assert (outcomes(world)[0], world.stable(A)) == ("Aborted", "v1")


def test_a_target_that_is_deleted_ends_the_rollout_and_the_others_begin_anew() -> None:
    world = given(APPROVAL, weight(100), targets=(A, B))
    world.change(A, "v2")
    world.change(B, "v2")
    world.settle()
    world.delete(A)
    world.settle()
    assert "TargetDeleted" in outcomes(world)
    assert [t.name for t in world.rollout().targets] == ["b"]
    assert world.condition("Ready").reason == "TargetNotFound"


def test_a_target_that_does_not_exist_is_named_and_the_others_go_on() -> None:
    world = given(weight(100), targets=(A, B))
    world.delete(B)
    world.change(A, "v2")
    world.settle()
    assert world.stable(A) == "v2"
    assert world.condition("Ready").reason == "TargetNotFound"
    assert "LLMProvider/b" in world.condition("Ready").message


def test_a_target_added_during_a_rollout_is_secured_before_it_is_guarded() -> None:
    world = given(APPROVAL, weight(100))
    world.change(A, "v2")
    world.settle()
    world.serve(B, "b1")
    world.apply("p", {"targets": [{"name": "a"}, {"name": "b"}], "steps": [APPROVAL, weight(100)]})
    world.approve("p")
    world.settle()
    assert (world.stable(A), world.stable(B)) == ("v2", "b1")
    assert world.condition("Promoted").status == "True"


def test_an_object_that_another_policy_guards_is_not_accepted() -> None:
    world = given(weight(100))
    world.taken = ("LLMProvider/a is guarded by RolloutPolicy team/older",)
    world.change(A, "v2")
    world.settle()
    assert (world.condition("Accepted").reason, world.stable(A)) == ("TargetTaken", "v1")


def test_what_the_installation_cannot_do_is_refused_but_does_not_stop_the_rollout_under_way() -> None:
    world = given(APPROVAL, weight(100))
    world.change(A, "v2")
    world.settle()
    world.unsupported = ("spec.approval.distinctFromAuthor needs MutatingAdmissionPolicies",)
    world.settle()
    assert world.condition("Accepted").reason == "PolicyUnsupported"
    world.approve("p")
    world.settle()
    assert world.stable(A) == "v2"
    world.change(A, "v3")
    world.settle()
    assert world.read("p").status.rollout is None


def test_deleting_the_policy_withdraws_the_candidate_and_then_lets_it_go() -> None:
    world = given(AUDIENCE, APPROVAL, weight(100))
    world.change(A, "v2")
    world.settle()
    world.policies["p"]["metadata"]["deletionTimestamp"] = "2026-03-01T10:00:00Z"
    assert world.look("p").release is False
    assert (outcomes(world)[0], world.split(), world.stable(A)) == ("Aborted", None, "v1")
    assert world.look("p").release is True


def test_history_is_bounded_and_newest_first() -> None:
    world = given(APPROVAL, weight(100))
    for n in range(HISTORY + 5):
        world.change(A, f"c{n}")
        world.settle()
    history = world.read("p").status.history
    assert len(history) == HISTORY
    assert history[0].content == f"c{HISTORY + 3}"


def test_a_promotion_that_is_not_seen_yet_is_no_new_change() -> None:
    world = given(weight(100))
    world.change(A, "v2")
    world.settle()
    world.promoted[A].pop()
    plan = world.settle()
    assert (world.stable(A), world.read("p").status.rollout, plan.requeue) == ("v2", None, None)


def test_what_was_promoted_of_one_object_is_not_promoted_of_another_because_it_is_the_same() -> None:
    world = given(APPROVAL, weight(100), targets=(A, B), rollbackWindow="0s")
    world.delete(A)
    world.settle()
    world.change(A, "v2")
    world.settle()
    assert world.step().reason == "AwaitingApproval"
    world.delete(B)
    world.look("p")
    world.change(A, "v1")
    world.settle()
    world.wait(1)
    world.settle()
    assert (world.stable(A), world.step().reason) == (None, "AwaitingApproval")


def test_a_policy_that_names_another_object_does_not_promote_it_to_what_the_former_one_ran_on() -> None:
    world = given(APPROVAL, weight(100), rollbackWindow="0s")
    world.serve(B, "v0")
    world.change(B, "v1")
    world.apply("p", {"targets": [{"name": "b"}], "steps": [APPROVAL, weight(100)], "rollbackWindow": "0s"})
    world.settle()
    assert (world.stable(B), world.step().reason) == ("v0", "AwaitingApproval")


def test_a_target_that_is_not_settled_begins_nothing() -> None:
    world = given(weight(100))
    world.objects[A].live = None
    world.settle()
    assert world.read("p").status.rollout is None
    assert world.condition("Promoted").status == "False"


def test_a_clock_that_was_set_back_leaves_no_wait_beyond_what_the_policy_allows() -> None:
    world = given(weight(10, "10m"), weight(100), deadline="1h")
    world.wait(365 * 86400)
    world.change(A, "v2")
    world.settle()
    world.now = START
    world.settle()
    assert world.step().deadline <= START + timedelta(hours=1)
    world.wait(600)
    world.settle()
    assert world.stable(A) == "v2"
