"""An API server and a Vault in memory, exact in what matters here: resourceVersions, check-and-set, and crashes.

Every call may be made to crash, before or after it took effect, as a SIGKILL or a lost answer would.
"""

import copy
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from prometheus_client import CollectorRegistry

from headgate_api.clock import ManualClock
from headgate_api.reasons import ConditionReason, ConditionType
from headgate_api.redaction import Redactor
from headgate_api.report import CredentialObservation, FallbackObservation
from headgate_api.resources.base import Observation
from headgate_api.resources.limits import LimitObservation
from headgate_api.snapshot import AccountEntry, ProviderEntry
from headgate_operator.account.reconciler import AccountReconciler
from headgate_operator.credentials.executor import Executor
from headgate_operator.credentials.metrics import CredentialMetrics
from headgate_operator.credentials.store import KeyValue, Store
from headgate_operator.engine.keys import Key
from headgate_operator.limits.known import KnownLimits
from headgate_operator.provider.reconciler import ProviderReconciler
from headgate_operator.revisions.guards import Guards
from headgate_operator.revisions.held import Held
from headgate_operator.revisions.standing import Standing
from headgate_operator.revisions.store import RevisionStore
from headgate_runtime.kube import Kube, KubeError
from headgate_runtime.kube_kinds import Kind, kind_of
from headgate_runtime.vault import CasMismatch, VaultCause, VaultRecord, VaultUnavailable

from .objects import NS, START, fleet


class Crash(BaseException):
    """The process is gone."""


@dataclass
class Faults:
    """Crashes the n-th call of an adapter (counted from 1), before it takes effect or after."""

    at: int | None = None
    when: Literal["before", "after"] = "before"
    calls: int = 0

    def before(self) -> None:
        self.calls += 1
        if self.calls == self.at and self.when == "before":
            raise Crash

    def after(self) -> None:
        if self.calls == self.at and self.when == "after":
            raise Crash


@dataclass
class MemoryVault:
    """KV v2 with check-and-set; ``away`` makes every call fail as an unreachable Vault does."""

    faults: Faults
    versions: dict[str, list[dict[str, Any] | None]] = field(default_factory=dict)
    away: VaultCause | None = None
    written: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def latest(self, path: str) -> dict[str, Any] | None:
        return (self.versions.get(path) or [None])[-1]

    def put(self, path: str, data: dict[str, Any] | None) -> None:
        self.versions.setdefault(path, []).append(data)

    def _call(self) -> None:
        self.faults.before()
        if self.away is not None:
            raise VaultUnavailable(self.away)

    async def read(self, path: str, version: int | None = None) -> VaultRecord | None:
        self._call()
        kept = self.versions.get(path, [])
        number = version or len(kept)
        data = kept[number - 1] if 0 < number <= len(kept) else None
        self.faults.after()
        return VaultRecord(copy.deepcopy(data), number) if data is not None else None

    async def read_for_update(self, path: str) -> tuple[VaultRecord | None, int]:
        return await self.read(path), len(self.versions.get(path, []))

    async def write(self, path: str, data: Mapping[str, Any], *, cas: int) -> int:
        self._call()
        kept = self.versions.setdefault(path, [])
        if len(kept) != cas:
            raise CasMismatch("another version")
        kept.append(json.loads(json.dumps(data)))
        self.written.append((path, dict(data)))
        self.faults.after()
        return len(kept)

    async def delete(self, path: str) -> None:
        self._call()
        self.versions.pop(path, None)
        self.faults.after()

    async def readable_versions(self, path: str) -> tuple[int, ...]:
        self._call()
        found = tuple(n for n, data in enumerate(self.versions.get(path, []), 1) if data is not None)
        self.faults.after()
        return found

    async def destroy(self, path: str, versions: Iterable[int]) -> None:
        self._call()
        for version in versions:
            self.versions[path][version - 1] = None
        self.faults.after()

    async def list(self, path: str) -> tuple[str, ...]:
        self._call()
        below = sorted(kept.removeprefix(f"{path}/") for kept in self.versions if kept.startswith(f"{path}/"))
        self.faults.after()
        return tuple(below)


