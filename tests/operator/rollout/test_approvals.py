"""Which approvals open a gate, and what status says of those that do not."""

from typing import Any

import pytest

from .world import APPROVAL, AUDIENCE, World, given, weight

A = "LLMProvider/a"
ROBOT = "system:serviceaccount:ci:robot"


def awaiting(*authors: str, unknown: bool = False, **approval: Any) -> World:
    world = given(AUDIENCE, APPROVAL, weight(10, "1h"), APPROVAL, weight(100), approval=approval)
    world.change(A, "v2", *authors, unknown=unknown)
    world.settle()
    return world


def refusal(world: World) -> str | None:
    assert world.step().index == 1, "the gate must stay closed"
    assert world.rollout().approvals == ()
    found = world.read("p").status.ignored_approval
    return None if found is None else found.reason


def test_an_approval_is_recorded_with_who_gave_it_and_told() -> None:
    world = awaiting()
    world.approve("p", "bob")
    world.settle()
    (record,) = world.rollout().approvals
    assert (record.revision, record.step, record.by, record.at) == ("v2-1", 1, "bob", world.now)
    assert world.read("p").status.weight == 10
    assert world.read("p").status.ignored_approval is None
    assert any(n.reason == "Approved" and "bob" in n.message for n in world.notes)


@pytest.mark.parametrize(
    ("approve", "reason"),
    [
        ("v9-1/1", "WrongRevision"),
        ("v2-2/1", "WrongRevision"),
        ("v2-1/0", "WrongStep"),
        ("v2-1/3", "WrongStep"),
        ("v2-1", "Malformed"),
        ("v2-1/one", "Malformed"),
        ("v2-1/-1", "Malformed"),
        ("v2-1/²", "Malformed"),
        ("/1", "Malformed"),
        ("", "Malformed"),
    ],
)
def test_an_approval_of_something_else_does_not_count(approve: str, reason: str) -> None:
    world = awaiting()
    world.annotate("p", approve=approve, approved_by="bob")
    world.settle()
    assert refusal(world) == reason


def test_an_approval_of_nobody_does_not_count() -> None:
    world = awaiting()
    world.annotate("p", approve="v2-1/1")
    world.settle()
    assert refusal(world) == "ApproverMissing"
    world.annotate("p", approved_by="bob")
    world.settle()
    assert world.step().index == 2


def test_whoever_made_the_change_cannot_approve_it() -> None:
    world = awaiting("alice", "carol")
    world.approve("p", "carol")
    world.settle()
    assert refusal(world) == "AuthorMayNotApprove"


def test_an_author_of_a_superseded_change_is_an_author_still() -> None:
    world = awaiting("alice")
    world.change(A, "v3", "carol")
    world.settle()
    world.approve("p", "alice")
    world.settle()
    assert refusal(world) == "AuthorMayNotApprove"


def test_the_author_may_approve_where_the_policy_lets_them() -> None:
    world = awaiting("alice", distinctFromAuthor=False)
    world.approve("p", "alice")
    world.settle()
    assert world.step().index == 2


def test_two_people_must_approve_what_nobody_signed() -> None:
    world = awaiting("alice", unknown=True)
    world.approve("p", "bob")
    world.settle()
    assert (world.step().index, world.step().reason) == (1, "AwaitingApproval")
    assert "1 of 2 approvals" in world.step().message and "bob" in world.step().message
    world.settle()
    assert len(world.rollout().approvals) == 1, "the same person again is no second one"
    world.approve("p", "dora")
    world.settle()
    assert world.step().index == 2


def test_without_any_author_two_people_must_approve() -> None:
    world = awaiting()
    world.objects[A].authors = frozenset()
    world.change(A, "v3")
    world.objects[A].authors = frozenset()
    world.settle()
    assert world.rollout().author_unknown


def test_only_listed_people_count() -> None:
    world = awaiting(approvers={"users": ["bob"]})
    world.approve("p", "mallory")
    world.settle()
    assert refusal(world) == "ApproverNotListed"
    world.approve("p", "bob")
    world.settle()
    assert world.step().index == 2


def test_a_member_of_a_listed_group_is_admission_s_to_know() -> None:
    world = awaiting(approvers={"users": ["bob"], "groups": ["release"]})
    world.approve("p", "dora")
    world.settle()
    assert world.step().index == 2


@pytest.mark.parametrize("approvers", [None, {"users": [ROBOT]}, {"groups": ["system:serviceaccounts"]}])
def test_a_service_account_counts_only_when_listed_as_one(approvers: dict[str, Any] | None) -> None:
    world = awaiting() if approvers is None else awaiting(approvers=approvers)
    world.approve("p", ROBOT)
    world.settle()
    assert refusal(world) == "ServiceAccountNotListed"


