"""What each step waits for, and that every wait says why, since when, until when and what to do."""

from datetime import timedelta
from typing import Any

import pytest

from .world import APPROVAL, AUDIENCE, ERRORS, START, World, given, weight

A = "LLMProvider/a"
IMAGE = "ProxyFleet/default"


def changed(world: World) -> World:
    world.change(A, "v2")
    world.settle()
    return world


def begun(*steps: dict[str, Any], **spec: Any) -> World:
    return changed(given(*steps, **spec))


def test_an_audience_waits_for_a_canary_and_exposes_nobody_before() -> None:
    world = given(AUDIENCE, weight(100))
    world.canary_ready = 0
    changed(world)
    assert (world.step().reason, world.split()) == ("WaitingForCapacity", None)
    assert "0 of 1 canary pods" in world.step().message
    world.canary_ready = 1
    world.look("p")
    split = world.split()
    assert split is not None and split.weight == 0


def test_an_audience_holds_from_when_every_proxy_has_it() -> None:
    world = given(AUDIENCE | {"hold": "10m"}, APPROVAL, weight(100))
    world.proxies["proxy-2"].reachable = False
    changed(world)
    assert world.step().reason == "WaitingForProxies"
    assert "proxy-2" in world.step().message and "proxy-1" not in world.step().message
    world.wait(60)
    world.proxies["proxy-2"].reachable = True
    plan = world.settle()
    assert (world.step().reason, world.step().delivered) == ("Holding", START + timedelta(seconds=60))
    assert plan.requeue == 600
    world.wait(600)
    world.settle()
    assert world.step().kind == "Approval"


def test_a_silent_proxy_keeps_the_step_only_until_its_weight_has_lapsed() -> None:
    world = given(weight(10), weight(100))
    world.proxies["proxy-2"].reachable = False
    changed(world)
    assert world.step().reason == "WaitingForProxies"
    world.wait(301)
    world.settle()
    assert world.stable(A) == "v2"


def test_a_weight_waits_until_canaries_cover_it() -> None:
    world = given(weight(10), weight(60), weight(100))
    world.stable_ready, world.canary_ready = 10, 5
    changed(world)
    assert (world.read("p").status.weight, world.step().reason) == (10, "WaitingForCapacity")
    assert "5 of 6 canary pods" in world.step().message
    world.canary_ready = 9
    world.settle()
    assert (world.read("p").status.weight, world.step().index) == (60, 2)
    split = world.split()
    assert split is not None and split.weight == 6000


def test_a_hold_is_waited_for_by_the_second() -> None:
    world = begun(weight(10, "5m"), weight(100))
    assert world.settle().requeue == 300
    world.wait(299)
    assert world.settle().requeue == 1
    world.wait(1)
    world.settle()
    assert world.stable(A) == "v2"


def test_the_weight_stays_during_a_later_approval() -> None:
    world = begun(weight(25), APPROVAL, weight(100))
    split = world.split()
    assert split is not None
    assert (world.step().kind, split.weight, split.step) == ("Approval", 2500, 1)


def test_testers_add_up_over_audiences() -> None:
    more = {"audience": {"serviceAccounts": [{"name": "second", "namespace": "other"}]}}
    world = begun(AUDIENCE, APPROVAL, more, APPROVAL, weight(100))
    world.approve("p")
    world.settle()
    split = world.split()
    assert split is not None
    assert split.testers == ("system:serviceaccount:other:second", "system:serviceaccount:team:tester")


def test_the_salt_stays_while_the_rollout_lasts_and_is_another_for_the_next() -> None:
    world = begun(weight(10, "1m"), weight(50, "1m"), weight(100))
    first = world.split()
    world.wait(60)
    world.settle()
    second = world.split()
    world.change(A, "v3")
    world.settle()
    third = world.split()
    assert first is not None and second is not None and third is not None
    assert first.weight < second.weight
    assert first.salt == second.salt != third.salt


def test_a_candidate_that_could_not_serve_waits_before_the_first_step() -> None:
    world = given(APPROVAL, weight(100))
    world.change(A, "v2")
    world.objects[A].problem = "Secret team/key does not exist"
    world.settle()
    assert (world.step().reason, world.split()) == ("CandidateNotReady", None)
    assert "Secret team/key does not exist" in world.step().message
    assert world.condition("AwaitingApproval").status == "False"
    assert world.condition("Ready").reason == "CandidateNotReady"