class MemoryKube:
    """The objects of one cluster."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._version = 0
        self.objects: dict[tuple[str, str, str], dict[str, Any]] = {}

    def put(self, body: dict[str, Any]) -> None:
        """Create or replace an object as a person would: generation and resourceVersion move on."""
        key = (body["kind"], body["metadata"]["namespace"], body["metadata"]["name"])
        old = self.objects.get(key, {"metadata": {}})
        body = copy.deepcopy(body)
        for kept in ("finalizers", "deletionTimestamp"):
            if kept in old["metadata"]:
                body["metadata"].setdefault(kept, old["metadata"][kept])
        if "status" in old:
            body.setdefault("status", old["status"])
        body["metadata"] |= {"uid": f"uid-{key[2]}", "generation": old["metadata"].get("generation", 0) + 1}
        self.objects[key] = body
        self._touch(body)

    def mark_deleted(self, key: Key) -> None:
        body = self.objects[key.kind, key.namespace, key.name]
        body["metadata"]["deletionTimestamp"] = "2026-11-01T12:00:00Z"
        self._touch(body)
        self._collect()

    def find(self, kind: str, name: str) -> dict[str, Any] | None:
        return self.objects.get((kind, NS, name))

    async def get(self, kind: Kind, namespace: str, name: str) -> dict[str, Any] | None:
        self._faults.before()
        return copy.deepcopy(self.objects.get((kind.kind, namespace, name)))

    async def list(self, kind: Kind, namespace: str, *, label_selector: str | None = None) -> list[dict[str, Any]]:
        self._faults.before()
        return [copy.deepcopy(b) for (k, n, _), b in sorted(self.objects.items()) if (k, n) == (kind.kind, namespace)]

    async def json_patch(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        operations: Sequence[Mapping[str, Any]],
        *,
        subresource: str | None = None,
    ) -> dict[str, Any]:
        self._faults.before()
        body = self.objects.get((kind.kind, namespace, name))
        if body is None:
            raise KubeError(404, "NotFound", "gone")
        changed = copy.deepcopy(body)
        for operation in operations:
            *parents, last = operation["path"].strip("/").split("/")
            target = changed
            for parent in parents:
                target = target[parent]
            if operation["op"] == "test" and target.get(last) != operation["value"]:
                raise KubeError(422, "Invalid", "test failed")
            if operation["op"] == "add":
                target[last] = operation["value"]
            if operation["op"] == "remove":
                del target[last]
        self.objects[kind.kind, namespace, name] = changed
        self._touch(changed)
        self._collect()
        self._faults.after()
        return changed

    async def apply_status(self, body: Mapping[str, Any]) -> dict[str, Any]:
        self._faults.before()
        kind, metadata = kind_of(body), body["metadata"]
        found = self.objects.get((kind.kind, metadata["namespace"], metadata["name"]))
        if found is None:
            raise KubeError(404, "NotFound", "gone")
        found["status"] = copy.deepcopy(body["status"])
        self._touch(found)
        self._faults.after()
        return found

    def _touch(self, body: dict[str, Any]) -> None:
        self._version += 1
        body["metadata"]["resourceVersion"] = str(self._version)

    def _collect(self) -> None:
        for key, body in list(self.objects.items()):
            if body["metadata"].get("deletionTimestamp") and not body["metadata"].get("finalizers"):
                del self.objects[key]


@dataclass
class Told:
    """Events posted, and what the proxies are said to report."""

    events: list[tuple[str, str, str]] = field(default_factory=list)
    active: list[FallbackObservation] = field(default_factory=list)
    verdicts: dict[tuple[str, int], CredentialObservation] = field(default_factory=dict)
    known: KnownLimits | None = None

    async def emit(self, regarding: Any, type_: str, reason: str, action: str, message: str) -> None:
        self.events.append((type_, reason, message))

    def programmed(self, key: Key, entry: ProviderEntry | AccountEntry) -> Observation:
        return Observation(ConditionType.PROGRAMMED, True, ConditionReason.PROGRAMMED, "all proxies")

    def fallbacks(self, key: Key) -> Sequence[FallbackObservation]:
        return self.active

    def verdict(self, path: str, version: int) -> CredentialObservation | None:
        return self.verdicts.get((path, version))

    def limits(self, path: str, grant: str) -> LimitObservation | None:
        return self.known.of(path, grant) if self.known is not None else None

    def remember(self, seen: LimitObservation) -> None:
        if self.known is not None:
            self.known.observe(seen)


class World:
    """Everything an operator works with. ``vault`` is the memory's unless a real one is given."""

    def __init__(self, vault: KeyValue | None = None) -> None:
        self.faults = Faults()
        self.kube = MemoryKube(self.faults)
        self.vault = MemoryVault(self.faults)
        self._kv: KeyValue = vault or self.vault
        self.clock = ManualClock(START)
        self.told = Told()
        self.redactor = Redactor()
        self.kube.put(fleet())

    async def reconcile(self, key: Key) -> float | None:
        """Reconcile as a freshly started operator."""
        kube = cast("Kube", self.kube)
        store = Store(self._kv)
        executor = Executor(kube, store, self.told, self.clock, CredentialMetrics(CollectorRegistry()))
        revisions = RevisionStore(kube, lambda: None)
        guards = Guards(kube, revisions, Standing(kube, "headgate-system"), "headgate-system")
        if key.kind == "LLMProvider":
            provider = ProviderReconciler(
                kube,
                store,
                executor,
                self.told,
                self.redactor,
                guards,
                Held(kube, guards, revisions),
                fleet_namespace="headgate-system",
            )
            return await provider.reconcile(key)
        return await AccountReconciler(kube, store, executor, self.told, self.redactor, guards).reconcile(key)

    def condition(self, key: Key, type_: str) -> tuple[str, str, str]:
        """Return (status, reason, message) of a condition."""
        body = self.kube.objects[key.kind, key.namespace, key.name]
        (found,) = (c for c in body["status"]["conditions"] if c["type"] == type_)
        return found["status"], found["reason"], found["message"]

    def status(self, key: Key) -> dict[str, Any]:
        return cast("dict[str, Any]", self.kube.objects[key.kind, key.namespace, key.name]["status"])
