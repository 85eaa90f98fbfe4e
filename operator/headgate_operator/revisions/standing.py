"""What is served at present: the snapshot that a fleet's head names, read back from its chunks.

An object that a policy has just begun to name keeps being served as it was, and that form becomes its stable one: whatever
its spec says by now has not been approved.
"""

import base64
import binascii
from collections.abc import Iterable

from headgate_api import names
from headgate_api.revisions import ProviderBundle
from headgate_api.snapshot import CHUNK_KEY, AccountForm, Head, ProviderForm, Snapshot, SnapshotError, unpack
from headgate_operator.delivery.publish import head_in
from headgate_operator.revisions.bundles import Form, content_of
from headgate_runtime.kube import Kube
from headgate_runtime.kube_kinds import CONFIG_MAP


class Standing:
    """Reads published snapshots; the last one of each fleet (by name) stays in memory under its revision."""

    def __init__(self, kube: Kube, namespace: str) -> None:
        self._kube = kube
        self._namespace = namespace
        self._cached: dict[str, tuple[str, Snapshot]] = {}

    async def head(self, fleet: str) -> Head | None:
        """Return the head of a fleet, or None before the first. Raises KubeError, KubeUnavailable."""
        return head_in(await self._kube.get(CONFIG_MAP, self._namespace, names.head_name(fleet)))

    async def snapshot(self, fleet: str) -> Snapshot | None:
        """Return what a fleet's proxies are told to serve; None before the first, or where a chunk is lost."""
        head = await self.head(fleet)
        return await self.of(fleet, head) if head is not None else None

    async def of(self, fleet: str, head: Head) -> Snapshot | None:
        """Return the snapshot that a head names."""
        cached = self._cached.get(fleet)
        if cached is not None and cached[0] == head.revision:
            return cached[1]
        chunks = {}
        for digest in head.chunks:
            body = await self._kube.get(CONFIG_MAP, self._namespace, names.chunk_name(digest))
            data = ((body or {}).get("binaryData") or {}).get(CHUNK_KEY)
            if data is None:
                return None
            try:
                chunks[digest] = base64.b64decode(data, validate=True)
            except binascii.Error:
                return None
        try:
            snapshot = unpack(head, chunks)
        except SnapshotError:
            return None
        self.remember(fleet, head.revision, snapshot)
        return snapshot

    def remember(self, fleet: str, revision: str, snapshot: Snapshot) -> None:
        """Take note of what was just published."""
        self._cached[fleet] = (revision, snapshot)


def served_form(snapshots: Iterable[Snapshot | None], namespace: str, provider: str) -> Form | None:
    """Return the stable form of a provider with its accounts, from the first snapshot that holds one."""
    for snapshot in snapshots:
        form = _provider_in(snapshot, namespace, provider) if snapshot is not None else None
        if snapshot is not None and form is not None:
            bundle = ProviderBundle(provider=form, accounts=_accounts_in(snapshot, namespace, provider))
            return Form(bundle.revision, bundle)
    return None


def _provider_in(snapshot: Snapshot, namespace: str, name: str) -> ProviderForm | None:
    found = next((e.stable for e in snapshot.providers if (e.namespace, e.name) == (namespace, name)), None)
    return found.model_copy(update={"workload_identity": None}) if found is not None else None


def _accounts_in(snapshot: Snapshot, namespace: str, provider: str) -> dict[str, AccountForm]:
    return {
        e.name: content_of(e.stable)
        for e in snapshot.accounts
        if e.namespace == namespace and e.stable is not None and e.stable.spec.provider_ref.name == provider
    }
