"""An LLMProvider's life, as its conditions and Vault show it."""

from datetime import timedelta
from typing import Any

import pytest

from headgate_api import names
from headgate_api.reasons import AuthMode, SkipReason
from headgate_api.report import CredentialObservation, FallbackObservation
from headgate_runtime.vault import VaultCause

from .objects import ACCOUNT, NS, PROVIDER, START, account, plan_file, provider, secret
from .world import World

PATH = "team/llmproviders/claude/api-key"


async def _imported(key: str = "not-a-real-key-1") -> World:
    world = World()
    world.kube.put(provider())
    world.kube.put(secret("key", key + "\n"))
    await world.reconcile(PROVIDER)
    return world


def _stored(world: World) -> dict[str, Any]:
    found = world.vault.latest(PATH)
    assert found is not None
    return found


async def test_a_secret_is_imported_bound_to_the_endpoint_and_left_as_it_is() -> None:
    world = await _imported()
    assert _stored(world)["value"] == "not-a-real-key-1"
    assert _stored(world)["origins"] == ["https://api.vendor.example"]
    assert world.condition(PROVIDER, "CredentialsReady")[:2] == ("True", "Imported")
    assert world.condition(PROVIDER, "Ready")[:2] == ("True", "Ready")
    status = world.status(PROVIDER)
    assert status["modes"] == "APIKey"
    assert status["apiKey"]["version"] == 1
    assert status["apiKey"]["importedFrom"] == "key/value"
    kept = world.kube.find("Secret", "key")
    assert kept is not None and "value" in kept["data"]
    assert world.redactor.redact("x not-a-real-key-1 y") == "x *** y"


async def test_nothing_is_written_twice() -> None:
    world = await _imported()
    before = world.kube.find("LLMProvider", "claude")
    assert before is not None
    version, events = before["metadata"]["resourceVersion"], list(world.told.events)
    assert await world.reconcile(PROVIDER) == 60
    after = world.kube.find("LLMProvider", "claude")
    assert after is not None and after["metadata"]["resourceVersion"] == version
    assert world.told.events == events
    assert len(world.vault.versions[PATH]) == 1


async def test_a_missing_secret_is_named_and_looked_for_with_growing_patience() -> None:
    world = World()
    world.kube.put(provider())
    assert await world.reconcile(PROVIDER) == 2
    status, reason, message = world.condition(PROVIDER, "CredentialsReady")
    assert (status, reason) == ("False", "SecretNotFound")
    assert "Secret team/key does not exist; create it with the key value" in message
    assert ("Warning", "SecretNotFound", message) in world.told.events
    waits = []
    for _ in range(4):
        world.clock.advance(10)
        waits.append(await world.reconcile(PROVIDER))
    assert waits == [10, 20, 30, 30]
    world.kube.put(secret("key", "not-a-real-key"))
    await world.reconcile(PROVIDER)
    assert world.condition(PROVIDER, "Ready")[0] == "True"


@pytest.mark.parametrize(
    ("content", "reason", "says"),
    [
        (None, "SecretKeyNotFound", "Secret team/key, key value does not exist (the Secret has no keys); add the key"),
        ("", "SecretInvalid", "Secret team/key, key value is empty"),
        ("not a real key", "SecretInvalid", "holds white space or control characters"),
        ("not-réal", "SecretInvalid", "outside ASCII"),
    ],
)
async def test_unusable_content_is_explained_and_never_echoed(content: str | None, reason: str, says: str) -> None:
    world = World()
    world.kube.put(provider())
    world.kube.put(secret("key", content))
    await world.reconcile(PROVIDER)
    status, found, message = world.condition(PROVIDER, "CredentialsReady")
    assert (status, found) == ("False", reason)
    assert says in message
    assert not content or content not in message
    assert PATH not in world.vault.versions


async def test_new_content_becomes_a_new_version_and_old_content_never_returns() -> None:
    world = await _imported("not-a-real-key-1")
    first = world.status(PROVIDER)["revision"]
    world.kube.put(secret("key", "not-a-real-key-2"))
    await world.reconcile(PROVIDER)
    assert (_stored(world)["value"], world.status(PROVIDER)["apiKey"]["version"]) == ("not-a-real-key-2", 2)
    assert world.status(PROVIDER)["revision"] != first
    world.kube.put(secret("key", "not-a-real-key-1"))
    await world.reconcile(PROVIDER)
    assert _stored(world)["value"] == "not-a-real-key-2"
    assert "imported earlier than the latest" in world.condition(PROVIDER, "CredentialsReady")[2]


async def test_a_changed_endpoint_gets_no_credential_until_the_secret_says_so() -> None:
    world = await _imported()
    world.kube.put(provider("https://elsewhere.example"))
    await world.reconcile(PROVIDER)
    status, reason, message = world.condition(PROVIDER, "CredentialsReady")
    assert (status, reason) == ("False", "OriginNotBound")
    assert "headgate.dev/origins to include https://elsewhere.example" in message
    assert _stored(world)["origins"] == ["https://api.vendor.example"]
    both = "https://api.vendor.example, https://elsewhere.example"
    world.kube.put(secret("key", "not-a-real-key-1", annotations={names.ANNOTATION_ORIGINS: both}))
    await world.reconcile(PROVIDER)
    assert _stored(world)["origins"] == ["https://api.vendor.example", "https://elsewhere.example"]
    assert _stored(world)["value"] == "not-a-real-key-1"
    assert world.condition(PROVIDER, "Ready")[0] == "True"