def test_time_for_an_approval_counts_from_when_the_candidate_is_ready() -> None:
    world = given(APPROVAL, weight(100), approval={"expiresAfter": "1h"}, deadline="10h")
    world.change(A, "v2")
    world.objects[A].problem = "not yet"
    world.settle()
    world.wait(2 * 3600)
    world.settle()
    assert world.step().reason == "CandidateNotReady"
    world.objects[A].problem = None
    world.settle()
    assert (world.step().reason, world.step().deadline) == ("AwaitingApproval", START + timedelta(hours=3))


@pytest.mark.parametrize(
    "reason", ["WaitingForCapacity", "CandidateNotReady", "WaitingForProxies", "Holding", "InsufficientData"]
)
def test_no_wait_outlasts_the_deadline(reason: str) -> None:
    world = given(weight(10, "10h" if reason == "Holding" else "0s"), weight(100), deadline="2h", analysis=ERRORS)
    world.change(A, "v2")
    if reason == "WaitingForCapacity":
        world.canary_ready = 0
    if reason == "CandidateNotReady":
        world.objects[A].problem = "broken"
    if reason == "WaitingForProxies":
        world.proxies["proxy-2"].reachable = False
    world.settle()
    step = world.step()
    assert (step.reason, step.since, step.deadline) == (reason, START, START + timedelta(hours=2))
    assert step.message and step.next_action

    for _ in range(40):
        world.wait(180)
        if reason == "WaitingForProxies":
            # it answers, but never takes the head up
            world.proxies["proxy-2"].heard = world.now
        world.settle()
    assert world.read("p").status.rollout is None
    assert world.read("p").status.history[0].outcome == "DeadlineExceeded"
    assert (world.stable(A), world.split()) == ("v1", None)
    assert world.read("p").status.rejected == "v2"


def test_the_next_look_is_never_later_than_the_deadline() -> None:
    world = begun(APPROVAL, weight(100), approval={"expiresAfter": "1h"})
    assert world.settle().requeue == 3600
    world.wait(3599.5)
    assert world.settle().requeue == 0.5


def test_pause_keeps_the_weight_and_its_removal_goes_on() -> None:
    world = begun(weight(10, "1m"), weight(100))
    world.annotate("p", pause="")
    world.wait(120)
    world.settle()
    assert (world.read("p").status.weight, world.step().reason) == (10, "Paused")
    assert world.condition("Paused").status == "True"
    assert world.condition("Progressing").reason == "Paused"
    world.annotate("p", pause=None)
    world.settle()
    assert world.stable(A) == "v2"


def test_pause_before_the_first_exposure_exposes_nobody() -> None:
    world = given(AUDIENCE, weight(100))
    world.annotate("p", pause="true")
    changed(world)
    assert world.split() is None
    assert "pause" in world.step().message


def test_pause_lets_approvals_count_and_goes_on_afterwards() -> None:
    world = begun(APPROVAL, weight(100))
    world.annotate("p", pause="true")
    world.approve("p")
    world.settle()
    assert (world.step().reason, len(world.rollout().approvals)) == ("Paused", 1)
    world.wait(25 * 3600)
    world.settle()
    assert world.step().reason == "Paused", "an approval that was given in time does not expire"
    world.annotate("p", pause=None)
    world.settle()
    assert world.stable(A) == "v2"


def test_pause_does_not_stop_the_deadline_or_an_abort() -> None:
    world = begun(weight(10), weight(100), deadline="1h", analysis=ERRORS)
    world.annotate("p", pause="true", abort=world.rollout().revision)
    world.settle()
    assert world.read("p").status.history[0].outcome == "Aborted"

    other = begun(weight(10), weight(100), deadline="1h", analysis=ERRORS)
    other.annotate("p", pause="true")
    other.wait(3600)
    other.settle()
    assert other.read("p").status.history[0].outcome == "DeadlineExceeded"


@pytest.mark.parametrize("steps", [[AUDIENCE, APPROVAL], [APPROVAL], [weight(10, "1h")], [weight(10), APPROVAL]])
def test_abort_works_at_every_step(steps: list[dict[str, Any]]) -> None:
    world = begun(*steps, weight(100))
    world.annotate("p", abort=world.rollout().revision)
    world.look("p")
    assert world.split() is None
    assert (world.read("p").status.history[0].outcome, world.stable(A)) == ("Aborted", "v1")


