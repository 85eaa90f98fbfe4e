"""Objects that cannot be read say so themselves, and stop nobody else: neighbours, deletion, the status that stood."""

from typing import Any

import pytest

from headgate_operator.credentials.store import Store
from headgate_operator.delivery.published import programmed_in

from .objects import ACCOUNT, NS, PROVIDER, account, fleet, plan_file, provider, secret
from .world import World


def bad_account(**spec: Any) -> dict[str, Any]:
    return account(**({"owner": {"email": "ada @team.example"}} | spec))


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"owner": {"email": "ada @team.example"}}, "spec.owner.email"),
        ({"acknowledgement": {"by": "ada", "at": "0000-01-01T00:00:00Z", "textVersion": "x"}}, "spec.acknowledgement"),
        ({"acknowledgement": {"by": "ada", "at": "9999-12-31T23:59:59-12:00", "textVersion": "x"}}, "years 1 to 9999"),
        ({"priority": 2**63}, "spec.priority"),
        ({"providerRef": None}, "spec.providerRef"),
    ],
)
async def test_an_account_that_cannot_be_read_is_told_which_field(spec: dict[str, Any], field: str) -> None:
    world = World()
    world.kube.put(account(**spec))
    await world.reconcile(ACCOUNT)
    status, reason, message = world.condition(ACCOUNT, "Ready")
    assert (status, reason) == ("False", "SpecInvalid")
    assert field in message
    written = world.kube.find(ACCOUNT.kind, ACCOUNT.name)
    await world.reconcile(ACCOUNT)
    assert world.kube.find(ACCOUNT.kind, ACCOUNT.name) == written
    assert len(world.told.events) == 1


@pytest.mark.parametrize("at", ["2026-11-21T08:00:00.123456789Z", "2026-11-21T08:00:00+02:00", "2026-11-21T08:00:00"])
async def test_a_time_may_be_spelt_in_any_way(at: str) -> None:
    world = World()
    given = account()["spec"]["acknowledgement"] | {"at": at}
    world.kube.put(secret("plan", plan_file("one")))
    world.kube.put(provider(modes=("Subscription",)))
    world.kube.put(account(acknowledgement=given))
    await world.reconcile(ACCOUNT)
    assert world.condition(ACCOUNT, "Ready")[0] == "True"


async def test_a_bad_account_and_a_bad_fleet_do_not_stop_their_provider() -> None:
    world = World()
    world.kube.put(fleet() | {"metadata": {"namespace": "headgate-system", "name": "odd"}, "spec": {"image": ""}})
    world.kube.put(bad_account())
    world.kube.put(secret("key", "not-a-real-key"))
    world.kube.put(provider())
    await world.reconcile(PROVIDER)
    assert world.condition(PROVIDER, "Ready")[0] == "True"


async def test_a_bad_provider_is_told_so_and_its_account_too() -> None:
    world = World()
    bad = provider()
    bad["spec"]["endpoint"] = "x" * 4000
    world.kube.put(bad)
    world.kube.put(secret("plan", plan_file("one")))
    world.kube.put(account())
    await world.reconcile(PROVIDER)
    await world.reconcile(ACCOUNT)
    for kind in ("Ready", "Accepted"):
        assert world.condition(PROVIDER, kind)[:2] == ("False", "SpecInvalid")
    assert world.condition(ACCOUNT, "Ready")[:2] == ("False", "SpecInvalid")


async def test_a_status_that_cannot_be_read_is_made_again() -> None:
    world = World()
    world.kube.put(secret("key", "not-a-real-key"))
    odd = {"conditions": [{"type": "Ready"}], "apiKey": {"version": "one"}}
    world.kube.put(provider() | {"status": odd})
    assert programmed_in(world.kube.objects.values()) == {}
    await world.reconcile(PROVIDER)
    assert world.condition(PROVIDER, "Ready")[0] == "True"


@pytest.mark.parametrize("policy", ["Retain", "Revoke"])
async def test_what_cannot_be_read_can_be_deleted(policy: str) -> None:
    world = World()
    world.kube.put(secret("plan", plan_file("one")))
    world.kube.put(provider(modes=("Subscription",)))
    world.kube.put(account())
    await world.reconcile(ACCOUNT)
    world.kube.put(bad_account(deletionPolicy=policy))
    world.kube.mark_deleted(ACCOUNT)
    await world.reconcile(ACCOUNT)
    assert world.kube.find(ACCOUNT.kind, ACCOUNT.name) is None
    held = (await Store(world.vault).grant(NS, ACCOUNT.name)).record
    assert (held is not None) is (policy == "Retain")


async def test_a_message_has_a_bound() -> None:
    world = World()
    many = secret("key", None)
    many["data"] = {f"key-{number:0>200}": "" for number in range(2000)}
    world.kube.put(many)
    world.kube.put(provider())
    await world.reconcile(PROVIDER)
    status, reason, message = world.condition(PROVIDER, "CredentialsReady")
    assert (status, reason) == ("False", "SecretKeyNotFound")
    assert len(message) <= 4096
