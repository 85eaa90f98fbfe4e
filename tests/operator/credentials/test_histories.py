"""Whatever people do in whatever order: the promises about imports, origins and deletion hold."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from headgate_runtime.vault import VaultCause

from .objects import ACCOUNT, PROVIDER, account, plan_file, provider, secret
from .world import World

KEY = "team/llmproviders/claude/api-key"
GRANT = "team/subscriptionaccounts/ada/grant"
ACCESS = "team/subscriptionaccounts/ada/access"

_CONTENT = st.sampled_from(["a", "b", "c"])
_ORIGIN = st.sampled_from(["https://one.example", "https://two.example"])
_STEP = st.one_of(
    st.tuples(st.just("secret"), _CONTENT),
    st.tuples(st.just("endpoint"), _ORIGIN),
    st.tuples(st.just("rotate"), st.just("")),
    st.tuples(st.just("vault"), st.sampled_from(["away", "back"])),
    st.tuples(st.just("delete"), st.sampled_from(["Retain", "Revoke"])),
)


def _rotate(world: World) -> None:
    """Do what a refresh will do: the record moves on, its imports stay."""
    grant = world.vault.latest(GRANT)
    if grant is not None:
        number = grant["generation"] + 1
        changed = {"access_token": f"rotated-{number}", "refresh_token": f"rotated-{number}", "generation": number}
        world.vault.put(GRANT, grant | changed)


async def _play(world: World, steps: list[tuple[str, str]]) -> None:
    for what, value in steps:
        if what == "secret":
            world.kube.put(secret("plan", plan_file(value)))
            world.kube.put(secret("key", f"not-a-real-key-{value}"))
        elif what == "endpoint":
            world.kube.put(provider(value, modes=("Subscription", "APIKey")))
        elif what == "rotate":
            _rotate(world)
        elif what == "vault":
            world.vault.away = VaultCause.UNREACHABLE if value == "away" else None
        elif what == "delete" and world.vault.away is None:
            world.kube.put(account(deletionPolicy=value))
            await world.reconcile(ACCOUNT)
            world.kube.mark_deleted(ACCOUNT)
            await world.reconcile(ACCOUNT)
            assert world.kube.find("SubscriptionAccount", "ada") is None
            world.kube.put(account())
        await world.reconcile(ACCOUNT)
        await world.reconcile(PROVIDER)


@settings(max_examples=60, deadline=None)
@given(st.lists(_STEP, max_size=10))
def test_no_content_is_imported_twice_and_no_origin_is_added_by_an_endpoint(steps: list[tuple[str, str]]) -> None:
    world = World()
    world.kube.put(provider("https://one.example", modes=("Subscription", "APIKey")))
    world.kube.put(account())
    asyncio.run(_play(world, steps))
    for path in (KEY, GRANT):
        for earlier, later in zip(
            world.vault.versions.get(path, []), world.vault.versions.get(path, [])[1:], strict=False
        ):
            assert earlier is not None and later is not None
            assert len(set(later["imports"])) == len(later["imports"])
            assert later["imports"][: len(earlier["imports"])] == earlier["imports"]
            if later["imports"] == earlier["imports"]:
                assert later["origins"] == earlier["origins"]
        for record in world.vault.versions.get(path, []):
            assert record is not None and len(record["origins"]) == 1
    if world.vault.away is None:
        grant, access = world.vault.latest(GRANT), world.vault.latest(ACCESS)
        assert (grant is None) == (access is None)
        if grant is not None and access is not None:
            assert access["access_token"] == grant["access_token"]


@settings(max_examples=40, deadline=None)
@given(st.lists(_STEP.filter(lambda step: step[0] != "delete"), max_size=8))
def test_a_rotated_token_is_replaced_by_new_content_only(steps: list[tuple[str, str]]) -> None:
    world = World()
    world.kube.put(provider("https://one.example", modes=("Subscription", "APIKey")))
    world.kube.put(account())
    asyncio.run(_play(world, steps))
    for earlier, later in zip(
        world.vault.versions.get(GRANT, []), world.vault.versions.get(GRANT, [])[1:], strict=False
    ):
        assert earlier is not None and later is not None
        if later["generation"] < earlier["generation"]:
            assert len(later["imports"]) == len(earlier["imports"]) + 1


@settings(max_examples=40, deadline=None)
@given(st.lists(_STEP, max_size=6))
def test_deletion_always_ends_once_vault_is_there(steps: list[tuple[str, str]]) -> None:
    world = World()
    world.kube.put(provider("https://one.example", modes=("Subscription", "APIKey")))
    world.kube.put(account())

    async def play() -> None:
        await _play(world, steps)
        for key in (ACCOUNT, PROVIDER):
            world.kube.mark_deleted(key)
            await world.reconcile(key)
        world.vault.away = None
        for key in (ACCOUNT, PROVIDER):
            await world.reconcile(key)

    asyncio.run(play())
    assert {kind for kind, _, _ in world.kube.objects} <= {"ProxyFleet", "Secret"}
    assert KEY not in world.vault.versions
