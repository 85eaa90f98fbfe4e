"""What analysis does to a rollout: harm takes it back at once, too little data holds it, health lets it pass."""

from typing import Any

import pytest

from .world import APPROVAL, AUDIENCE, ERRORS, World, given, weight

A = "LLMProvider/a"
IMAGE = "ProxyFleet/default"


def begun(*steps: dict[str, Any], **spec: Any) -> World:
    world = given(*steps, **({"analysis": ERRORS} | spec))
    world.change(A, "v2")
    world.settle()
    return world


def judge(world: World, times: int, *, errors: int) -> None:
    for _ in range(times):
        world.wait(30)
        world.count("p", errors=errors)
        world.settle()


def outcome(world: World) -> str:
    return world.read("p").status.history[0].outcome


def test_a_step_needs_verdicts_that_pass() -> None:
    world = begun(weight(10), weight(100, analysis=False))
    assert (world.step().reason, world.condition("Healthy").status) == ("InsufficientData", "Unknown")
    judge(world, 1, errors=0)
    assert world.stable(A) == "v2"


def test_too_little_data_holds_and_says_what_is_missing() -> None:
    world = begun(weight(10), weight(100))
    world.count("p", errors=0, requests=3)
    world.wait(30)
    world.settle()
    assert world.step().reason == "InsufficientData"
    assert "3 of 20" in world.step().message
    world.wait(3600)
    world.settle()
    assert world.read("p").status.weight == 10


def test_verdicts_of_an_earlier_step_do_not_end_the_next() -> None:
    world = begun(weight(10), weight(50), weight(100))
    judge(world, 1, errors=0)
    assert (world.step().index, world.step().reason) == (1, "InsufficientData")
    assert world.read("p").status.verdicts == ()


def test_harm_is_rolled_back_and_its_verdicts_are_kept() -> None:
    world = begun(weight(10, "1h"), weight(100))
    judge(world, 1, errors=50)
    assert world.rollout().failures == 1, "one failing verdict alone is not yet harm"
    judge(world, 1, errors=50)
    entry = world.read("p").status.history[0]
    assert entry.outcome == "AnalysisFailed"
    assert [v.outcome for v in entry.verdicts] == ["Fail"]
    assert "ErrorRate" in entry.message
    assert (world.split(), world.stable(A), world.read("p").status.rejected) == (None, "v1", "v2")
    assert world.condition("Healthy").status == "False"


def test_a_passing_verdict_between_begins_the_count_anew() -> None:
    world = begun(weight(10, "1h"), weight(100))
    for errors in (50, 0, 50):
        judge(world, 1, errors=errors)
    assert world.rollout().failures == 1


@pytest.mark.parametrize("where", ["hold", "approval", "pause"])
def test_harm_is_acted_upon_whatever_the_rollout_waits_for(where: str) -> None:
    steps = {
        "hold": [weight(10, "1h")],
        "approval": [weight(10, analysis=False), APPROVAL],
        "pause": [weight(10, "1h")],
    }[where]
    world = begun(*steps, weight(100))
    if where == "pause":
        world.annotate("p", pause="true")
    judge(world, 2, errors=50)
    assert outcome(world) == "AnalysisFailed"


def test_harm_to_testers_counts_too() -> None:
    world = begun(AUDIENCE, APPROVAL, weight(100))
    judge(world, 2, errors=50)
    assert outcome(world) == "AnalysisFailed"


def test_harm_is_found_even_while_a_proxy_has_not_confirmed_the_weight() -> None:
    world = given(weight(10), weight(100), analysis=ERRORS)
    world.proxies["proxy-2"].reachable = False
    world.change(A, "v2")
    world.settle()
    judge(world, 2, errors=50)
    assert outcome(world) == "AnalysisFailed"


def test_dry_run_reports_and_does_nothing() -> None:
    world = begun(weight(10, "30s"), weight(100), analysis=ERRORS | {"dryRun": True})
    world.count("p", errors=50)
    world.settle()
    assert [v.outcome for v in world.read("p").status.verdicts] == ["Fail"]
    judge(world, 1, errors=50)
    judge(world, 1, errors=50)
    assert world.stable(A) == "v2"


def test_without_analysis_health_is_unknown() -> None:
    world = begun(weight(10, "1h"), weight(100), analysis=None)
    condition = world.condition("Healthy")
    assert (condition.status, condition.reason) == ("Unknown", "NoAnalysis")


def held() -> World:
    world = begun(weight(10, "1h"), weight(100), onFailure="Pause")
    judge(world, 2, errors=50)
    return world


def test_on_failure_pause_stays_at_its_weight_for_a_person_to_decide() -> None:
    world = held()
    assert (world.step().reason, world.read("p").status.weight) == ("PausedOnFailure", 10)
    assert world.condition("Paused").reason == "PausedOnFailure"
    assert world.condition("Healthy").status == "False"
    assert "headgate.dev/pause" in world.step().next_action
    judge(world, 200, errors=0)
    assert world.read("p").status.weight == 10, "better verdicts alone do not go on"


def test_a_held_rollout_goes_on_once_a_pause_was_set_and_removed() -> None:
    world = held()
    world.annotate("p", pause="true")
    world.settle()
    assert (world.condition("Paused").reason, world.rollout().held_by_failure) == ("Paused", False)
    world.annotate("p", pause=None)
    world.wait(3600)
    judge(world, 2, errors=0)
    assert world.stable(A) == "v2"


def test_a_pause_from_before_the_harm_does_not_excuse_it() -> None:
    world = begun(weight(10, "1m"), weight(100), onFailure="Pause")
    world.annotate("p", pause="true")
    judge(world, 2, errors=50)
    world.annotate("p", pause=None)
    judge(world, 5, errors=0)
    assert (world.step().reason, world.read("p").status.weight) == ("PausedOnFailure", 10)


def test_a_held_rollout_can_be_aborted_and_ends_at_its_deadline() -> None:
    world = held()
    world.annotate("p", abort=world.rollout().revision)
    world.settle()
    assert outcome(world) == "Aborted"
    other = held()
    other.wait(72 * 3600)
    other.settle()
    assert outcome(other) == "DeadlineExceeded"


def test_harm_during_the_surge_of_an_image_promotes_the_previous_one_back() -> None:
    world = given(APPROVAL, weight(50), weight(100), targets=(IMAGE,), analysis=ERRORS)
    world.change(IMAGE, "v2")
    world.settle()
    world.approve("p")
    world.settle()
    world.surge = "1 of 2 proxies have the present template"
    judge(world, 2, errors=0)
    assert (world.step().kind, world.stable(IMAGE)) == ("Promoting", "v2")
    judge(world, 2, errors=50)
    assert (outcome(world), world.stable(IMAGE)) == ("AnalysisFailed", "v1")
