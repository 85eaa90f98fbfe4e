"""From the first apply to the deletion: what conditions say on the way, and what Vault holds afterwards."""

import json
import threading

import pytest
from hvac.exceptions import InvalidPath

from headgate_dev.cluster import Cluster
from headgate_dev.emulator import Fault, FaultKind, TokenState

from .tenant import Tenant, eventually


def vault_data(cluster: Cluster, path: str) -> dict[str, object] | None:
    try:
        found = cluster.bao.client().secrets.kv.v2.read_secret_version(
            path, mount_point="headgate", raise_on_deleted_version=True
        )
    except InvalidPath:
        return None
    return dict(found["data"]["data"])


def test_a_missing_secret_is_named_and_its_arrival_is_noticed(tenant: Tenant) -> None:
    tenant.provider(wait=False)

    missing = tenant.wait_reason("llmprovider/anthropic", "CredentialsReady", "SecretNotFound")
    ready = tenant.condition("llmprovider/anthropic", "Ready")
    assert (missing["status"], ready["status"]) == ("False", "False")
    assert "vendor-key" in missing["message"]

    tenant.with_api_key()
    assert tenant.message().status_code == 200


def test_a_secret_without_the_key_is_told_which_keys_it_has(tenant: Tenant) -> None:
    tenant.secret("vendor-key", token="emulated-value")
    tenant.provider(wait=False)

    condition = tenant.wait_reason("llmprovider/anthropic", "CredentialsReady", "SecretKeyNotFound")

    assert "'key'" in condition["message"] or '"key"' in condition["message"] or " key " in condition["message"]
    assert "token" in condition["message"]
    assert "emulated-value" not in condition["message"]


def test_a_new_key_in_the_secret_is_imported_and_used_while_requests_flow(tenant: Tenant, cluster: Cluster) -> None:
    tenant.with_api_key()
    path = f"{tenant.namespace}/llmproviders/anthropic/api-key"
    first = vault_data(cluster, path)
    second_key = tenant.api_key + "-second"
    tenant.vendor.api_keys.add(second_key)

    tenant.secret("vendor-key", key=second_key)
    cluster.kubectl("annotate", "-n", tenant.namespace, "llmprovider/anthropic", "look=again")
    tenant.wait("llmprovider/anthropic", "jsonpath={.status.apiKey.version}=2", timeout=75)
    tenant.wait("llmprovider/anthropic")

    assert first is not None
    assert tenant.message().status_code == 200
    assert tenant.vendor.requests[-1].credential == second_key


def test_a_provider_deleted_while_in_use_lets_the_stream_end_and_then_is_gone(tenant: Tenant, cluster: Cluster) -> None:
    tenant.with_api_key()
    fault = tenant.vendor.add_fault(Fault(kind=FaultKind.HOLD, after_events=3, times=1))
    urls = list(tenant.headgate.urls().values())

    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append(tenant.stream(urls[0])))
    reader.start()
    tenant.vendor.wait_held(fault)
    cluster.kubectl("delete", "-n", tenant.namespace, "llmprovider/anthropic", "--timeout=30s")
    tenant.vendor.release(fault)
    reader.join(timeout=30)

    assert "message_stop" in got[0]
    assert vault_data(cluster, f"{tenant.namespace}/llmproviders/anthropic/api-key") is None
    cluster.wait_for("proxyfleet/default", "condition=SnapshotDelivered", namespace="headgate-system")
    for url in urls:
        gone = tenant.message(url=url)
        assert (gone.status_code, gone.json()["error"]["type"]) == (404, "not_found_error")


@pytest.mark.parametrize(("policy", "kept"), [("Retain", True), ("Revoke", False)])
def test_deleting_an_account_follows_its_policy(tenant: Tenant, cluster: Cluster, policy: str, kept: bool) -> None:
    tenant.vendor.oauth_tokens[tenant.oauth_token] = TokenState.VALID
    tenant.provider(auth={"modes": ["Subscription"]}, wait=False)
    tenant.account(deletionPolicy=policy)
    tenant.wait("subscriptionaccount/alice")
    path = f"{tenant.namespace}/subscriptionaccounts/alice/grant"
    assert vault_data(cluster, path) is not None

    cluster.kubectl("delete", "-n", tenant.namespace, "subscriptionaccount/alice", "--timeout=30s")

    assert (vault_data(cluster, path) is not None) is kept


def test_the_secret_of_an_account_is_emptied_once_vault_has_it_and_its_return_changes_nothing(
    tenant: Tenant, cluster: Cluster
) -> None:
    tenant.with_subscription({})

    def emptied() -> bool:
        return "credentials.json" not in cluster.get("secret/alice-claude", "-n", tenant.namespace).get("data", {})

    eventually("the Secret is emptied", emptied)
    path = f"{tenant.namespace}/subscriptionaccounts/alice/grant"
    client = cluster.bao.client().secrets.kv.v2
    imported = vault_data(cluster, path)
    assert imported is not None
    rotated = imported | {"access_token": "emulated-rotated", "generation": 2}
    client.create_or_update_secret(path, rotated, mount_point="headgate")

    tenant.account()
    cluster.kubectl("annotate", "-n", tenant.namespace, "subscriptionaccount/alice", "look=again")
    eventually("the restored Secret is emptied again", emptied, timeout=90)

    assert vault_data(cluster, path) == rotated


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("not json", "JSON"),
        ("[]", "not an object"),
        ('{"claudeAiOauth": {}}', "accessToken"),
        (json.dumps({"claudeAiOauth": {"accessToken": "emulated-x", "expiresAt": "soon"}}), "expiresAt"),
    ],
)
def test_a_malformed_credential_file_is_told_what_is_wrong(tenant: Tenant, content: str, expected: str) -> None:
    tenant.provider(auth={"modes": ["Subscription"]}, wait=False)
    tenant.secret("bad", **{"credentials.json": content})
    tenant.account(credential={"importSecretRef": {"name": "bad", "key": "credentials.json"}})

    condition = tenant.wait_reason("subscriptionaccount/alice", "CredentialValid", "SecretInvalid")

    assert expected in condition["message"]
    assert "bad" in condition["message"]
    assert "emulated-x" not in condition["message"]