def test_an_abort_of_another_rollout_is_not_this_one_s_but_is_told() -> None:
    world = begun(APPROVAL, weight(100))
    world.annotate("p", abort="v2-7")
    world.settle()
    assert world.step().reason == "AwaitingApproval"
    assert "v2-7" in world.condition("Progressing").message


def image_world() -> World:
    world = given(APPROVAL, weight(50), weight(100), targets=(IMAGE,))
    world.change(IMAGE, "v2")
    world.settle()
    return world


def test_an_image_needs_its_approval_before_any_canary_is_wanted() -> None:
    from headgate_operator.rollout import exposure

    world = image_world()
    policy, running = world.read("p"), world.running("p")
    assert not exposure.first_approval_passed(policy, running)
    assert exposure.wanted_canaries([(policy, running)], 4, 1) == 0
    world.canary_ready = 0
    world.approve("p")
    world.settle()
    policy = world.read("p")
    assert exposure.first_approval_passed(policy, running)
    assert exposure.wanted_weight(policy, running) == 50
    assert exposure.wanted_canaries([(policy, running)], 4, 1) == 2


def test_canaries_are_wanted_for_the_weight_that_comes() -> None:
    from headgate_operator.rollout import exposure

    world = given(weight(10), weight(100))
    world.stable_ready, world.canary_ready = 10, 1
    changed(world)
    policy, running = world.read("p"), world.running("p")
    assert (policy.status.weight, exposure.wanted_weight(policy, running)) == (10, 100)
    assert exposure.wanted_canaries([(policy, running)], 10, 2) == 10
    assert exposure.wanted_canaries([], 10, 2) == 0


def test_who_came_first_has_the_canary_and_the_image_waits_without_exposing_anybody() -> None:
    world = image_world()
    world.serve(A, "v1")
    world.apply("q", {"targets": [{"name": "a"}], "steps": [weight(10, "1h"), weight(100)]})
    world.settle("q")
    world.change(A, "v2")
    world.settle("q")
    assert world.split("q") is not None, "an image that awaits its approval does not keep others out"
    world.approve("p")
    world.settle("p")
    assert (world.step("p").reason, world.split("p")) == ("CanaryLaneBusy", None)
    assert "team/q" in world.step("p").message
    world.annotate("q", abort=world.rollout("q").revision)
    world.settle("q")
    world.settle("p")
    assert world.stable(IMAGE) == "v2"


def test_a_surge_is_waited_for_and_can_be_aborted() -> None:
    world = image_world()
    world.surge = "1 of 2 proxies have the present template"
    world.approve("p")
    world.settle()
    assert (world.step().kind, world.stable(IMAGE)) == ("Promoting", "v2")
    assert "1 of 2 proxies" in world.step().message
    world.annotate("p", abort=world.rollout().revision)
    world.settle()
    assert (world.stable(IMAGE), world.read("p").status.history[0].outcome) == ("v1", "Aborted")


def test_a_surge_that_never_ends_is_taken_back_at_the_deadline() -> None:
    world = image_world()
    world.surge = "0 of 2 proxies have the present template; ImagePullBackOff"
    world.approve("p")
    world.settle()
    world.wait(72 * 3600)
    world.settle()
    assert (world.stable(IMAGE), world.read("p").status.history[0].outcome) == ("v1", "DeadlineExceeded")
    assert "ImagePullBackOff" in world.read("p").status.history[0].message


def test_a_mended_image_supersedes_a_surge_that_is_stuck() -> None:
    world = image_world()
    world.surge = "0 of 2 proxies have the present template"
    world.approve("p")
    world.settle()
    world.change(IMAGE, "v3")
    world.settle()
    assert (world.stable(IMAGE), world.rollout().content, world.step().reason) == ("v1", "v3", "AwaitingApproval")
    assert world.rollout().targets[0].stable == "v1"


def test_promotion_is_written_down_before_it_is_done() -> None:
    world = given(weight(100))
    world.change(A, "v2")
    while not (world.read("p").status.step and world.step().kind == "Promoting"):
        assert world.look("p").promote == ()
        world.publish()
        world.deliver()
    assert world.stable(A) == "v1"
    world.look("p", crash_before="status")
    assert world.stable(A) == "v2"
    world.settle()
    assert world.read("p").status.history[0].outcome == "Promoted"
