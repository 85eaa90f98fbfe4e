"""Which objects an event touches."""

from typing import Any

from headgate_operator.engine.keys import Key
from headgate_operator.engine.touch import Neighbours, needs_look

PROVIDER = Key("LLMProvider", "team", "claude")
OTHER = Key("LLMProvider", "other", "claude")
ACCOUNT = Key("SubscriptionAccount", "team", "alice")
FLEET = Key("ProxyFleet", "headgate-system", "default")


def body(key: Key, *, generation: int = 1, status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    metadata = {"namespace": key.namespace, "name": key.name, "generation": generation}
    return {"kind": key.kind, "metadata": metadata, "spec": spec, "status": status or {}}


def account(**more: Any) -> dict[str, Any]:
    return body(ACCOUNT, providerRef={"name": "claude"}, **more)


def ready(status: str, generation: int = 1) -> dict[str, Any]:
    return {"observedGeneration": generation, "conditions": [{"type": "Ready", "status": status}]}


def test_a_changed_provider_touches_its_accounts_and_every_fleet() -> None:
    neighbours = Neighbours()
    neighbours.listed([body(PROVIDER), body(OTHER), account(), body(FLEET)])
    assert neighbours.seen(body(PROVIDER, generation=2)) == {PROVIDER, ACCOUNT, FLEET}
    assert neighbours.seen(body(OTHER, status={"apiKey": {"version": 2}})) == {OTHER, FLEET}


def test_what_neighbours_cannot_see_touches_nobody_else() -> None:
    neighbours = Neighbours()
    neighbours.listed([body(PROVIDER), account(), body(FLEET)])
    assert neighbours.seen(body(PROVIDER, status=ready("True"))) == {PROVIDER}
    assert neighbours.seen(body(FLEET, status=ready("False"))) == {FLEET}


def test_an_account_touches_the_provider_it_names_even_one_not_there_yet() -> None:
    assert Neighbours().seen(account()) == {ACCOUNT, PROVIDER}


def test_an_account_that_becomes_ready_touches_its_provider() -> None:
    neighbours = Neighbours()
    neighbours.seen(account())
    assert neighbours.seen(account(status=ready("True"))) == {ACCOUNT, PROVIDER}


def test_a_changed_fleet_touches_all_providers() -> None:
    neighbours = Neighbours()
    neighbours.listed([body(PROVIDER), body(OTHER)])
    assert neighbours.seen(body(FLEET)) == {FLEET, PROVIDER, OTHER}


def test_what_is_gone_is_touched_once_more_and_then_no_longer() -> None:
    neighbours = Neighbours()
    neighbours.listed([body(PROVIDER), account(), body(FLEET)])
    assert neighbours.seen(account(), gone=True) == {ACCOUNT, PROVIDER, FLEET}
    assert neighbours.seen(body(PROVIDER, generation=2)) == {PROVIDER, FLEET}


def test_a_list_tells_what_changed_since_the_last_one() -> None:
    neighbours = Neighbours()
    everything = [body(PROVIDER), account(), body(FLEET)]
    assert neighbours.listed(everything) == {PROVIDER, ACCOUNT, FLEET}
    assert neighbours.listed(everything) == set()
    assert neighbours.listed([body(PROVIDER, generation=2)]) == {PROVIDER, ACCOUNT, FLEET}
    assert neighbours.seen(body(PROVIDER, generation=3)) == {PROVIDER}


def test_odd_objects_stop_nothing() -> None:
    neighbours = Neighbours()
    odd = {"kind": "SubscriptionAccount", "metadata": {"namespace": "team", "name": "odd"}, "status": "none"}
    assert neighbours.listed([odd, body(PROVIDER)]) == {Key("SubscriptionAccount", "team", "odd"), PROVIDER}


def test_an_object_needs_a_look_until_its_status_says_that_all_is_well() -> None:
    assert needs_look(body(PROVIDER))
    assert needs_look(body(PROVIDER, status=ready("False")))
    assert needs_look(body(PROVIDER, generation=2, status=ready("True")))
    assert not needs_look(body(PROVIDER, status=ready("True")))
