"""A SIGKILL after any call, or a lost answer: the next operator brings everything to the same end."""

import copy
from typing import Any, Literal

import pytest

from .objects import ACCOUNT, PROVIDER, account, plan_file, provider, secret
from .world import Crash, Faults, World


def _world() -> World:
    world = World()
    world.kube.put(provider(modes=("Subscription", "APIKey")))
    world.kube.put(account(deletionPolicy="Revoke"))
    world.kube.put(secret("key", "not-a-real-key"))
    world.kube.put(secret("plan", plan_file("one")))
    return world


async def _arrive(world: World) -> None:
    for key in (PROVIDER, ACCOUNT, PROVIDER):
        await world.reconcile(key)


async def _leave(world: World) -> None:
    for key in (ACCOUNT, PROVIDER):
        if (key.kind, key.namespace, key.name) in world.kube.objects:
            if "deletionTimestamp" not in world.kube.objects[key.kind, key.namespace, key.name]["metadata"]:
                world.kube.mark_deleted(key)
            await world.reconcile(key)


def _end(world: World) -> dict[str, Any]:
    """Return everything that lasts, except resourceVersions and the hash key's random value."""
    objects = copy.deepcopy(world.kube.objects)
    for body in objects.values():
        del body["metadata"]["resourceVersion"]
        for field in ("apiKey", "credential"):
            for random in ("importedResourceVersion", "grantId"):
                body.get("status", {}).get(field, {}).pop(random, None)
    records = {}
    for path, versions in world.vault.versions.items():
        if not path.startswith("_"):
            records[path] = [{k: v for k, v in (r or {}).items() if k not in ("imports", "grant_id")} for r in versions]
    return {"objects": objects, "records": records}


async def _calls(world: World) -> int:
    before = world.faults.calls
    await _arrive(world)
    return world.faults.calls - before


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_crash_at_any_step_of_importing_ends_as_without_one(when: Literal["before", "after"]) -> None:
    undisturbed = _world()
    total = await _calls(undisturbed)
    assert total > 20
    for step in range(1, total + 1):
        world = _world()
        world.faults.at, world.faults.when = world.faults.calls + step, when
        try:
            await _arrive(world)
        except Crash:
            _forget(world.faults)
            await _arrive(world)
        assert _end(world) == _end(undisturbed), f"crash {when} call {step}"


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_crash_at_any_step_of_deleting_leaves_nothing_behind(when: Literal["before", "after"]) -> None:
    undisturbed = _world()
    await _arrive(undisturbed)
    before = undisturbed.faults.calls
    await _leave(undisturbed)
    total = undisturbed.faults.calls - before
    for step in range(1, total + 1):
        world = _world()
        await _arrive(world)
        world.faults.at, world.faults.when = world.faults.calls + step, when
        try:
            await _leave(world)
        except Crash:
            _forget(world.faults)
            await _leave(world)
        assert _end(world)["records"] == {}, f"crash {when} call {step}"
        assert not {"LLMProvider", "SubscriptionAccount"} & {kind for kind, _, _ in world.kube.objects}


def _forget(faults: Faults) -> None:
    faults.at = None
