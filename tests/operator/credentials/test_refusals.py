"""Who refuses, says who must change what: the API server (RBAC), Vault (role, policy), the Secret's own type."""

from typing import Any

import pytest

from headgate_api.vault import api_key_path
from headgate_runtime.kube import KubeError
from headgate_runtime.vault import VaultDenied, VaultRecord

from .objects import ACCOUNT, NS, PROVIDER, account, plan_file, provider, secret
from .world import World


def forbid(world: World, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """Let the API server forbid one verb on Secrets."""
    allowed = getattr(world.kube, method)

    async def call(kind: Any, *args: Any, **more: Any) -> Any:
        if kind.kind == "Secret":
            raise KubeError(403, "Forbidden", "secrets is forbidden")
        return await allowed(kind, *args, **more)

    monkeypatch.setattr(world.kube, method, call)


async def test_a_secret_the_operator_may_not_read_is_a_condition_not_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.kube.put(provider())
    forbid(world, monkeypatch, "get")
    assert await world.reconcile(PROVIDER) is not None
    status, reason, message = world.condition(PROVIDER, "CredentialsReady")
    assert (status, reason) == ("False", "SecretForbidden")
    assert f"namespace {NS}" in message and "verb get on secrets" in message


async def test_what_was_imported_serves_on_when_the_secret_becomes_unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.kube.put(secret("key", "not-a-real-key"))
    world.kube.put(provider())
    await world.reconcile(PROVIDER)
    forbid(world, monkeypatch, "get")
    await world.reconcile(PROVIDER)
    assert world.condition(PROVIDER, "Ready")[0] == "True"
    assert world.condition(PROVIDER, "CredentialsReady")[1] == "SecretForbidden"


async def test_a_deletion_needs_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.kube.put(secret("key", "not-a-real-key"))
    world.kube.put(provider())
    await world.reconcile(PROVIDER)
    world.kube.mark_deleted(PROVIDER)
    forbid(world, monkeypatch, "get")
    await world.reconcile(PROVIDER)
    assert world.kube.find(PROVIDER.kind, PROVIDER.name) is None


async def test_a_secret_that_may_not_be_emptied_stays_and_the_account_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.kube.put(secret("plan", plan_file("one")))
    world.kube.put(provider(modes=("Subscription",)))
    world.kube.put(account())
    await world.reconcile(PROVIDER)
    forbid(world, monkeypatch, "json_patch")
    assert await world.reconcile(ACCOUNT) is not None
    assert world.condition(ACCOUNT, "Ready")[0] == "True"
    assert ("Warning", "SecretForbidden") in [(kind, reason) for kind, reason, _ in world.told.events]


async def test_vault_that_refuses_is_told_apart_from_vault_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.kube.put(secret("key", "not-a-real-key"))
    world.kube.put(provider())

    async def denied(path: str) -> tuple[VaultRecord | None, int]:
        raise VaultDenied("Vault denies this identity: sign in with role headgate-operator at auth/kubernetes")

    monkeypatch.setattr(world.vault, "read_for_update", denied)
    await world.reconcile(PROVIDER)
    status, reason, message = world.condition(PROVIDER, "CredentialsReady")
    assert (status, reason) == ("False", "VaultDenied")
    assert "role headgate-operator" in message


@pytest.mark.parametrize("type_", ["kubernetes.io/service-account-token", "helm.sh/release.v1"])
async def test_the_clusters_own_secrets_are_not_imported(type_: str) -> None:
    world = World()
    world.kube.put(secret("key", "not-a-real-token") | {"type": type_})
    world.kube.put(provider())
    await world.reconcile(PROVIDER)
    status, reason, message = world.condition(PROVIDER, "CredentialsReady")
    assert (status, reason) == ("False", "SecretInvalid")
    assert type_ in message and "type Opaque" in message
    assert api_key_path(NS, PROVIDER.name) not in world.vault.versions


async def test_a_waiting_deletion_says_how_to_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.kube.put(secret("key", "not-a-real-key"))
    world.kube.put(provider())
    await world.reconcile(PROVIDER)
    world.kube.mark_deleted(PROVIDER)

    async def denied(path: str) -> tuple[VaultRecord | None, int]:
        raise VaultDenied("Vault denies this identity")

    monkeypatch.setattr(world.vault, "read_for_update", denied)
    assert await world.reconcile(PROVIDER) is not None
    status, reason, message = world.condition(PROVIDER, "Ready")
    assert (status, reason) == ("False", "VaultDenied")
    assert "finalizer headgate.dev/credentials" in message


async def test_a_credential_mistaken_for_a_name_is_not_repeated_in_conditions() -> None:
    world = World()
    mistaken = "sk-not-a-real-key-but-of-its-shape"
    body = secret("key", None)
    body["data"] = {mistaken: ""}
    world.kube.put(body)
    world.kube.put(provider())
    await world.reconcile(PROVIDER)
    status, reason, message = world.condition(PROVIDER, "CredentialsReady")
    assert (status, reason) == ("False", "SecretKeyNotFound")
    assert mistaken not in message and "***" in message
    written = world.kube.find(PROVIDER.kind, PROVIDER.name)
    await world.reconcile(PROVIDER)
    assert world.kube.find(PROVIDER.kind, PROVIDER.name) == written
