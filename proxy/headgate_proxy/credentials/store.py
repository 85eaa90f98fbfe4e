"""Holds what the snapshot points to; reads what is new, keeps what was good until then, and forgets what is gone.

Requests only look into memory (``get``). ``prepare`` is called before a snapshot is put into use, so that its new
credentials are there when the first request wants them; ``retire`` afterwards. Credentials are kept by pointer, not by path:
while a rollout lasts, the stable and the candidate form of an object may name two versions of one record.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Protocol

from headgate_api.clock import Clock
from headgate_api.redaction import Redactor
from headgate_api.snapshot import CredentialPointer
from headgate_proxy.backoff import Backoff
from headgate_proxy.credentials.inheritance import Key, Retired, key_of, legacy
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
        self._entries: dict[Key, Entry] = {}
        self._standing_in: dict[Key, Key] = {}
        self._retired = Retired()
        self._read_at: dict[Key, float] = {}
        self._wanted: dict[Key, CredentialPointer] = {}
        self._problems: dict[Key, str] = {}
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._rereads: dict[Key, asyncio.Future[None]] = {}
        self._slots = asyncio.Semaphore(_READS)
        self._group: asyncio.TaskGroup | None = None
        self._saved_session: VaultSession | None = None
        self._ever = False

    # -- what requests see -------------------------------------------------------------------------------------------------

    def get(self, pointer: CredentialPointer) -> Held | None:
        """Return what is held for the pointer; while it is being read, what the pointer that it replaced had.

        For a pointer that was replaced meanwhile: what has become of its grant.
        """
        key = (pointer.path, pointer.version)
        entry = self._entries.get(key)
        if entry is None and (other := self._other(key)) is not None:
            entry = self._entries.get(other)
        return None if entry is None else entry.held

    async def reread(self, pointer: CredentialPointer) -> Held | None:
        """After a 401: look in Vault for the pointer's version, or a refresh of the same grant; single-flight per pointer.

        Returns what is held afterwards. Bounded by the Vault facade's deadline; raises nothing.
        """
        key = key_of(pointer)
        if key not in self._wanted:  # a request that began under an earlier snapshot
            key = self._retired.successor(key, self._entries) or key
        under_way = self._rereads.get(key)
        if under_way is None:
            done = asyncio.get_running_loop().create_future()
            self._rereads[key] = done
            try:
                await self._reread(key)
            finally:
                del self._rereads[key]
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
    def missing(self) -> Mapping[CredentialPointer, str]:
        """Return the wanted credentials that are not held, each with the reason as ``Reason: sentence``."""
        return {
            pointer: self._problems.get(key, "Reading: not read from Vault yet")
            for key, pointer in self._wanted.items()
            if key not in self._entries
        }

    def ages(self) -> Mapping[Key, float]:
        """Return seconds since each credential was last read from Vault (or restored), by path and version."""
        now = self._clock.monotonic()
        return {key: now - at for key, at in self._read_at.items()}

    # -- following the snapshot --------------------------------------------------------------------------------------------

    def restore(self) -> None:
        """Take up the credentials and the Vault session kept before a restart."""
        for key, entry in self._kept.load():
            self._put(key, entry)
        session = self._kept.load_session()
        if session is not None:
            self._vault.restore(session)
            self._saved_session = session

    async def prepare(self, pointers: Iterable[CredentialPointer], timeout_seconds: float) -> None:
        """Begin to read what is not held, and wait for it, but no longer than the timeout; the rest is read later.

        ``pointers`` are all that the new snapshot names. Before ``run``, this only notes what is wanted.
        """
        wanted = {key_of(pointer): pointer for pointer in pointers}
        for key, found in legacy(wanted, self._wanted.keys(), self._entries).items():
            if found.serves:
                self._put(key, self._entries[found.key])
                self._keep(key)
            else:
                self._standing_in[key] = found.key
        self._wanted |= wanted
        started = [
            self._start(self._group, pointer)
            for key, pointer in wanted.items()
            if self._group is not None and key not in self._tasks and key not in self._entries
        ]
        if started:
            await asyncio.wait(started, timeout=timeout_seconds)

    def retire(self, pointers: Iterable[CredentialPointer]) -> None:
        """Forget everything that none of these points to."""
        self._wanted = {key_of(pointer): pointer for pointer in pointers}
        for key in self._tasks.keys() - self._wanted.keys():
            self._tasks.pop(key).cancel()
        self._standing_in = {key: other for key, other in self._standing_in.items() if key in self._wanted}
        self._sweep()

    async def run(self) -> None:
        """Carry the reads until cancelled; what was prepared before is read first."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for key, pointer in self._wanted.items():
                if key not in self._entries:
                    self._start(group, pointer)
            while True:
                self._keep_session()
                await asyncio.sleep(_SESSION_LOOK_SECONDS)

    # -- inside ------------------------------------------------------------------------------------------------------------

    def _other(self, key: Key) -> Key | None:
        """Return what stands in for a pointer that is to be read still, or has followed one that is wanted no more."""
        return self._standing_in.get(key) or self._retired.successor(key, self._entries)

    def _sweep(self) -> None:
        """Forget, in memory and on disk, what is neither wanted nor stands in for what is."""
        kept = self._wanted.keys() | set(self._standing_in.values())
        for key in self._entries.keys() - kept:
            self._retired.add(key, self._entries.pop(key))
            self._read_at.pop(key, None)
        for key in self._problems.keys() - kept:
            del self._problems[key]
        try:
            self._kept.keep_only(kept)
        except OSError as error:
            self._unwritable(error)

    def _start(self, group: asyncio.TaskGroup, pointer: CredentialPointer) -> asyncio.Task[None]:
        key = key_of(pointer)
        task = group.create_task(self._fetch(key), name=f"read {pointer.path}")
        self._tasks[key] = task
        task.add_done_callback(lambda done: self._ended(key, done))
        return task

    def _ended(self, key: Key, task: asyncio.Task[None]) -> None:
        if self._tasks.get(key) is task:
            del self._tasks[key]

    async def _fetch(self, key: Key) -> None:
        """Read until it is there; whoever changes his mind cancels."""
        backoff = Backoff(_FIRST_RETRY_SECONDS, _LONGEST_RETRY_SECONDS)
        while True:
            if await self._read(key, key[1], _anything):
                return
            await asyncio.sleep(backoff.delay())

    async def _reread(self, key: Key) -> None:
        entry = self._entries.get(key)
        if entry is None and key in self._wanted:
            await self._read(key, key[1], _anything)
        elif entry is not None and entry.grant_id is not None:
            await self._read(key, None, successor)

    async def _read(self, key: Key, version: int | None, fits: Callable[[Entry | None, Entry], bool]) -> bool:
        path = key[0]
        try:
            async with self._slots:
                record = await self._vault.read(path, version)
            if record is None:
                raise RecordError(f"Vault has no version {version or 'at all'} of {path}")
            entry = entry_of(path, record.version, record.data)
        except (VaultError, RecordError) as error:
            self._trouble(key, error)
            return False
        self._keep_session()
        if fits(self._entries.get(key), entry):
            self._put(key, entry)
            self._keep(key)
            if self._standing_in.pop(key, None) is not None:
                self._sweep()
        return True

    def _put(self, key: Key, entry: Entry) -> None:
        self._redactor.remember(entry.held.secret)
        self._entries[key] = entry
        self._read_at[key] = self._clock.monotonic()
        self._problems.pop(key, None)
        self._ever = True

    def _keep(self, key: Key) -> None:
        try:
            self._kept.save(key, self._entries[key])
        except OSError as error:
            self._unwritable(error)

    def _keep_session(self) -> None:
        session = self._vault.session
        if session is None or session is self._saved_session:
            return
        try:
            self._kept.save_session(session)
        except OSError as error:
            self._unwritable(error)
        self._saved_session = session

    def _trouble(self, key: Key, error: Exception) -> None:
        reason = {VaultDenied: "VaultDenied", RecordError: "RecordInvalid"}.get(type(error), "VaultUnavailable")
        self._failed(reason)
        problem = f"{reason}: {self._redactor.redact(str(error))}"
        if self._problems.get(key) != problem:
            _log.warning("a credential could not be read", extra={"reason": reason, "path": key[0], "problem": problem})
        self._problems[key] = problem

    def _unwritable(self, error: OSError) -> None:
        self._failed("StateDirUnwritable")
        _log.warning("credentials could not be kept for a restart", extra={"problem": describe(self._redactor, error)})


def _anything(_current: Entry | None, _newest: Entry) -> bool:
    return True
