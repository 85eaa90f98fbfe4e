"""What the engine is told that a target can go back to: what was promoted of that very object, and nothing else."""

from dataclasses import replace

from tests.operator.revisions.things import kept, policy, provider, world

from headgate_api.resources.rolloutspec import Target
from headgate_operator.revisions.history import Kept
from headgate_operator.rollout.targets import seen_of

CLAUDE = Target(kind="LLMProvider", name="claude")


def promoted(*found: Kept) -> frozenset[str]:
    item = provider("new")
    return seen_of(CLAUDE, item, world(item, *found, policies=(policy(),))).seen.promoted


def test_a_candidate_that_is_kept_is_nothing_to_go_back_to() -> None:
    first, second = kept(provider("old")), kept(provider("older"), number=2)
    assert promoted(first, second, kept(provider("new"), number=0)) == {first.revision, second.revision}


def test_a_form_that_this_build_cannot_read_is_still_one_to_go_back_to() -> None:
    unreadable = replace(kept(provider("old")), form=None)
    assert promoted(unreadable) == {unreadable.revision}


def test_an_object_of_which_nothing_is_kept_can_go_back_to_nothing() -> None:
    assert promoted() == frozenset()
