"""A SubscriptionAccount's life, as its conditions, its Secret and Vault show it."""

from typing import Any

import pytest

from headgate_api import acknowledgement
from headgate_api.reasons import SkipReason
from headgate_api.report import CredentialObservation
from headgate_runtime.vault import VaultCause

from .objects import ACCOUNT, PROVIDER, START, account, plan_file, provider, secret
from .world import World

GRANT = "team/subscriptionaccounts/ada/grant"
ACCESS = "team/subscriptionaccounts/ada/access"


def _world(content: str | None = None, *, secret_metadata: dict[str, Any] | None = None, **spec: Any) -> World:
    world = World()
    world.kube.put(provider(modes=("Subscription",)))
    world.kube.put(account(**spec))
    world.kube.put(secret("plan", plan_file("one") if content is None else content, **(secret_metadata or {})))
    return world


def _data(world: World) -> dict[str, str]:
    found = world.kube.find("Secret", "plan")
    assert found is not None
    return dict(found["data"])


async def test_a_grant_is_stored_apart_from_the_access_token_and_the_secret_emptied() -> None:
    world = _world()
    await world.reconcile(ACCOUNT)
    grant, access = world.vault.latest(GRANT), world.vault.latest(ACCESS)
    assert grant is not None and access is not None
    assert grant["refresh_token"] == "not-real-refresh-one"
    assert access["access_token"] == "not-real-access-one"
    assert "refresh_token" not in access
    assert access["origins"] == ["https://api.vendor.example"]
    assert _data(world) == {}
    order = [path for path, _ in world.vault.written]
    assert order.index(GRANT) < order.index(ACCESS)
    assert world.condition(ACCOUNT, "Ready")[:2] == ("True", "Ready")
    status = world.status(ACCOUNT)
    assert status["expiresAt"] == "2026-11-01T20:00:00Z"
    assert status["credential"]["version"] == 1
    assert status["credential"]["importedFrom"] == "plan/value"
    await world.reconcile(ACCOUNT)
    assert world.condition(ACCOUNT, "Ready")[:2] == ("True", "Ready")
    assert len(world.vault.versions[GRANT]) == 1


