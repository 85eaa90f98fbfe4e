"""Holds what the snapshot points to; reads what is new, keeps what was good until then, and forgets what is gone.

Requests only look into memory (``get``). ``prepare`` is called before a snapshot is put into use, so that its new
credentials are there when the first request wants them; ``retire`` afterwards.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Protocol

from headgate_api.clock import Clock
from headgate_api.redaction import Redactor
from headgate_api.snapshot import CredentialPointer
from headgate_proxy.backoff import Backoff
from headgate_proxy.credentials.kept import KeptCredentials
from headgate_proxy.credentials.records import Entry, RecordError, entry_of, successor
from headgate_proxy.selection.states import Held
from headgate_runtime.logs import describe
from headgate_runtime.vault import VaultDenied, VaultError, VaultRecord, VaultSession

_FIRST_RETRY_SECONDS: Final = 0.5
_LONGEST_RETRY_SECONDS: Final = 15.0
_READS: Final = 4
"""Concurrent reads: as many as the Vault facade has threads."""
_SESSION_LOOK_SECONDS: Final = 10.0

_log = logging.getLogger(__name__)


class Reader(Protocol):
    """The part of the Vault facade that is used here."""

    @property
    def session(self) -> VaultSession | None:
        """Return the present Vault session."""

    def restore(self, session: VaultSession) -> None:
        """Go on with a session from before a restart."""

    async def read(self, path: str, version: int | None = None) -> VaultRecord | None:
        """Read one version of a record (the newest without ``version``); None when there is none."""


class CredentialStore:
    """The credentials in memory. ``restore`` once, ``run`` for ever; everything on one event loop."""

    def __init__(
        self,
        vault: Reader,
        kept: KeptCredentials,
        redactor: Redactor,
        clock: Clock,
        *,
        failed: Callable[[str], None],
    ) -> None:
        """``failed`` is called with a CamelCase reason for every failure (a metric)."""
        self._vault = vault
        self._kept = kept
        self._redactor = redactor
        self._clock = clock
        self._failed = failed
        self._entries: dict[str, Entry] = {}
        self._read_at: dict[str, float] = {}
        self._wanted: dict[str, CredentialPointer] = {}
        self._problems: dict[str, str] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._rereads: dict[str, asyncio.Future[None]] = {}
        self._slots = asyncio.Semaphore(_READS)
        self._group: asyncio.TaskGroup | None = None
        self._saved_session: VaultSession | None = None
        self._ever = False

    # -- what requests see -------------------------------------------------------------------------------------------------

    def get(self, pointer: CredentialPointer) -> Held | None:
        """Return what is held for the pointer's path; its version is the previous one while a new one is being read."""
        entry = self._entries.get(pointer.path)
        return None if entry is None else entry.held

    async def reread(self, pointer: CredentialPointer) -> Held | None:
        """After a 401: look in Vault for the pointer's version, or a refresh of the same grant; single-flight per path.

        Returns what is held afterwards. Bounded by the Vault facade's deadline; raises nothing.
        """
        path = pointer.path
        under_way = self._rereads.get(path)
        if under_way is None:
            done = asyncio.get_running_loop().create_future()
            self._rereads[path] = done
            try:
                await self._reread(pointer)
            finally:
                del self._rereads[path]
                done.set_result(None)
        else:
            await asyncio.shield(under_way)
        return self.get(pointer)

    # -- what readiness and metrics see ------------------------------------------------------------------------------------

    @property
    def usable(self) -> bool:
        """Tell whether anything was ever loaded, or nothing is wanted: a pod without Vault has not, and stays unready."""
        return self._ever or not self._wanted

    @property
    def missing(self) -> Mapping[str, str]:
        """Return the paths for which the wanted version is not held, each with the reason as ``Reason: sentence``."""
        return {
            path: self._problems.get(path, "Reading: not read from Vault yet")
            for path, pointer in self._wanted.items()
            if not self._holds(pointer)
        }

    def ages(self) -> Mapping[str, float]:
        """Return seconds since each credential was last read from Vault (or restored), by path."""
        now = self._clock.monotonic()
        return {path: now - at for path, at in self._read_at.items()}

    # -- following the snapshot --------------------------------------------------------------------------------------------

    def restore(self) -> None:
        """Take up the credentials and the Vault session kept before a restart."""
        for entry in self._kept.load():
            self._put(entry)
        session = self._kept.load_session()
        if session is not None:
            self._vault.restore(session)
            self._saved_session = session

    async def prepare(self, pointers: Iterable[CredentialPointer], timeout_seconds: float) -> None:
        """Begin to read what is not held, and wait for it, but no longer than the timeout; the rest is read later.

        Before ``run``, this only notes what is wanted.
        """
        started = []
        for pointer in pointers:
            known = self._wanted.get(pointer.path)
            self._wanted[pointer.path] = pointer
            if known != pointer and (task := self._tasks.pop(pointer.path, None)) is not None:
                task.cancel()
            rolled_back = known is not None and pointer.version < known.version
            if (
                self._group is not None
                and pointer.path not in self._tasks
                and (rolled_back or not self._holds(pointer))
            ):
                started.append(self._start(self._group, pointer))
        if started:
            await asyncio.wait(started, timeout=timeout_seconds)

    def retire(self, pointers: Iterable[CredentialPointer]) -> None:
        """Forget everything that none of these points to."""
        paths = {pointer.path for pointer in pointers}
        for path in (self._wanted.keys() | self._entries.keys()) - paths:
            self._wanted.pop(path, None)
            self._entries.pop(path, None)
            self._read_at.pop(path, None)
            self._problems.pop(path, None)
            if (task := self._tasks.pop(path, None)) is not None:
                task.cancel()
        try:
            self._kept.keep_only(paths)
        except OSError as error:
            self._unwritable(error)

    async def run(self) -> None:
        """Carry the reads until cancelled; what was prepared before is read first."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for pointer in self._wanted.values():
                if not self._holds(pointer):
                    self._start(group, pointer)
            while True:
                self._keep_session()
                await asyncio.sleep(_SESSION_LOOK_SECONDS)

    # -- inside ------------------------------------------------------------------------------------------------------------

    def _holds(self, pointer: CredentialPointer) -> bool:
        entry = self._entries.get(pointer.path)
        if entry is None:
            return False
        refreshed = entry.grant_id is not None and entry.held.version > pointer.version
        return entry.held.version == pointer.version or refreshed

    def _start(self, group: asyncio.TaskGroup, pointer: CredentialPointer) -> asyncio.Task[None]:
        task = group.create_task(self._fetch(pointer), name=f"read {pointer.path}")
        self._tasks[pointer.path] = task
        task.add_done_callback(lambda done: self._ended(pointer.path, done))
        return task

    def _ended(self, path: str, task: asyncio.Task[None]) -> None:
        if self._tasks.get(path) is task:
            del self._tasks[path]

    async def _fetch(self, pointer: CredentialPointer) -> None:
        """Read until it is there; whoever changes his mind cancels."""
        backoff = Backoff(_FIRST_RETRY_SECONDS, _LONGEST_RETRY_SECONDS)
        while True:
            if await self._read(pointer.path, pointer.version, _anything):
                return
            await asyncio.sleep(backoff.delay())

    async def _reread(self, pointer: CredentialPointer) -> None:
        if not self._holds(pointer):
            await self._read(pointer.path, pointer.version, _anything)
        elif (entry := self._entries.get(pointer.path)) is not None and entry.grant_id is not None:
            await self._read(pointer.path, None, successor)

    async def _read(self, path: str, version: int | None, wanted: Callable[[Entry | None, Entry], bool]) -> bool:
        try:
            async with self._slots:
                record = await self._vault.read(path, version)
            if record is None:
                raise RecordError(f"Vault has no version {version or 'at all'} of {path}")
            entry = entry_of(path, record.version, record.data)
        except (VaultError, RecordError) as error:
            self._trouble(path, error)
            return False
        self._keep_session()
        if wanted(self._entries.get(path), entry):
            self._put(entry)
            try:
                self._kept.save(entry)
            except OSError as error:
                self._unwritable(error)
        return True

    def _put(self, entry: Entry) -> None:
        path = entry.held.path
        self._redactor.remember(entry.held.secret)
        self._entries[path] = entry
        self._read_at[path] = self._clock.monotonic()
        self._problems.pop(path, None)
        self._ever = True

    def _keep_session(self) -> None:
        session = self._vault.session
        if session is None or session is self._saved_session:
            return
        try:
            self._kept.save_session(session)
        except OSError as error:
            self._unwritable(error)
        self._saved_session = session

    def _trouble(self, path: str, error: Exception) -> None:
        reason = {VaultDenied: "VaultDenied", RecordError: "RecordInvalid"}.get(type(error), "VaultUnavailable")
        self._failed(reason)
        problem = f"{reason}: {self._redactor.redact(str(error))}"
        if self._problems.get(path) != problem:
            _log.warning("a credential could not be read", extra={"reason": reason, "path": path, "problem": problem})
        self._problems[path] = problem

    def _unwritable(self, error: OSError) -> None:
        self._failed("StateDirUnwritable")
        _log.warning("credentials could not be kept for a restart", extra={"problem": describe(self._redactor, error)})


def _anything(_current: Entry | None, _newest: Entry) -> bool:
    return True
