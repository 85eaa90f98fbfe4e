"""Whose decision an identity profile is stands in the provider's status and in an Event, and an older text does not count."""

from typing import Any

from headgate_api import acknowledgement

from .objects import ACCOUNT, PROVIDER, account, fleet, plan_file, provider, secret
from .world import World

PROFILE = {"type": "Profile", "headers": {"user-agent": "acme-farm/1.0"}, "toolNames": {"read": "AcmeRead"}}
DECIDED = (
    "identity profile (headers user-agent; 1 tool name): decided by ann at 2026-11-01T08:00:00Z, "
    f"text {acknowledgement.TEXT_VERSION}"
)


def presenting(
    identity: dict[str, Any] | None = None, *, by: str = "ann", text: str = acknowledgement.TEXT_VERSION
) -> dict[str, Any]:
    found = provider(modes=("Subscription", "APIKey"))
    subscription: dict[str, Any] = {}
    if identity is not None:
        given = {"by": by, "at": "2026-11-01T08:00:00Z", "textVersion": text}
        subscription = {"identity": identity, "acknowledgement": given}
    found["spec"]["auth"]["subscription"] = subscription
    return found


async def _reconciled(**profile: Any) -> World:
    world = World()
    for thing in (
        fleet(),
        presenting(**profile),
        account(),
        secret("plan", plan_file("a")),
        secret("key", "not-a-key"),
    ):
        world.kube.put(thing)
    for _ in range(2):
        await world.reconcile(ACCOUNT)
        await world.reconcile(PROVIDER)
    return world


def _told(world: World, *reasons: str) -> list[tuple[str, str, str]]:
    return [event for event in world.told.events if event[1] in reasons and event[2] != acknowledgement.WARNING]


async def test_who_decided_when_and_on_which_text_is_recorded_once() -> None:
    world = await _reconciled(identity=PROFILE)

    assert world.condition(PROVIDER, "Acknowledged") == ("True", "Acknowledged", DECIDED)
    assert _told(world, "Acknowledged") == [("Normal", "Acknowledged", DECIDED)]
    assert world.condition(PROVIDER, "CredentialsReady")[0] == "True"

    world.kube.put(presenting(PROFILE, by="bob"))
    await world.reconcile(PROVIDER)
    assert _told(world, "Acknowledged")[1:] == [("Normal", "Acknowledged", DECIDED.replace("ann", "bob"))]

    world.kube.put(presenting())
    await world.reconcile(PROVIDER)
    assert "Acknowledged" not in [c["type"] for c in world.status(PROVIDER)["conditions"]]
    assert _told(world, "PassThrough")[0][0] == "Normal"


async def test_an_older_text_does_not_count_and_the_mode_says_so() -> None:
    world = await _reconciled(identity=PROFILE, text="2020-01-01")

    status, reason, message = world.condition(PROVIDER, "Acknowledged")
    assert (status, reason) == ("False", "TextChanged")
    assert "2020-01-01" in message
    assert acknowledgement.IDENTITY_WARNING in message
    assert _told(world, "TextChanged") == [("Warning", "TextChanged", message)]
    assert "Subscription mode: the mode is not used" in world.condition(PROVIDER, "CredentialsReady")[2]

    await world.reconcile(PROVIDER)
    assert len(_told(world, "TextChanged")) == 1


async def test_without_a_profile_nothing_is_shown() -> None:
    world = await _reconciled()
    assert "Acknowledged" not in [c["type"] for c in world.status(PROVIDER)["conditions"]]
    assert _told(world, "Acknowledged", "PassThrough") == []
