"""Which objects an event touches."""

from typing import Any

from headgate_operator.engine.keys import Key
from headgate_operator.engine.touch import Neighbours

PROVIDER = Key("LLMProvider", "team", "claude")
OTHER = Key("LLMProvider", "other", "claude")
ACCOUNT = Key("SubscriptionAccount", "team", "alice")
FLEET = Key("ProxyFleet", "headgate-system", "default")


def body(key: Key, **spec: Any) -> dict[str, Any]:
    return {"kind": key.kind, "metadata": {"namespace": key.namespace, "name": key.name}, "spec": spec}


def account() -> dict[str, Any]:
    return body(ACCOUNT, providerRef={"name": "claude"})


def test_a_provider_touches_its_accounts_and_every_fleet() -> None:
    neighbours = Neighbours()
    neighbours.listed([body(PROVIDER), body(OTHER), account(), body(FLEET)])
    assert neighbours.seen(body(PROVIDER)) == {PROVIDER, ACCOUNT, FLEET}
    assert neighbours.seen(body(OTHER)) == {OTHER, FLEET}


def test_an_account_touches_the_provider_it_names_even_one_not_there_yet() -> None:
    assert Neighbours().seen(account()) == {ACCOUNT, PROVIDER}


def test_a_fleet_touches_all_providers() -> None:
    neighbours = Neighbours()
    neighbours.listed([body(PROVIDER), body(OTHER)])
    assert neighbours.seen(body(FLEET)) == {FLEET, PROVIDER, OTHER}


def test_what_is_gone_is_touched_once_more_and_then_no_longer() -> None:
    neighbours = Neighbours()
    neighbours.listed([body(PROVIDER), account(), body(FLEET)])
    assert neighbours.seen(account(), gone=True) == {ACCOUNT, PROVIDER, FLEET}
    assert neighbours.seen(body(PROVIDER)) == {PROVIDER, FLEET}


def test_a_list_replaces_what_was_known() -> None:
    neighbours = Neighbours()
    neighbours.listed([body(PROVIDER), account(), body(FLEET)])
    assert neighbours.listed([body(PROVIDER)]) == {PROVIDER}
    assert neighbours.seen(body(PROVIDER)) == {PROVIDER}
