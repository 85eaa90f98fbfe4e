"""The Kube client against a real API server: what it returns, and how each failure is told apart."""

import asyncio
import time
from typing import Any

import pytest

from headgate_dev.cluster import Cluster
from headgate_runtime.kube import Conflict, Kube, KubeError, KubeSettings, KubeUnavailable
from headgate_runtime.kube_kinds import CONFIG_MAP, SERVICE_ACCOUNT


def config_map(namespace: str, name: str = "one", **data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, "labels": {"test": "kube"}},
        "data": data,
    }


async def connect(cluster: Cluster, deadline: float = 10.0) -> Kube:
    return await Kube.connect(KubeSettings(kubeconfig=cluster.kubeconfig), deadline_seconds=deadline)


async def test_objects_are_applied_read_listed_and_deleted(cluster: Cluster, namespace: str) -> None:
    async with await connect(cluster) as kube:
        assert await kube.get(CONFIG_MAP, namespace, "one") is None
        await kube.apply(config_map(namespace, a="1"))
        await kube.apply(config_map(namespace, a="2"))
        found = await kube.get(CONFIG_MAP, namespace, "one")
        assert found is not None
        assert found["data"] == {"a": "2"}
        (listed,) = await kube.list(CONFIG_MAP, namespace, label_selector="test=kube")
        assert (listed["kind"], listed["apiVersion"]) == ("ConfigMap", "v1")
        with pytest.raises(Conflict):
            await kube.delete(CONFIG_MAP, namespace, "one", uid="00000000-0000-0000-0000-000000000000")
        assert await kube.delete(CONFIG_MAP, namespace, "one", uid=found["metadata"]["uid"]) is True
        assert await kube.delete(CONFIG_MAP, namespace, "one") is False


async def test_a_stale_writer_loses(cluster: Cluster, namespace: str) -> None:
    async with await connect(cluster) as kube:
        first = await kube.create(config_map(namespace, a="1"))
        with pytest.raises(Conflict):
            await kube.create(config_map(namespace))
        await kube.replace(first | {"data": {"a": "2"}})
        with pytest.raises(Conflict):
            await kube.replace(first | {"data": {"a": "3"}})
        stale = {"op": "test", "path": "/metadata/resourceVersion", "value": first["metadata"]["resourceVersion"]}
        with pytest.raises(KubeError) as refused:
            await kube.json_patch(CONFIG_MAP, namespace, "one", [stale, {"op": "remove", "path": "/data/a"}])
        assert refused.value.status == 422


async def test_a_list_longer_than_a_page_is_whole(cluster: Cluster, namespace: str) -> None:
    async with await connect(cluster) as kube:
        for start in range(0, 520, 40):
            names = [f"n{number}" for number in range(start, start + 40)]
            await asyncio.gather(*(kube.create(config_map(namespace, name)) for name in names))
        assert len(await kube.list(CONFIG_MAP, namespace, label_selector="test=kube")) == 520


async def test_a_watch_tells_what_exists_then_what_changes_and_ends_in_time(cluster: Cluster, namespace: str) -> None:
    async with await connect(cluster) as kube:
        await kube.apply(config_map(namespace, a="1"))
        events = []
        async for kind, body in kube.watch(CONFIG_MAP, namespace, "one", timeout_seconds=3):
            if kind == "BOOKMARK":
                continue
            events.append((kind, body.get("data")))
            if len(events) == 1:
                await kube.apply(config_map(namespace, a="2"))
                await kube.apply(config_map(namespace, "other"))
            elif len(events) == 2:
                await kube.delete(CONFIG_MAP, namespace, "one")
        assert events == [("ADDED", {"a": "1"}), ("MODIFIED", {"a": "2"}), ("DELETED", {"a": "2"})]


