"""Carries out plans: the only place of the credential reconcilers that changes anything in Vault or the API server."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Final, Protocol

from headgate_api import names
from headgate_api.clock import Clock
from headgate_api.reasons import ConditionReason
from headgate_api.redaction import Redactor
from headgate_operator.credentials.metrics import CredentialMetrics
from headgate_operator.credentials.plan import (
    Action,
    AddFinalizer,
    DeleteRecords,
    DestroyGrant,
    EmptySecret,
    Plan,
    Purge,
    RemoveFinalizer,
    WriteRecord,
)
from headgate_operator.credentials.seams import EventSink
from headgate_operator.credentials.store import Store
from headgate_operator.reading import Unreadable, say_so
from headgate_runtime.kube import Kube, KubeError, Object, kind_of, unchanged_since
from headgate_runtime.kube_kinds import SECRET
from headgate_runtime.vault import CasMismatch, VaultError, VaultUnavailable

STEPS: Final = 16
"""More steps than any plan needs, even with a few writers in the way; past it the queue's back-off takes over."""


class Unsettled(Exception):  # noqa: N818 - a state: others keep changing the object
    """Others changed the object or its records again and again; another try comes after a back-off."""


def _always() -> None:
    """Let every write pass: for a process that is the only one."""


class NotEmptied(Exception):  # noqa: N818 - a state: the API server forbids the patch
    """An imported Secret keeps its content, since the operator may not patch it."""


class Seen(Protocol):
    """An observation of one object."""

    @property
    def body(self) -> Object:
        """The object as the API server returned it."""


class Executor:
    """Observes, plans and acts until nothing is left to do."""

    def __init__(
        self,
        kube: Kube,
        store: Store,
        events: EventSink,
        clock: Clock,
        metrics: CredentialMetrics,
        fence: Callable[[], None] = _always,
        redactor: Redactor | None = None,
    ) -> None:
        """``fence`` raises where this process may not write any more; ``redactor`` masks what conditions say."""
        self._fence = fence
        self._redactor = redactor or Redactor()
        self._kube = kube
        self._store = store
        self._events = events
        self._clock = clock
        self._metrics = metrics

    async def settle(
        self,
        observe: Callable[[VaultError | None], Awaitable[Seen | None]],
        plan: Callable[[Any, Any], Plan],
    ) -> float | None:
        """Run an object's plan to its end and return the seconds until the next look.

        ``observe`` gets the error with which Vault refused the last step, so that the plan can say so instead of trying
        again at once. Raises KubeError, KubeUnavailable, Unsettled.
        """
        trouble: VaultError | None = None
        what = "the object"
        for _ in range(STEPS):
            seen = await observe(trouble)
            if seen is None:
                return None
            what = f"{seen.body['kind']} {seen.body['metadata']['namespace']}/{seen.body['metadata']['name']}"
            step = plan(seen, self._clock.now())
            status = self._to_write(seen.body, step)
            if status is not None and not await self._write_status(seen.body, status):
                continue
            if step.action is None:
                await self._tell(seen.body, step)
                return step.requeue
            try:
                done = await self._carry_out(seen.body, step.action)
            except CasMismatch:
                continue
            except NotEmptied as error:
                text = f"the operator may not empty it, so the credential stays in the Secret too: {error}"
                await self._events.emit(seen.body, "Warning", ConditionReason.SECRET_FORBIDDEN, "EmptySecret", text)
                told = tuple(note for note in step.notes if note.action != "EmptySecret")
                await self._tell(seen.body, replace(step, notes=told))
                return step.requeue
            except VaultError as error:
                self.note_trouble(error)
                trouble = error
                continue
            if done:
                await self._tell(seen.body, step)
        raise Unsettled(f"{what} or its records were changed by others on every try")

    def _to_write(self, body: Object, step: Plan) -> Mapping[str, Any] | None:
        """Return the plan's status with its messages redacted, or None when that stands already.

        Messages quote what others wrote: names of keys, endpoints, the API server's answers.
        """
        if step.status is None:
            return None
        conditions = [{**c, "message": self._redactor.redact(c["message"])} for c in step.status.get("conditions", ())]
        status = {**step.status, "conditions": conditions}
        return None if status == body.get("status") else status

    async def refuse(self, unreadable: Unreadable) -> None:
        """Say on an object that cannot be read what is wrong with it. Raises KubeError, KubeUnavailable."""
        self._fence()
        if await say_so(self._kube, unreadable, self._clock.now()):
            body = unreadable.body
            await self._events.emit(body, "Warning", ConditionReason.SPEC_INVALID, "Read", str(unreadable))

    def note_trouble(self, error: VaultError) -> None:
        """Count a failure of Vault by its cause."""
        self._metrics.vault_failures.labels(error.cause if isinstance(error, VaultUnavailable) else "denied").inc()

    async def _tell(self, body: Object, step: Plan) -> None:
        for note in step.notes:
            await self._events.emit(body, note.type, note.reason, note.action, note.message)

    async def _carry_out(self, body: Object, action: Action) -> bool:
        """Do one step; tell whether it was done (else the object changed meanwhile)."""
        self._fence()
        match action:
            case WriteRecord(path, record, cas):
                await self._store.write(path, record, cas=cas)
                self._metrics.writes.inc()
            case DeleteRecords(paths):
                for path in paths:
                    self._fence()
                    await self._store.delete(path)
            case DestroyGrant(path, grant_id):
                await self._store.destroy_grant(path, grant_id)
            case Purge(path, gone, cas):
                await self._store.destroy_before(path, cas)
                self._fence()
                await self._store.write(path, gone, cas=cas)
            case EmptySecret(ref, resource_version):
                namespace = body["metadata"]["namespace"]
                operations = [unchanged_since(resource_version), {"op": "remove", "path": f"/data/{ref.key}"}]
                try:
                    return await self._unless_changed(self._kube.json_patch(SECRET, namespace, ref.name, operations))
                except KubeError as error:
                    if error.status != 403:
                        raise
                    raise NotEmptied(f"Secret {namespace}/{ref.name}: {error.message}") from None
            case AddFinalizer() | RemoveFinalizer():
                return await self._unless_changed(self._patch_finalizers(body, add=isinstance(action, AddFinalizer)))
        return True

    async def _patch_finalizers(self, body: Object, *, add: bool) -> Object:
        metadata = body["metadata"]
        others = [f for f in metadata.get("finalizers") or () if f != names.FINALIZER]
        change = {"op": "add", "path": "/metadata/finalizers", "value": [*others, names.FINALIZER] if add else others}
        operations = [unchanged_since(metadata["resourceVersion"]), change]
        return await self._kube.json_patch(kind_of(body), metadata["namespace"], metadata["name"], operations)

    async def _write_status(self, body: Object, status: Mapping[str, Any]) -> bool:
        self._fence()
        # With the resourceVersion that was looked at: a status from an older look never replaces one from a newer.
        metadata = {key: body["metadata"][key] for key in ("name", "namespace", "uid", "resourceVersion")}
        applied = {"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": metadata, "status": dict(status)}
        return await self._unless_changed(self._kube.apply_status(applied), statuses=(404, 409))

    @staticmethod
    async def _unless_changed(request: Awaitable[Object], *, statuses: tuple[int, ...] = (404, 409, 422)) -> bool:
        """Return False where the object changed or went away meanwhile; 422 is a JSON Patch whose test failed."""
        try:
            await request
        except KubeError as error:
            if error.status in statuses:
                return False
            raise
        return True
