"""Writes revisions as ControllerRevisions: create, promote, note, delete; each safe to repeat, none undoing a newer leader's."""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any, Final

from headgate_api import names
from headgate_api.revisions import API_VERSION, CONTROLLER_REVISION, revision_labels, revision_name
from headgate_operator.engine.keys import Key
from headgate_operator.revisions.history import (
    ANNOTATION_GENERATION,
    ANNOTATION_WITHDRAWN,
    History,
    Kept,
    generations_text,
    histories,
)
from headgate_runtime.kube import Conflict, Kube, KubeError, Object, unchanged_since
from headgate_runtime.kube_kinds import CONTROLLER_REVISION as KIND

_SELECTOR: Final = names.LABEL_REVISION_KIND


class RevisionStore:
    """ControllerRevisions at the API server. ``fence`` raises where this process may not write any more."""

    def __init__(self, kube: Kube, fence: Callable[[], None]) -> None:
        self._kube = kube
        self._fence = fence

    async def all(self, namespace: str | None, uids: Mapping[Key, str]) -> dict[Key, History]:
        """Return the histories of the objects in ``uids``, of one namespace or of all. Raises KubeError, KubeUnavailable."""
        return histories(await self._kube.list(KIND, namespace, label_selector=_SELECTOR), uids)

    async def of(self, key: Key, uid: str) -> History:
        """Return the history of one object."""
        selector = f"{names.LABEL_REVISION_KIND}={key.kind},{names.LABEL_REVISION_NAME}={key.name}"
        bodies = await self._kube.list(KIND, key.namespace, label_selector=selector)
        return histories(bodies, {key: uid}).get(key, History())

    async def keep(
        self,
        owner: Mapping[str, Any],
        revision: str,
        data: Mapping[str, Any],
        history: History,
        *,
        number: int = 0,
        generations: Mapping[str, int] | None = None,
    ) -> None:
        """Keep a content revision of an object (given as JSON), unless it is kept. ``number`` 1: as its first stable form."""
        if history.find(revision) is not None:
            return
        body = _manifest(owner, revision, data, number, generations)
        metadata = body["metadata"]
        there = await self._kube.get(KIND, metadata["namespace"], metadata["name"])
        if there is not None:
            if _owner(there) == _owner(body) and _found_by(there) == _found_by(body):
                return
            # Of a former object of this name, whose garbage the cluster has yet to collect; or put there by somebody else,
            # without the labels that only Headgate may set.
            self._fence()
            await self._kube.delete(KIND, metadata["namespace"], metadata["name"], uid=there["metadata"]["uid"])
        self._fence()
        # Applied, not created: apply stores data in the spelling that later patches give it, and a ControllerRevision whose data
        # is spelled otherwise counts as changed. Not by force: what another leader promoted meanwhile keeps its number.
        with contextlib.suppress(Conflict):
            await self._kube.apply(body, force=False)

    async def promote(self, namespace: str, kept: Kept, history: History) -> None:
        """Make a kept revision the stable one. Raises Conflict where it changed since it was read."""
        if history.stable is not None and history.stable.revision == kept.revision:
            return
        await self._patch(namespace, kept, {"op": "replace", "path": "/revision", "value": history.highest + 1})

    async def withdraw(self, namespace: str, kept: Kept, rollout: str) -> None:
        """Mark a candidate as withdrawn, which undoes every promotion of it that was planned before and is yet to be written.

        Raises Conflict where it changed since it was read: it may just have been promoted.
        """
        noted = {} if kept.generations is None else {ANNOTATION_GENERATION: generations_text(kept.generations)}
        value = {**noted, ANNOTATION_WITHDRAWN: rollout}
        await self._patch(namespace, kept, {"op": "add", "path": "/metadata/annotations", "value": value})

    async def note(self, namespace: str, kept: Kept, generations: Mapping[str, int]) -> None:
        """Note which generations carry the content of a kept revision now."""
        if kept.generations == generations:
            return
        value = {ANNOTATION_GENERATION: generations_text(generations)}
        await self._patch(namespace, kept, {"op": "add", "path": "/metadata/annotations", "value": value})

    async def forget(self, namespace: str, kept: Kept) -> None:
        """Delete a kept revision, if it is still the one that was read."""
        self._fence()
        with contextlib.suppress(Conflict):
            await self._kube.delete(KIND, namespace, kept.name, uid=kept.uid)

    async def _patch(self, namespace: str, kept: Kept, change: Mapping[str, Any]) -> None:
        self._fence()
        try:
            await self._kube.json_patch(KIND, namespace, kept.name, [unchanged_since(kept.resource_version), change])
        except KubeError as error:
            if error.status in (404, 422):
                raise Conflict(
                    409, "Conflict", f"ControllerRevision {namespace}/{kept.name} changed meanwhile"
                ) from None
            raise


def _owner(body: Mapping[str, Any]) -> set[str]:
    return {str(o.get("uid")) for o in body["metadata"].get("ownerReferences") or ()}


def _found_by(body: Mapping[str, Any]) -> dict[str, str]:
    labels = body["metadata"].get("labels") or {}
    return {
        name: labels.get(name, "")
        for name in (names.LABEL_REVISION_KIND, names.LABEL_REVISION_NAME, names.LABEL_REVISION)
    }


def _manifest(
    owner: Mapping[str, Any],
    revision: str,
    data: Mapping[str, Any],
    number: int,
    generations: Mapping[str, int] | None,
) -> Object:
    kind, metadata = owner["kind"], owner["metadata"]
    reference = {
        "apiVersion": names.API_VERSION,
        "kind": kind,
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
    }
    made: Object = {
        "apiVersion": API_VERSION,
        "kind": CONTROLLER_REVISION,
        "metadata": {
            "name": revision_name(kind, metadata["name"], revision),
            "namespace": metadata["namespace"],
            "labels": revision_labels(kind, metadata["name"], revision),
            "ownerReferences": [reference],
        },
        "revision": number,
        "data": dict(data),
    }
    if generations is not None:
        made["metadata"]["annotations"] = {ANNOTATION_GENERATION: generations_text(generations)}
    return made
