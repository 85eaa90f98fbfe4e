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


POLICY = Key("RolloutPolicy", "team", "careful")
HEAD = Key("Snapshot", "headgate-system", "default")


def policy(**status: Any) -> dict[str, Any]:
    return body(POLICY, status=status, targets=[{"name": "claude"}])


def rolling(weight: int) -> dict[str, Any]:
    return policy(rollout={"revision": "r-1"}, weight=weight)


def test_a_rollback_touches_the_heads_and_everything_the_policy_guards() -> None:
    neighbours = Neighbours()
    neighbours.listed([body(PROVIDER), body(OTHER), account(), body(FLEET), rolling(50)])
    assert neighbours.rolling == {POLICY}
    assert neighbours.seen(policy(weight=0)) == {POLICY, HEAD, FLEET, PROVIDER, ACCOUNT}
    assert neighbours.rolling == frozenset()


def test_verdicts_and_conditions_of_a_policy_touch_nobody_else() -> None:
    neighbours = Neighbours()
    neighbours.listed([body(PROVIDER), body(FLEET), rolling(50)])
    assert neighbours.seen(policy(rollout={"revision": "r-1", "judged": "now"}, weight=50, verdicts=[{}])) == {POLICY}


def test_what_a_policy_guards_touches_it_when_it_changes_and_when_its_status_catches_up() -> None:
    neighbours = Neighbours()
    neighbours.listed([body(PROVIDER), account(), policy()])
    assert POLICY in neighbours.seen(body(PROVIDER, generation=2))
    assert neighbours.seen(body(PROVIDER, generation=2, status={"observedGeneration": 2})) == {PROVIDER, POLICY}
    assert POLICY in neighbours.seen(account(generation=2))
    assert POLICY not in neighbours.seen(body(OTHER, generation=2))


def test_a_policy_that_is_gone_touches_what_it_guarded_and_whoever_else_names_it() -> None:
    neighbours = Neighbours()
    rival = Key("RolloutPolicy", "team", "rival")
    neighbours.listed([body(PROVIDER), policy(), body(rival, targets=[{"name": "claude"}])])
    assert neighbours.seen(policy(), gone=True) == {POLICY, PROVIDER, rival}