@pytest.mark.parametrize(
    "metadata",
    [
        {"ownerReferences": [{"kind": "ExternalSecret", "name": "plan"}]},
        {"labels": {"app.kubernetes.io/instance": "apps"}},
        {"labels": {"app.kubernetes.io/managed-by": "Helm"}},
        {"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}},
        {"annotations": {"argocd.argoproj.io/tracking-id": "apps"}},
        {"annotations": {"meta.helm.sh/release-name": "apps"}},
    ],
)
async def test_a_secret_that_something_else_manages_is_left_full(metadata: dict[str, Any]) -> None:
    world = _world(secret_metadata=metadata)
    await world.reconcile(ACCOUNT)
    assert "value" in _data(world)
    assert world.condition(ACCOUNT, "Ready")[0] == "True"


async def test_an_immutable_secret_is_left_as_it_is() -> None:
    world = _world()
    world.kube.put(secret("plan", plan_file("one")) | {"immutable": True})
    await world.reconcile(ACCOUNT)
    assert "value" in _data(world)
    assert world.condition(ACCOUNT, "Ready")[0] == "True"


async def test_a_restored_secret_does_not_overwrite_a_rotated_token() -> None:
    world = _world()
    await world.reconcile(ACCOUNT)
    grant = world.vault.latest(GRANT)
    assert grant is not None
    world.vault.put(GRANT, grant | {"access_token": "rotated", "refresh_token": "rotated-too", "generation": 2})
    world.kube.put(secret("plan", plan_file("one", indent=2)))  # the same tokens, formatted anew
    await world.reconcile(ACCOUNT)
    live, access = world.vault.latest(GRANT), world.vault.latest(ACCESS)
    assert live is not None and live["refresh_token"] == "rotated-too"
    assert access is not None and (access["access_token"], access["generation"]) == ("rotated", 2)
    assert _data(world) == {}


async def test_a_new_sign_in_replaces_the_grant() -> None:
    world = _world()
    await world.reconcile(ACCOUNT)
    first = world.status(ACCOUNT)["credential"]["grantId"]
    world.kube.put(secret("plan", plan_file("two")))
    await world.reconcile(ACCOUNT)
    grant, access = world.vault.latest(GRANT), world.vault.latest(ACCESS)
    assert grant is not None and grant["refresh_token"] == "not-real-refresh-two"
    assert len(grant["imports"]) == 2
    assert access is not None and access["grant_id"] == grant["grant_id"]
    assert world.status(ACCOUNT)["credential"]["version"] == 2
    status = world.status(ACCOUNT)["credential"]
    assert status["formerGrants"] == [{"grantId": first, "version": 1}]
    assert status["grantId"] != first


async def test_without_an_acknowledgement_it_is_stored_but_not_ready_and_warns() -> None:
    world = _world(acknowledged=False)
    await world.reconcile(ACCOUNT)
    assert world.condition(ACCOUNT, "CredentialValid")[0] == "True"
    assert world.condition(ACCOUNT, "Ready")[:2] == ("False", "NotAcknowledged")
    assert world.condition(ACCOUNT, "Acknowledged") == ("False", "NotAcknowledged", acknowledgement.WARNING)
    assert ("Warning", "NotAcknowledged", acknowledgement.WARNING) in world.told.events


async def test_an_acknowledgement_of_an_older_text_no_longer_counts() -> None:
    given = {"by": "ada", "at": "2025-01-01T00:00:00Z", "textVersion": "2025-01-01"}
    world = _world(acknowledged=False, acknowledgement=given)
    await world.reconcile(ACCOUNT)
    status, reason, message = world.condition(ACCOUNT, "Acknowledged")
    assert (status, reason) == ("False", "TextChanged")
    assert acknowledgement.WARNING in message


async def test_expiry_is_noticed_on_the_second() -> None:
    world = _world(plan_file("one", hours=0.01))
    assert await world.reconcile(ACCOUNT) == 36
    world.clock.advance(36)
    await world.reconcile(ACCOUNT)
    status, reason, message = world.condition(ACCOUNT, "CredentialValid")
    assert (status, reason) == ("False", "Expired")
    assert (
        "sign in again (headgate account login), or put a new credential file into Secret team/plan, key value"
        in message
    )
    assert world.condition(ACCOUNT, "Ready")[:2] == ("False", "Expired")


async def test_expiry_counts_even_while_vault_is_away() -> None:
    world = _world(plan_file("one", hours=1))
    await world.reconcile(ACCOUNT)
    world.vault.away = VaultCause.TIMEOUT
    await world.reconcile(ACCOUNT)
    assert world.condition(ACCOUNT, "CredentialValid")[:2] == ("Unknown", "VaultUnavailable")
    assert world.condition(ACCOUNT, "Ready")[0] == "True"
    world.clock.advance(3600)
    await world.reconcile(ACCOUNT)
    assert world.condition(ACCOUNT, "Ready")[:2] == ("False", "Expired")


async def test_a_revoked_token_is_not_ready_and_a_passing_limit_changes_nothing() -> None:
    world = _world()
    await world.reconcile(ACCOUNT)
    limited = CredentialObservation(path=ACCESS, version=1, valid=False, reason=SkipReason.RATE_LIMITED, at=START)
    world.told.verdicts[ACCESS, 1] = limited
    await world.reconcile(ACCOUNT)
    assert world.condition(ACCOUNT, "Ready")[0] == "True"
    world.told.verdicts[ACCESS, 1] = limited.model_copy(update={"reason": SkipReason.REVOKED})
    await world.reconcile(ACCOUNT)
    assert world.condition(ACCOUNT, "CredentialValid")[:2] == ("False", "Revoked")
    assert world.condition(ACCOUNT, "Ready")[:2] == ("False", "Revoked")


async def test_suspended_is_imported_and_not_ready() -> None:
    world = _world(suspend=True)
    await world.reconcile(ACCOUNT)
    assert world.vault.latest(GRANT) is not None
    assert world.condition(ACCOUNT, "Suspended")[:2] == ("True", "Suspended")
    assert world.condition(ACCOUNT, "Ready")[:2] == ("False", "Suspended")


async def test_without_its_provider_nothing_is_bound_to_any_origin() -> None:
    world = World()
    world.kube.put(account())
    world.kube.put(secret("plan", plan_file("one")))
    await world.reconcile(ACCOUNT)
    assert world.condition(ACCOUNT, "Ready")[:2] == ("False", "ProviderNotFound")
    assert GRANT not in world.vault.versions
    assert "value" in _data(world)


async def test_a_token_is_bound_to_where_plans_are_served_and_a_key_to_the_endpoint() -> None:
    world = _world()
    both = provider(modes=("Subscription", "APIKey"))
    both["spec"]["auth"]["subscription"] = {"endpoint": "https://plans.vendor.example/backend"}
    world.kube.put(both)
    world.kube.put(secret("key", "not-a-real-key"))
    await world.reconcile(ACCOUNT)
    await world.reconcile(PROVIDER)
    access, key = world.vault.latest(ACCESS), world.vault.latest("team/llmproviders/claude/api-key")
    assert access is not None and key is not None
    assert access["origins"] == ["https://plans.vendor.example"]
    assert key["origins"] == ["https://api.vendor.example"]
    both["spec"]["auth"]["subscription"]["endpoint"] = "https://elsewhere.example"
    world.kube.put(both)
    await world.reconcile(ACCOUNT)
    await world.reconcile(PROVIDER)
    assert world.condition(ACCOUNT, "CredentialValid")[:2] == ("False", "OriginNotBound")
    assert access == world.vault.latest(ACCESS)


async def test_a_changed_endpoint_gets_no_token_and_an_emptied_secret_may_allow_it() -> None:
    world = _world()
    await world.reconcile(ACCOUNT)
    world.kube.put(provider("https://elsewhere.example", modes=("Subscription",)))
    await world.reconcile(ACCOUNT)
    assert world.condition(ACCOUNT, "CredentialValid")[:2] == ("False", "OriginNotBound")
    world.kube.put(secret("plan", "", annotations={"headgate.dev/origins": "https://elsewhere.example"}))
    await world.reconcile(ACCOUNT)
    assert world.condition(ACCOUNT, "CredentialValid")[:2] == ("False", "OriginNotBound")
    emptied = secret("plan", None, annotations={"headgate.dev/origins": "https://elsewhere.example"})
    world.kube.put(emptied)
    await world.reconcile(ACCOUNT)
    access = world.vault.latest(ACCESS)
    assert access is not None
    assert access["origins"] == ["https://api.vendor.example", "https://elsewhere.example"]
    assert world.condition(ACCOUNT, "Ready")[0] == "True"


async def test_an_access_record_that_was_lost_is_written_again() -> None:
    world = _world()
    await world.reconcile(ACCOUNT)
    del world.vault.versions[ACCESS]
    await world.reconcile(ACCOUNT)
    access = world.vault.latest(ACCESS)
    assert access is not None and access["access_token"] == "not-real-access-one"


async def test_a_secret_changed_between_reading_and_emptying_keeps_its_new_content() -> None:
    world = _world()
    patch = world.kube.json_patch

    async def race(kind: Any, namespace: str, name: str, operations: Any) -> dict[str, Any]:
        if kind.kind == "Secret" and world.kube.json_patch is race:
            world.kube.json_patch = patch  # type: ignore[method-assign]
            world.kube.put(secret("plan", plan_file("two")))
        return await patch(kind, namespace, name, operations)

    world.kube.json_patch = race  # type: ignore[method-assign, assignment]
    await world.reconcile(ACCOUNT)
    grant = world.vault.latest(GRANT)
    assert grant is not None and grant["refresh_token"] == "not-real-refresh-two"
    assert len(grant["imports"]) == 2


async def test_retain_keeps_the_grant_for_an_account_of_the_same_name_even_without_vault() -> None:
    world = _world(secret_metadata={"labels": {"app.kubernetes.io/instance": "apps"}})
    await world.reconcile(ACCOUNT)
    world.vault.away = VaultCause.UNREACHABLE
    world.kube.mark_deleted(ACCOUNT)
    await world.reconcile(ACCOUNT)
    assert world.kube.find("SubscriptionAccount", "ada") is None
    assert world.told.events[-1][1] == "Retained"
    world.vault.away = None
    world.kube.put(account())
    await world.reconcile(ACCOUNT)
    assert len(world.vault.versions[GRANT]) == 1
    assert world.condition(ACCOUNT, "Ready")[0] == "True"


async def test_revoke_forgets_everything_and_says_where_to_go_on() -> None:
    world = _world(deletionPolicy="Revoke")
    await world.reconcile(ACCOUNT)
    world.kube.mark_deleted(ACCOUNT)
    world.vault.away = VaultCause.SEALED
    await world.reconcile(ACCOUNT)
    assert "deletion waits" in world.condition(ACCOUNT, "Ready")[2]
    world.vault.away = None
    await world.reconcile(ACCOUNT)
    assert not {GRANT, ACCESS} & world.vault.versions.keys()
    assert world.kube.find("SubscriptionAccount", "ada") is None
    kind, reason, message = world.told.events[-1]
    assert (kind, reason) == ("Normal", "Forgotten")
    assert "ada@team.example" in message and "at the vendor" in message


async def test_no_credential_shows_in_status_or_events() -> None:
    world = _world()
    await world.reconcile(ACCOUNT)
    world.kube.put(secret("plan", '{"claudeAiOauth": {"accessToken": "not-real access-broken"}}'))
    await world.reconcile(ACCOUNT)
    assert "the new content" not in world.condition(ACCOUNT, "Ready")[2]
    status, reason, message = world.condition(ACCOUNT, "CredentialValid")
    assert (status, reason) == ("True", "SecretInvalid")
    assert "holds white space" in message
    assert ("Warning", "SecretInvalid", message) in world.told.events
    shown = repr(world.status(ACCOUNT)) + repr(world.told.events)
    assert "not-real" not in shown


async def test_importing_a_refresh_token_warns_to_sign_the_other_client_out() -> None:
    world = _world()
    await world.reconcile(ACCOUNT)
    (told,) = [
        message for _, reason, message in world.told.events if reason == "Imported" and "stored in Vault" in message
    ]
    assert "sign out of Claude Code where the file comes from" in told


async def test_one_vendors_file_is_not_taken_for_anothers_account() -> None:
    world = _world('{"tokens": {"access_token": "not-real-access", "refresh_token": "not-real-refresh"}}')
    await world.reconcile(ACCOUNT)
    status, reason, message = world.condition(ACCOUNT, "CredentialValid")
    assert (status, reason) == ("False", "SecretInvalid")
    assert "is a credential file of Codex, and LLMProvider claude speaks Anthropic" in message
    assert GRANT not in world.vault.versions and "value" in _data(world)


OAUTH = {"tokenEndpoint": "https://auth.vendor.example/token", "clientId": "c"}


async def test_a_refresh_token_is_bound_to_the_token_endpoint_at_import_and_to_no_later_one() -> None:
    world = _world(oauth=OAUTH)
    await world.reconcile(ACCOUNT)
    grant = world.vault.latest(GRANT)
    assert grant is not None and grant["token_origins"] == ["https://auth.vendor.example"]
    assert world.condition(ACCOUNT, "RefreshHealthy")[:2] == ("True", "Scheduled")
    world.kube.put(account(oauth=OAUTH | {"tokenEndpoint": "https://elsewhere.example/token"}))
    await world.reconcile(ACCOUNT)
    assert world.condition(ACCOUNT, "RefreshHealthy")[:2] == ("False", "OriginNotBound")
    grant = world.vault.latest(GRANT)
    assert grant is not None and grant["token_origins"] == ["https://auth.vendor.example"]


async def test_a_profile_that_came_after_the_import_is_allowed_by_whoever_owns_the_secret() -> None:
    world = _world()
    await world.reconcile(ACCOUNT)
    world.kube.put(account(oauth=OAUTH))
    await world.reconcile(ACCOUNT)
    assert world.condition(ACCOUNT, "RefreshHealthy")[:2] == ("False", "OriginNotBound")
    allowed = {"headgate.dev/origins": "https://api.vendor.example, https://auth.vendor.example"}
    world.kube.put(secret("plan", None, annotations=allowed))
    await world.reconcile(ACCOUNT)
    assert world.condition(ACCOUNT, "RefreshHealthy")[:2] == ("True", "Scheduled")


async def test_a_secret_that_names_its_origins_binds_the_refresh_token_to_no_other() -> None:
    world = _world(oauth=OAUTH, secret_metadata={"annotations": {"headgate.dev/origins": "https://api.vendor.example"}})
    await world.reconcile(ACCOUNT)
    grant = world.vault.latest(GRANT)
    assert grant is not None and grant["token_origins"] == []
    assert world.condition(ACCOUNT, "RefreshHealthy")[:2] == ("False", "OriginNotBound")
