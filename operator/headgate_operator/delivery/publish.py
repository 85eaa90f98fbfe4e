"""Carries a snapshot to where proxies look: chunks first, then the head that names them; old chunks go much later.

Proxies that saw the head before it changed may still be reading its chunks, hence the wait before they are deleted.
"""

import base64
import contextlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from headgate_api import names
from headgate_api.snapshot import CHUNK_KEY, HEAD_KEY, Head, SnapshotError, parse_head
from headgate_operator.fleet.manifests import common_labels, owner_of
from headgate_runtime.kube import Conflict, Kube, Object, unchanged_since
from headgate_runtime.kube_kinds import CONFIG_MAP

UNUSED_SECONDS: Final = 600.0
CHUNK_SELECTOR: Final = f"{names.LABEL_CHUNK}=true"
HEAD_SELECTOR: Final = f"{names.LABEL_FLEET},!{names.LABEL_CHUNK}"
_UNUSED_SINCE: Final = f"{names.GROUP}/unused-since"


def chunk_manifest(digest: str, data: bytes, fleet: Mapping[str, Any]) -> Object:
    """Return the immutable ConfigMap of one chunk (``data``: gzip); fleets that use it later own it too."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": names.chunk_name(digest),
            "namespace": fleet["metadata"]["namespace"],
            "labels": common_labels(fleet) | {names.LABEL_CHUNK: "true"},
            "ownerReferences": [_user_of(fleet)],
        },
        "immutable": True,
        "binaryData": {CHUNK_KEY: base64.b64encode(data).decode()},
    }


def _user_of(fleet: Mapping[str, Any]) -> Object:
    """Return an ownerReference without ``controller``: a chunk may have several owners, and outlives all but the last."""
    return {key: value for key, value in owner_of(fleet).items() if key != "controller"}


def head_manifest(head: Head, fleet: Mapping[str, Any]) -> Object:
    """Return the ConfigMap that is the head of a fleet's snapshot."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": names.head_name(fleet["metadata"]["name"]),
            "namespace": fleet["metadata"]["namespace"],
            "labels": common_labels(fleet),
            "ownerReferences": [owner_of(fleet)],
        },
        "data": {HEAD_KEY: head.to_json()},
    }


def head_in(config_map: Mapping[str, Any] | None) -> Head | None:
    """Return the head that a ConfigMap holds, or None when there is none or it is of no use."""
    if config_map is None:
        return None
    try:
        return parse_head((config_map.get("data") or {})[HEAD_KEY])
    except (KeyError, SnapshotError):
        return None


async def publish(
    kube: Kube,
    fleet: Mapping[str, Any],
    head: Head,
    chunks: Mapping[str, bytes],
    *,
    standing: Object | None,
    thorough: bool = True,
) -> bool:
    """Write what is missing, and the head where it differs from the ConfigMap ``standing``; tell whether it changed.

    ``thorough`` False: what the head that stands names is taken to be there. Raises KubeError, Conflict.
    """
    namespace = fleet["metadata"]["namespace"]
    before = head_in(standing) if standing is not None and _is_owned_by(standing, fleet) else None
    unsure = [digest for digest in head.chunks if thorough or before is None or digest not in before.chunks]
    there = {item["metadata"]["name"]: item for item in await _chunks(kube, namespace)} if unsure else {}
    for digest in unsure:
        manifest = chunk_manifest(digest, chunks[digest], fleet)
        item = there.get(manifest["metadata"]["name"])
        if item is None:
            with contextlib.suppress(Conflict):  # another writer, the same content
                await kube.create(manifest)
        elif not _is_owned_by(item, fleet):
            await _own_too(kube, item, fleet)
    wanted = head_manifest(head, fleet)
    if before == head:
        return False
    if standing is not None:  # a head written meanwhile by a newer leader is not replaced
        wanted["metadata"]["resourceVersion"] = standing["metadata"]["resourceVersion"]
    await kube.apply(wanted)
    return True


def _is_owned_by(item: Mapping[str, Any], fleet: Mapping[str, Any]) -> bool:
    return any(o.get("uid") == fleet["metadata"]["uid"] for o in item["metadata"].get("ownerReferences") or ())


async def _own_too(kube: Kube, item: Mapping[str, Any], fleet: Mapping[str, Any]) -> None:
    """Keep a chunk that another fleet (or a deleted one of this name) made from going with that fleet."""
    metadata = item["metadata"]
    owners = [{k: v for k, v in o.items() if k != "controller"} for o in metadata.get("ownerReferences") or ()]
    operations = [
        unchanged_since(metadata["resourceVersion"]),
        {"op": "add", "path": "/metadata/ownerReferences", "value": [*owners, _user_of(fleet)]},
    ]
    await kube.json_patch(CONFIG_MAP, metadata["namespace"], metadata["name"], operations)


async def collect(kube: Kube, namespace: str, now: datetime) -> None:
    """Delete chunks that no head of the namespace has named for ten minutes; mark those that have become unused."""
    heads = [head_in(item) for item in await kube.list(CONFIG_MAP, namespace, label_selector=HEAD_SELECTOR)]
    used = {names.chunk_name(digest) for head in heads if head is not None for digest in head.chunks}
    for action, item in plan_collection(await _chunks(kube, namespace), used, now):
        metadata = item["metadata"]
        if action == "delete":
            await kube.delete(CONFIG_MAP, namespace, metadata["name"], uid=metadata["uid"])
            continue
        annotations = {**(metadata.get("annotations") or {})}
        if action == "mark":
            annotations[_UNUSED_SINCE] = now.isoformat()
        else:
            annotations.pop(_UNUSED_SINCE, None)
        operations = [
            unchanged_since(metadata["resourceVersion"]),
            {"op": "add", "path": "/metadata/annotations", "value": annotations},
        ]
        await kube.json_patch(CONFIG_MAP, namespace, metadata["name"], operations)


def plan_collection(
    chunks: Iterable[Mapping[str, Any]], used: "set[str]", now: datetime
) -> Sequence[tuple[str, Mapping[str, Any]]]:
    """Return (``mark`` | ``unmark`` | ``delete``, chunk) for each chunk whose state must change."""
    plan: list[tuple[str, Mapping[str, Any]]] = []
    for item in chunks:
        since = (item["metadata"].get("annotations") or {}).get(_UNUSED_SINCE)
        if item["metadata"]["name"] in used:
            if since is not None:
                plan.append(("unmark", item))
        elif since is None:
            plan.append(("mark", item))
        elif (now - datetime.fromisoformat(since)).total_seconds() >= UNUSED_SECONDS:
            plan.append(("delete", item))
    return plan


async def _chunks(kube: Kube, namespace: str) -> "list[Object]":
    return await kube.list(CONFIG_MAP, namespace, label_selector=CHUNK_SELECTOR, metadata_only=True)