def test_a_listed_service_account_counts() -> None:
    world = awaiting(approvers={"serviceAccounts": [{"name": "robot", "namespace": "ci"}]})
    world.approve("p", ROBOT)
    world.settle()
    assert world.step().index == 2


def test_an_approval_that_counted_opens_no_second_gate() -> None:
    world = awaiting()
    world.approve("p", "bob")
    world.settle()
    world.wait(3600)
    world.settle()
    ignored = world.read("p").status.ignored_approval
    assert (world.step().index, len(world.rollout().approvals)) == (3, 1)
    assert ignored is not None and ignored.reason == "AlreadyUsed"
    assert "v2-1/3" in ignored.message


def test_an_approval_of_an_earlier_rollout_cannot_be_replayed() -> None:
    world = awaiting()
    used = world.approve("p", "bob")
    world.settle()
    world.change(A, "v1")
    world.settle()
    world.change(A, "v2")
    world.settle()
    assert world.rollout().revision == "v2-2"
    assert refusal(world) == "AlreadyUsed"
    world.annotate("p", approve=None, approved_by=None)
    world.settle()
    world.annotate("p", approve=used, approved_by="dora")
    world.settle()
    assert refusal(world) == "WrongRevision"


def test_nobody_can_approve_a_step_before_it_is_there_to_be_seen() -> None:
    world = awaiting()
    world.approve("p", "bob", at="v2-1/3")
    world.settle()
    assert refusal(world) == "WrongStep"
    world.approve("p", "dora")
    world.settle()
    world.approve("p", "bob", at="v2-1/3")
    world.settle()
    world.wait(3600)
    world.settle()
    assert world.step().index == 3
    ignored = world.read("p").status.ignored_approval
    assert ignored is not None and "remove headgate.dev/approve" in ignored.message
    world.annotate("p", approve=None)
    world.settle()
    world.approve("p", "bob")
    world.settle()
    assert world.stable(A) == "v2"


def test_nobody_can_approve_a_rollout_that_has_yet_to_begin() -> None:
    world = given(APPROVAL, weight(100))
    world.annotate("p", approve="v2-1/0", approved_by="bob")
    world.settle()
    ignored = world.read("p").status.ignored_approval
    assert ignored is not None and ignored.reason == "NotAwaited"
    world.change(A, "v2")
    world.settle()
    assert (world.step().reason, world.stable(A)) == ("AwaitingApproval", "v1")


def test_an_approval_in_the_very_look_that_starts_the_rollout_does_not_count() -> None:
    world = given(APPROVAL, weight(100))
    world.change(A, "v2")
    world.annotate("p", approve="v2-1/0", approved_by="bob")
    world.settle()
    assert (world.step().reason, world.stable(A)) == ("AwaitingApproval", "v1")


def test_an_approval_does_not_count_while_the_candidate_could_not_serve() -> None:
    world = given(APPROVAL, weight(100))
    world.change(A, "v2")
    world.objects[A].problem = "no key"
    world.settle()
    world.approve("p", "bob")
    world.settle()
    world.objects[A].problem = None
    world.settle()
    ignored = world.read("p").status.ignored_approval
    assert (world.step().reason, world.stable(A)) == ("AwaitingApproval", "v1")
    assert ignored is not None and ignored.reason == "NotAwaited"


def test_an_approval_step_expires_and_says_so() -> None:
    world = awaiting(expiresAfter="1h")
    assert world.settle().requeue == 3600
    world.wait(3600)
    world.settle()
    entry = world.read("p").status.history[0]
    assert entry.outcome == "ApprovalExpired"
    assert world.condition("Ready").reason == "ApprovalExpired"
    assert (world.split(), world.read("p").status.rejected) == (None, "v2")


def test_an_approval_that_comes_too_late_is_told_so() -> None:
    world = awaiting(expiresAfter="1h")
    world.wait(3600)
    world.approve("p", "bob")
    world.settle()
    ignored = world.read("p").status.ignored_approval
    assert world.stable(A) == "v1"
    assert ignored is not None and ignored.reason == "Expired"


def test_an_approval_after_expiry_is_told_so_too() -> None:
    world = awaiting(expiresAfter="1h")
    late = f"{world.rollout().revision}/1"
    world.wait(3600)
    world.settle()
    world.annotate("p", approve=late, approved_by="bob")
    world.settle()
    ignored = world.read("p").status.ignored_approval
    assert ignored is not None and ignored.reason == "Expired"


def test_an_ignored_approval_is_told_once_and_its_removal_clears_status() -> None:
    world = awaiting()
    world.approve("p", "bob", at="v9-1/1")
    world.settle()
    world.settle()
    assert [n.reason for n in world.notes].count("ApprovalIgnored") == 1
    world.annotate("p", approve=None, approved_by=None)
    world.settle()
    assert world.read("p").status.ignored_approval is None
