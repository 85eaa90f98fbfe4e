"""Whose change it is: what the API server stamped since the stable form, and nobody's where it did not."""

from dataclasses import replace
from typing import Any

import pytest
from tests.operator.revisions.things import account, kept, policy, world
from tests.operator.revisions.things import provider as thing

from headgate_api.resources import LLMProvider, SubscriptionAccount
from headgate_api.resources.rolloutspec import Target
from headgate_operator.rollout.authors import authors_of, generations_of, stamped
from headgate_operator.rollout.targets import seen_of


def provider(stamps: str | None, generation: int = 3) -> LLMProvider:
    annotations: dict[str, Any] = {"annotations": {"headgate.dev/authors": stamps}} if stamps is not None else {}
    return LLMProvider.from_wire(
        {
            "metadata": {"name": "claude", "namespace": "team", "uid": "u", "generation": generation, **annotations},
            "spec": {
                "protocol": "Anthropic",
                "endpoint": "https://api.vendor.example",
                "models": [{"name": "m"}],
                "auth": {"modes": ["APIKey"], "apiKey": {}},
            },
        }
    )


def since(generation: int | None, stamps: str | None) -> tuple[set[str], bool]:
    known = {"LLMProvider/claude/u": generation} if generation is not None else None
    people, unknown = authors_of([provider(stamps)], known, also_unstamped=False)
    return set(people), unknown


def test_everyone_who_changed_the_object_since_the_stable_form_is_an_author() -> None:
    assert since(1, "1=ada\n2=bob\n3=eve") == ({"bob", "eve"}, False)


def test_where_the_stable_generation_is_not_known_everyone_counts() -> None:
    assert since(None, "1=ada\n3=eve") == ({"ada", "eve"}, False)


def test_a_change_without_a_stamp_is_nobodys() -> None:
    assert since(1, None) == (set(), True)
    assert since(2, "1=ada\n2=bob") == (set(), True)


def test_a_service_account_is_no_person() -> None:
    assert since(1, "2=system:serviceaccount:gitops:argo\n3=eve") == ({"eve"}, True)


def test_a_credential_that_changed_by_itself_is_nobodys() -> None:
    assert authors_of([], {}, also_unstamped=True) == (frozenset(), True)


def test_lines_that_cannot_be_read_are_left_out() -> None:
    assert stamped(provider("x=ada\n=bob\n2=\n3=user=with=signs")) == {"user=with=signs": 3}


def test_an_object_made_anew_under_an_old_name_has_all_its_authors() -> None:
    """Else whoever deletes an account and makes it anew is no author once somebody else has touched it."""
    known = {"LLMProvider/claude/of another": 5}
    assert authors_of([provider("1=eve\n6=bob")], known, also_unstamped=False) == (frozenset({"eve", "bob"}), False)


def test_a_user_name_with_odd_separators_stays_whole() -> None:
    assert stamped(provider("3=eve\u2028@example\x0b.com")) == {"eve\u2028@example\x0b.com": 3}


def authors(
    stable: tuple[LLMProvider, SubscriptionAccount], live: tuple[LLMProvider, SubscriptionAccount]
) -> tuple[set[str], bool]:
    """Return whose change it is from one content to another, as the operator sees it."""
    stood = replace(kept(*stable), generations=generations_of(stable))
    rollouts = world(live[0], stood, policies=(policy(),))
    seen = seen_of(Target(kind="LLMProvider", name="claude"), live[0], rollouts, accounts=live[1:]).seen
    return set(seen.authors), seen.author_unknown


def by_bob(item: LLMProvider | SubscriptionAccount) -> dict[str, Any]:
    return item.to_wire() | {
        "metadata": item.metadata.to_wire()
        | {"generation": 2, "annotations": {"headgate.dev/authors": "1=ada\n2=bob"}},
        "status": item.to_wire()["status"] | {"observedGeneration": 2},
    }


@pytest.mark.parametrize(
    "hidden",
    [account(priority=3, labels={"tier": "max"}), account(priority=3, grant="another")],
    ids=["labels", "grant"],
)
def test_what_nobody_signed_does_not_hide_behind_anothers_change_of_an_account(hidden: SubscriptionAccount) -> None:
    changed = SubscriptionAccount.from_wire(by_bob(hidden))
    assert authors((thing(), account()), (thing(), changed)) == ({"bob"}, True)


def test_a_new_key_does_not_hide_behind_anothers_change_of_the_provider() -> None:
    changed = LLMProvider.from_wire(by_bob(thing("other", version=2)))
    assert authors((thing(), account()), (changed, account())) == ({"bob"}, True)


def test_a_change_of_spec_alone_is_its_authors() -> None:
    changed = LLMProvider.from_wire(by_bob(thing("other")))
    other = SubscriptionAccount.from_wire(by_bob(account(priority=3)))
    assert authors((thing(), account()), (changed, other)) == ({"bob"}, False)
