"""The logins and rights users are told to set up, on a real OpenBao that reviews tokens with the real API server."""

from collections.abc import Iterator

import hvac
import pytest
import requests

from headgate_api.vault import DEFAULT_MOUNT, OPERATOR_ROLE, PROXY_ROLE, api_key_path, grant_path
from headgate_dev.cluster import Cluster

SYSTEM = "headgate-system"


@pytest.fixture(scope="module")
def accounts(cluster: Cluster) -> None:
    for name in ("headgate-operator", "headgate-proxy-test", "stranger"):
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": SYSTEM}}
        cluster.apply(account)


@pytest.fixture
def vault(cluster: Cluster, accounts: None) -> Iterator[hvac.Client]:
    """A client that is not logged in."""
    client = hvac.Client(url=cluster.bao.address)
    yield client
    client.adapter.close()


def login(client: hvac.Client, method: str, role: str, token: str) -> None:
    if method == "kubernetes":
        client.auth.kubernetes.login(role, token)
    else:
        client.auth.jwt.jwt_login(role, token)


def read(client: hvac.Client, path: str) -> object:
    answer = client.secrets.kv.v2.read_secret_version(path, mount_point=DEFAULT_MOUNT, raise_on_deleted_version=True)
    return answer["data"]["data"]


def write(client: hvac.Client, path: str, word: str) -> None:
    client.secrets.kv.v2.create_or_update_secret(path, {"word": word}, mount_point=DEFAULT_MOUNT)


@pytest.mark.parametrize("method", ["kubernetes", "jwt"])
def test_a_proxy_reads_api_keys_and_may_not_write_or_read_grants(
    cluster: Cluster, vault: hvac.Client, namespace: str, method: str
) -> None:
    key, grant = api_key_path(namespace, "p"), grant_path(namespace, "a")
    write(cluster.bao.client(), key, "not-a-key")
    write(cluster.bao.client(), grant, "not-a-grant")
    login(vault, method, PROXY_ROLE, cluster.create_token(SYSTEM, "headgate-proxy-test", "vault"))
    assert read(vault, key) == {"word": "not-a-key"}
    with pytest.raises(hvac.exceptions.Forbidden):
        write(vault, key, "changed")
    with pytest.raises(hvac.exceptions.Forbidden):
        read(vault, grant)


@pytest.mark.parametrize("method", ["kubernetes", "jwt"])
def test_the_operator_writes(cluster: Cluster, vault: hvac.Client, namespace: str, method: str) -> None:
    login(vault, method, OPERATOR_ROLE, cluster.create_token(SYSTEM, "headgate-operator", "vault"))
    write(vault, grant_path(namespace, "a"), "not-a-grant")
    assert read(cluster.bao.client(), grant_path(namespace, "a")) == {"word": "not-a-grant"}


@pytest.mark.parametrize("method", ["kubernetes", "jwt"])
@pytest.mark.parametrize(
    ("account", "role", "audience"),
    [
        ("stranger", PROXY_ROLE, "vault"),
        ("headgate-proxy-test", OPERATOR_ROLE, "vault"),
        ("headgate-proxy-test", PROXY_ROLE, None),
    ],
    ids=["another account", "another role", "another audience"],
)
def test_others_do_not_get_in(
    cluster: Cluster, vault: hvac.Client, method: str, account: str, role: str, audience: str | None
) -> None:
    token = cluster.create_token(SYSTEM, account, audience)
    with pytest.raises((hvac.exceptions.Forbidden, hvac.exceptions.InvalidRequest)):
        login(vault, method, role, token)


def test_what_was_stored_survives_a_restart_and_a_seal(cluster: Cluster, namespace: str) -> None:
    path = api_key_path(namespace, "p")
    write(cluster.bao.client(), path, "kept")
    cluster.bao.stop()
    try:
        with pytest.raises(requests.ConnectionError):
            read(cluster.bao.client(), path)
    finally:
        cluster.bao.start()
    assert read(cluster.bao.client(), path) == {"word": "kept"}
    cluster.bao.seal()
    try:
        with pytest.raises(hvac.exceptions.VaultDown):
            read(cluster.bao.client(), path)
    finally:
        cluster.bao.unseal()
    assert read(cluster.bao.client(), path) == {"word": "kept"}


def test_a_frozen_server_accepts_and_never_answers(cluster: Cluster) -> None:
    cluster.bao.pause()
    try:
        with pytest.raises(requests.ReadTimeout):
            requests.get(f"{cluster.bao.address}/v1/sys/health", timeout=(1, 0.5))
    finally:
        cluster.bao.resume()
    assert cluster.bao.client().sys.is_initialized()
