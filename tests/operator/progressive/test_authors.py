"""Whose change it is: what the API server stamped since the stable form, and nobody's where it did not."""

from typing import Any

from headgate_api.resources import LLMProvider
from headgate_operator.rollout.authors import authors_of, stamped


def provider(stamps: str | None, generation: int = 3) -> LLMProvider:
    annotations: dict[str, Any] = {"annotations": {"headgate.dev/authors": stamps}} if stamps is not None else {}
    return LLMProvider.from_wire(
        {
            "metadata": {"name": "claude", "namespace": "team", "generation": generation, **annotations},
            "spec": {
                "protocol": "Anthropic",
                "endpoint": "https://api.vendor.example",
                "models": [{"name": "m"}],
                "auth": {"modes": ["APIKey"], "apiKey": {}},
            },
        }
    )


def since(generation: int | None, stamps: str | None) -> tuple[set[str], bool]:
    known = {"LLMProvider/claude": generation} if generation is not None else None
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