async def test_another_secret_cannot_widen_the_origins_of_a_key_it_does_not_hold() -> None:
    world = await _imported()
    annotations = {names.ANNOTATION_ORIGINS: "https://thief.example"}
    world.kube.put(provider("https://thief.example", source="thief"))
    for content in (None, "not a key", ""):
        world.kube.put(secret("thief", content, annotations=annotations))
        await world.reconcile(PROVIDER)
        assert world.condition(PROVIDER, "CredentialsReady")[:2] == ("False", "OriginNotBound")
        assert _stored(world)["origins"] == ["https://api.vendor.example"]


async def test_an_annotation_that_omits_the_endpoint_refuses_the_import() -> None:
    world = World()
    world.kube.put(provider("https://thief.example"))
    annotations = {names.ANNOTATION_ORIGINS: "https://api.vendor.example"}
    world.kube.put(secret("key", "not-a-real-key", annotations=annotations))
    await world.reconcile(PROVIDER)
    assert world.condition(PROVIDER, "CredentialsReady")[1] == "OriginNotBound"
    assert PATH not in world.vault.versions


async def test_a_key_deleted_by_hand_in_vault_is_not_brought_back() -> None:
    world = await _imported()
    world.vault.put(PATH, None)
    await world.reconcile(PROVIDER)
    status, reason, message = world.condition(PROVIDER, "CredentialsReady")
    assert (status, reason) == ("False", "CredentialNotFound")
    assert "version 2" in message and "undelete" in message
    assert world.vault.latest(PATH) is None


async def test_a_record_someone_wrote_by_hand_is_used_or_its_fault_named() -> None:
    world = World()
    world.kube.put(provider(source=None))
    world.vault.put(PATH, {"value": "not-a-real-key"})
    await world.reconcile(PROVIDER)
    assert world.condition(PROVIDER, "CredentialsReady")[1] == "RecordInvalid"
    assert "origins" in world.condition(PROVIDER, "CredentialsReady")[2]
    world.vault.put(PATH, {"value": "not-a-real-key", "origins": ["https://api.vendor.example"]})
    await world.reconcile(PROVIDER)
    assert world.condition(PROVIDER, "CredentialsReady")[:2] == ("True", "InVault")


async def test_a_pinned_version_is_the_one_in_use() -> None:
    world = await _imported("not-a-real-key-1")
    world.kube.put(secret("key", "not-a-real-key-2"))
    await world.reconcile(PROVIDER)
    pinned = provider()
    pinned["spec"]["auth"]["apiKey"]["version"] = 1
    world.kube.put(pinned)
    await world.reconcile(PROVIDER)
    assert world.status(PROVIDER)["apiKey"]["version"] == 1
    pinned["spec"]["auth"]["apiKey"]["version"] = 9
    world.kube.put(pinned)
    await world.reconcile(PROVIDER)
    assert world.condition(PROVIDER, "CredentialsReady")[1] == "VersionNotFound"


async def test_vault_away_does_not_make_a_serving_provider_unready() -> None:
    world = await _imported()
    world.vault.away = VaultCause.SEALED
    assert await world.reconcile(PROVIDER) == 30  # True until now: nobody waits for Vault
    assert world.condition(PROVIDER, "CredentialsReady")[:2] == ("Unknown", "VaultUnavailable")
    status, reason, message = world.condition(PROVIDER, "Ready")
    assert (status, reason) == ("True", "VaultUnavailable")
    assert "sealed" in message and "go on with version 1" in message
    assert world.status(PROVIDER)["apiKey"]["version"] == 1
    world.vault.away = None
    await world.reconcile(PROVIDER)
    assert world.condition(PROVIDER, "Ready")[:2] == ("True", "Ready")


async def test_vault_away_before_the_first_import_is_not_ready() -> None:
    world = World()
    world.vault.away = VaultCause.TIMEOUT
    world.kube.put(provider())
    world.kube.put(secret("key", "not-a-real-key"))
    assert await world.reconcile(PROVIDER) == 2
    assert world.condition(PROVIDER, "Ready")[:2] == ("False", "VaultUnavailable")


async def test_one_mode_that_serves_is_enough_and_the_other_is_named() -> None:
    world = World()
    world.kube.put(provider(modes=("Subscription", "APIKey")))
    world.kube.put(secret("key", "not-a-real-key"))
    await world.reconcile(PROVIDER)
    status, reason, message = world.condition(PROVIDER, "CredentialsReady")
    assert (status, reason) == ("True", "Imported")
    assert "Subscription mode: no SubscriptionAccount of this namespace is selected" in message
    assert (world.status(PROVIDER)["modes"], world.status(PROVIDER)["accounts"]) == ("Subscription,APIKey", 0)
    world.kube.put(account())
    world.kube.put(secret("plan", plan_file("a")))
    await world.reconcile(ACCOUNT)
    await world.reconcile(PROVIDER)
    assert world.status(PROVIDER)["accounts"] == 1
    assert "Subscription mode: 1 of 1 accounts ready" in world.condition(PROVIDER, "CredentialsReady")[2]


