"""Follows the fleet's head by watch and takes up what it names; what is in use stays until something better is whole.

Each round reads the head and then watches it from there, for at most ``WATCH_SECONDS``: a hung connection, a missed
deletion or a watch cache gone wrong are all noticed by the next round.
"""

import asyncio
import base64
import binascii
import contextlib
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Final, cast

from headgate_api import names
from headgate_api.redaction import Redactor
from headgate_api.snapshot import CHUNK_KEY, HEAD_KEY, Head, SnapshotError, parse_head, unpack
from headgate_proxy.backoff import Backoff
from headgate_proxy.config.kept import KeptSnapshot
from headgate_proxy.config.live import LiveConfig, Loaded
from headgate_runtime.kube import Kube, KubeError, KubeUnavailable, Object
from headgate_runtime.kube_kinds import CONFIG_MAP
from headgate_runtime.logs import describe

WATCH_SECONDS: Final = 30.0
"""Also the longest time between two confirmations of an unchanged snapshot."""
_FIRST_RETRY_SECONDS: Final = 0.25
_LONGEST_RETRY_SECONDS: Final = 5.0
_CHUNK_READS: Final = 8

TakeUp = Callable[[Loaded], Awaitable[None]]
"""Puts a loaded snapshot into use, and returns when it is."""

_Events = AsyncGenerator[tuple[str, Object], None]

_log = logging.getLogger(__name__)


class ConfigFollower:
    """Keeps a LiveConfig up to date: ``restore`` once at the start, then ``run`` for ever."""

    def __init__(
        self,
        kube: Kube,
        live: LiveConfig,
        kept: KeptSnapshot,
        take_up: TakeUp,
        *,
        namespace: str,
        fleet: str,
        redactor: Redactor,
        failed: Callable[[str], None],
        watch_seconds: float = WATCH_SECONDS,
    ) -> None:
        """``failed`` is called with a CamelCase reason for every failure (a metric)."""
        self._kube = kube
        self._live = live
        self._kept = kept
        self._take_up = take_up
        self._namespace = namespace
        self._name = names.head_name(fleet)
        self._redactor = redactor
        self._failed = failed
        self._watch_seconds = watch_seconds
        self._held: Mapping[str, bytes] = {}

    def restore(self) -> Loaded | None:
        """Load the snapshot kept before a restart and use it at once; None when there is none that can be used."""
        try:
            kept = self._kept.load()
        except SnapshotError as error:
            self._trouble("KeptSnapshotDamaged", error)
            return None
        if kept is None:
            return None
        head, chunks, snapshot = kept
        loaded = Loaded.build(head, snapshot)
        self._held = chunks
        self._live.swap(loaded, restored=True)
        _log.info("serving the snapshot kept before the restart", extra={"revision": head.revision})
        return loaded

    async def run(self) -> None:
        """Follow until cancelled; failures are waited out."""
        backoff = Backoff(_FIRST_RETRY_SECONDS, _LONGEST_RETRY_SECONDS)
        while True:
            try:
                await self._round(backoff)
            except SnapshotError as error:
                self._trouble("SnapshotUnusable", error)
            except KubeUnavailable as error:
                self._trouble("APIServerUnavailable", error)
            except KubeError as error:
                self._trouble("APIServerRefused", error)
            await asyncio.sleep(backoff.delay())

    async def _round(self, backoff: Backoff) -> None:
        """Read the head, then watch it; after a head that cannot be used, only shortly, since a chunk may still come."""
        body = await self._kube.get(CONFIG_MAP, self._namespace, self._name)
        seconds = self._watch_seconds
        try:
            await self._see(body)
            backoff.reset()
        except SnapshotError as error:
            self._trouble("HeadNotFound" if body is None else "SnapshotUnusable", error)
            seconds = backoff.delay()
        watch = self._kube.watch(
            CONFIG_MAP,
            self._namespace,
            self._name,
            timeout_seconds=max(1.0, seconds),
            resource_version=None if body is None else body["metadata"]["resourceVersion"],
        )
        async with contextlib.aclosing(cast("_Events", watch)) as events:
            async for kind, seen in events:
                if kind != "BOOKMARK":
                    await self._see(None if kind == "DELETED" else seen)
                    backoff.reset()
                elif self._live.problem is None and self._live.loaded is not None:
                    self._live.confirm()

    async def _see(self, body: Object | None) -> None:
        """Take up the head in this ConfigMap if it is new. Raises SnapshotError, KubeError, KubeUnavailable."""
        if body is None:
            raise SnapshotError(
                f"ConfigMap {self._namespace}/{self._name} does not exist; is the operator running, and is there a ProxyFleet?"
            )
        text = (body.get("data") or {}).get(HEAD_KEY)
        if not isinstance(text, str):
            raise SnapshotError(f"ConfigMap {self._namespace}/{self._name} has no key {HEAD_KEY}")
        head = parse_head(text)
        current = self._live.loaded
        if current is None or head != current.head:
            if current is not None and head.revision == current.head.revision and head.chunks == current.head.chunks:
                chunks, loaded = self._held, Loaded(head, current.routing, current.pointers)
            else:
                chunks = await self._chunks(head)
                loaded = await asyncio.to_thread(_load, head, chunks)
            await self._take_up(loaded)
            self._held = {digest: chunks[digest] for digest in head.chunks}
            self._keep(head)
            _log.info("snapshot in use", extra={"revision": head.revision})
        self._live.confirm()

    async def _chunks(self, head: Head) -> Mapping[str, bytes]:
        found = {digest: self._held[digest] for digest in head.chunks if digest in self._held}
        wanted = [digest for digest in head.chunks if digest not in found]
        for start in range(0, len(wanted), _CHUNK_READS):
            part = wanted[start : start + _CHUNK_READS]
            for digest, data in zip(
                part, await asyncio.gather(*map(self._chunk, part), return_exceptions=True), strict=True
            ):
                if isinstance(data, BaseException):
                    raise data
                found[digest] = data
        return found

    async def _chunk(self, digest: str) -> bytes:
        name = names.chunk_name(digest)
        body = await self._kube.get(CONFIG_MAP, self._namespace, name)
        if body is None:
            raise SnapshotError(f"ConfigMap {self._namespace}/{name}, which the head names, does not exist (yet)")
        try:
            return base64.b64decode((body.get("binaryData") or {})[CHUNK_KEY], validate=True)
        except (KeyError, TypeError, binascii.Error) as error:
            raise SnapshotError(f"ConfigMap {self._namespace}/{name} has no usable key {CHUNK_KEY}") from error

    def _keep(self, head: Head) -> None:
        try:
            self._kept.save(head, self._held)
        except OSError as error:
            self._failed("StateDirUnwritable")
            _log.warning(
                "the snapshot could not be kept for a restart", extra={"problem": describe(self._redactor, error)}
            )

    def _trouble(self, reason: str, error: Exception) -> None:
        problem = f"{reason}: {self._redactor.redact(str(error))}"
        self._failed(reason)
        if problem != self._live.problem:
            _log.warning(
                "configuration not confirmed; what is in use stays", extra={"reason": reason, "problem": problem}
            )
        self._live.fail(problem)


def _load(head: Head, chunks: Mapping[str, bytes]) -> Loaded:
    return Loaded.build(head, unpack(head, chunks))
