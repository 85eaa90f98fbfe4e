"""An object that was deleted in the middle of its rollout and made anew under its old name has nothing to go back to.

What was stable belonged to the object that is gone: a rollout that names it would promise a way back that is not there.
"""

from .world import APPROVAL, World, given, weight

IMAGE = "ProxyFleet/default"


def on_the_canary(*others: str) -> World:
    """``v2`` of a fleet is on the canary, and ``v1`` is stable; so it is for the other targets, which do not change."""
    world = given(APPROVAL, weight(50, "30s"), weight(100), targets=(IMAGE, *others), rollbackWindow="0s")
    world.change(IMAGE, "v2")
    world.settle()
    world.approve("p")
    world.settle()
    assert (world.rollout().targets[0].stable, world.step().kind) == ("v1", "Weight")
    return world


def make_anew(world: World, content: str) -> None:
    world.delete(IMAGE)
    world.change(IMAGE, content)


def in_a_surge_anew() -> World:
    """The fleet was made anew as it was to become, and that form is promoted; its pods are not through yet."""
    world = on_the_canary()
    make_anew(world, "v2")
    world.surge = "1 of 2 proxies have the present template"
    world.wait(30)
    world.settle()
    assert (world.step().kind, world.stable(IMAGE)) == ("Promoting", "v2")
    return world


def test_the_next_rollout_does_not_claim_the_stable_form_of_the_object_that_is_gone() -> None:
    world = on_the_canary()
    make_anew(world, "v3")
    world.settle()
    assert (world.rollout().revision, world.step().reason) == ("v3-2", "AwaitingApproval")
    assert world.rollout().targets[0].stable is None

    world.annotate("p", abort="v3-2")
    world.settle()
    assert (world.read("p").status.history[0].outcome, world.stable(IMAGE)) == ("Aborted", None)


def test_the_rollout_under_way_forgets_the_stable_form_of_the_object_that_is_gone() -> None:
    world = on_the_canary()
    make_anew(world, "v2")
    world.settle()
    assert (world.rollout().revision, world.rollout().targets[0].stable) == ("v2-1", None)


def test_a_target_that_was_not_to_change_has_nothing_to_go_back_to_either() -> None:
    world = on_the_canary("ProxyFleet/other")
    world.delete("ProxyFleet/other")
    world.change("ProxyFleet/other", "v1")
    world.settle()
    world.change(IMAGE, "v3")
    world.settle()
    assert [(t.name, t.stable) for t in world.rollout().targets] == [("default", "v1"), ("other", None)]


def test_an_object_made_anew_as_it_was_promoted_is_stable_again_without_steps() -> None:
    world = on_the_canary()
    make_anew(world, "v1")
    world.settle()
    world.wait(1)
    world.settle()
    assert (world.stable(IMAGE), world.read("p").status.history[0].outcome) == ("v1", "Reverted")
    assert world.read("p").status.rollout is None


def test_an_abort_that_has_nothing_to_go_back_to_does_not_say_that_it_went_back() -> None:
    world = in_a_surge_anew()
    assert "no earlier form exists" in world.step().next_action
    world.annotate("p", abort=world.rollout().revision)
    world.settle()
    assert (world.stable(IMAGE), world.read("p").status.history[0].outcome) == ("v2", "Promoted")
    assert world.read("p").status.rejected is None


def test_what_the_gone_object_ran_on_is_a_change_like_any_other() -> None:
    world = in_a_surge_anew()
    world.change(IMAGE, "v1")
    world.settle()
    assert (world.step().kind, world.stable(IMAGE)) == ("Promoting", "v2"), "there is no v1 to revert to"
    world.surge = None
    world.settle()
    assert [e.outcome for e in world.read("p").status.history] == ["Promoted", "Adopted"]
    assert (world.rollout().content, world.step().reason, world.stable(IMAGE)) == ("v1", "AwaitingApproval", "v2")


def test_a_form_that_the_new_object_was_given_meanwhile_is_what_it_goes_back_to() -> None:
    world = on_the_canary()
    make_anew(world, "v2")
    world.served[IMAGE] = "v0"
    world.surge = "1 of 2 proxies have the present template"
    world.wait(30)
    world.settle()
    assert (world.step().kind, world.stable(IMAGE), world.rollout().targets[0].stable) == ("Promoting", "v2", "v0")
    world.annotate("p", abort=world.rollout().revision)
    world.settle()
    assert world.stable(IMAGE) == "v0"
    assert [e.outcome for e in world.read("p").status.history] == ["Adopted", "Aborted", "Adopted"]


def test_a_superseded_surge_still_leaves_the_form_before_it() -> None:
    world = on_the_canary()
    world.surge = "1 of 2 proxies have the present template"
    world.wait(30)
    world.settle()
    assert (world.step().kind, world.stable(IMAGE)) == ("Promoting", "v2")
    world.change(IMAGE, "v3")
    world.settle()
    assert (world.rollout().targets[0].stable, world.stable(IMAGE)) == ("v1", "v1")