async def test_a_refusal_carries_the_api_servers_own_words(cluster: Cluster, namespace: str) -> None:
    path = cluster.kubeconfig_for_service_account(namespace, "default")
    async with await Kube.connect(KubeSettings(kubeconfig=path)) as kube:
        with pytest.raises(KubeError, match="cannot list resource") as refused:
            await kube.list(CONFIG_MAP, namespace)
        assert (refused.value.status, refused.value.reason) == (403, "Forbidden")


async def test_a_token_is_reviewed_for_its_audience_only(cluster: Cluster, namespace: str) -> None:
    token = cluster.create_token(namespace, "default", audience="headgate-broker")
    async with await connect(cluster) as kube:
        good = await kube.token_review(token, ["headgate-broker"])
        assert good["user"]["username"] == f"system:serviceaccount:{namespace}:default"
        assert not (await kube.token_review(token, ["vault"])).get("authenticated")
        assert (await kube.raw_get("/openid/v1/jwks"))["keys"]


async def test_a_token_file_is_read_anew_when_it_rotates(cluster: Cluster, namespace: str, tmp_path: Any) -> None:
    file = tmp_path / "token"
    file.write_text("not-a-token")
    settings = KubeSettings(url=cluster.server_url, token_file=file, ca_file=cluster.ca_file)
    async with await Kube.connect(settings) as kube:
        with pytest.raises(KubeError) as refused:
            await kube.get(SERVICE_ACCOUNT, namespace, "default")
        assert refused.value.status == 401
        file.write_text(cluster.create_token(namespace, "default"))
        with pytest.raises(KubeError) as refused:
            await kube.get(SERVICE_ACCOUNT, namespace, "default")
        assert refused.value.status == 403
        file.unlink()
        with pytest.raises(KubeUnavailable, match="token file"):
            await kube.get(SERVICE_ACCOUNT, namespace, "default")


async def test_a_hung_api_server_holds_nobody_beyond_the_deadline(cluster: Cluster, namespace: str) -> None:
    async with await connect(cluster, deadline=1.0) as kube:
        cluster.apiserver.pause()
        try:
            began = time.monotonic()
            with pytest.raises(KubeUnavailable):
                await kube.get(CONFIG_MAP, namespace, "one")
            with pytest.raises(KubeUnavailable):
                async for _ in kube.watch(CONFIG_MAP, namespace, timeout_seconds=1):
                    pass
            assert time.monotonic() - began < 9
        finally:
            cluster.apiserver.resume()
        assert await kube.get(CONFIG_MAP, namespace, "one") is None


async def test_an_address_where_nobody_listens_is_unavailable(tmp_path: Any, cluster: Cluster) -> None:
    file = tmp_path / "token"
    file.write_text("any")
    settings = KubeSettings(url="https://127.0.0.1:9", token_file=file, ca_file=cluster.ca_file)
    async with await Kube.connect(settings) as kube:
        with pytest.raises(KubeUnavailable):
            await kube.list(CONFIG_MAP)


async def test_a_watch_carries_objects_of_any_size(cluster: Cluster, namespace: str) -> None:
    async with await connect(cluster) as kube:
        await kube.create(config_map(namespace, "large", a="x" * 900_000))
        await kube.create(config_map(namespace, "small", a="1"))
        seen = {}
        async for event, body in kube.watch(CONFIG_MAP, namespace, timeout_seconds=2, label_selector="test=kube"):
            if event != "BOOKMARK":
                seen[body["metadata"]["name"]] = len(body["data"]["a"])
        assert seen == {"large": 900_000, "small": 1}


async def test_a_list_can_leave_out_what_makes_objects_large(cluster: Cluster, namespace: str) -> None:
    async with await connect(cluster) as kube:
        await kube.create(config_map(namespace, a="x" * 1000))
        (listed,) = await kube.list(CONFIG_MAP, namespace, label_selector="test=kube", metadata_only=True)
        assert (listed["kind"], listed["metadata"]["name"]) == ("ConfigMap", "one")
        assert "data" not in listed