async def test_a_fallback_that_proxies_report_is_shown_with_its_reason() -> None:
    world = await _imported()
    assert world.condition(PROVIDER, "FallbackActive")[:2] == ("False", "APIKey")
    fallback = FallbackObservation(
        namespace=NS,
        provider="claude",
        from_mode=AuthMode.SUBSCRIPTION,
        to_mode=AuthMode.API_KEY,
        reason=SkipReason.REVOKED,
        account="ada",
        at=START,
    )
    world.told.active.append(fallback)
    await world.reconcile(PROVIDER)
    status, reason, message = world.condition(PROVIDER, "FallbackActive")
    assert (status, reason) == ("True", "Revoked")
    assert message == "requests go by APIKey instead of Subscription (account ada): Revoked"
    assert ("Warning", "Revoked", message) in world.told.events


async def test_a_key_the_vendor_refuses_is_not_ready_until_a_new_one_comes() -> None:
    world = await _imported()
    refused = CredentialObservation(
        path=PATH, version=1, valid=False, reason=SkipReason.REVOKED, at=START + timedelta(minutes=1)
    )
    world.told.verdicts[PATH, 1] = refused
    await world.reconcile(PROVIDER)
    assert world.condition(PROVIDER, "CredentialsReady")[:2] == ("False", "Revoked")
    world.kube.put(secret("key", "not-a-real-key-2"))
    await world.reconcile(PROVIDER)
    assert world.condition(PROVIDER, "CredentialsReady")[:2] == ("True", "Imported")


async def test_deleting_forgets_an_imported_key_and_leaves_one_placed_by_hand() -> None:
    world = await _imported()
    world.kube.mark_deleted(PROVIDER)
    await world.reconcile(PROVIDER)
    assert PATH not in world.vault.versions
    assert world.kube.find("LLMProvider", "claude") is None
    assert world.told.events[-1][1] == "Forgotten"

    world = World()
    world.kube.put(provider(source=None))
    world.vault.put(PATH, {"value": "not-a-real-key", "origins": ["https://api.vendor.example"]})
    await world.reconcile(PROVIDER)
    world.kube.mark_deleted(PROVIDER)
    await world.reconcile(PROVIDER)
    assert world.vault.latest(PATH) is not None
    assert world.kube.find("LLMProvider", "claude") is None
    assert world.told.events[-1][1] == "Retained"


async def test_deletion_waits_for_vault_and_says_so() -> None:
    world = await _imported()
    world.kube.mark_deleted(PROVIDER)
    world.vault.away = VaultCause.UNREACHABLE
    assert await world.reconcile(PROVIDER) is not None
    assert world.condition(PROVIDER, "Ready")[:2] == ("False", "VaultUnavailable")
    assert "deletion waits" in world.condition(PROVIDER, "Ready")[2]
    world.vault.away = None
    await world.reconcile(PROVIDER)
    assert world.kube.find("LLMProvider", "claude") is None


@pytest.mark.parametrize(
    ("endpoint", "reason", "says"),
    [
        ("http://api.vendor.example", "EndpointNotAllowed", "plainHTTP"),
        ("https://10.0.0.1", "EndpointNotAllowed", "privateAddresses"),
    ],
)
async def test_an_endpoint_that_no_fleet_allows_is_not_accepted(endpoint: str, reason: str, says: str) -> None:
    world = World()
    world.kube.put(provider(endpoint))
    world.kube.put(secret("key", "not-a-real-key"))
    await world.reconcile(PROVIDER)
    assert world.condition(PROVIDER, "Accepted")[:2] == ("False", reason)
    assert says in world.condition(PROVIDER, "Accepted")[2]
    assert world.condition(PROVIDER, "Ready")[:2] == ("False", reason)


async def test_a_plans_endpoint_needs_the_fleets_allowance_too() -> None:
    world = World()
    changed = provider(modes=("Subscription", "APIKey"))
    changed["spec"]["auth"]["subscription"] = {"endpoint": "http://plans.vendor.example"}
    world.kube.put(changed)
    world.kube.put(secret("key", "not-a-real-key"))
    await world.reconcile(PROVIDER)
    status, reason, message = world.condition(PROVIDER, "Accepted")
    assert (status, reason) == ("False", "EndpointNotAllowed")
    assert message.startswith("spec.auth.subscription.endpoint http://plans.vendor.example is plain HTTP")


async def test_without_a_fleet_nobody_serves_it() -> None:
    world = World()
    world.kube.objects.clear()
    world.kube.put(provider())
    await world.reconcile(PROVIDER)
    assert world.condition(PROVIDER, "Accepted")[:2] == ("False", "NoFleet")
