"""The adapter that carries out leadership's moves on the real Lease, by resourceVersion: of two writers one loses.

A lost Lease ends the term at once (the term's task is cancelled and awaited) and the process becomes a candidate again:
nothing it keeps in memory is trusted across terms, so there is no need for a new process.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

from headgate_api.clock import Clock
from headgate_operator.engine.progress import Progress
from headgate_operator.leadership import (
    LEASE_NAME,
    RENEW_SECONDS,
    RETRY_SECONDS,
    Move,
    Sighting,
    Term,
    decide,
    next_term,
    released,
    sight,
)
from headgate_runtime.kube import Conflict, Kube, KubeError, KubeUnavailable, Object
from headgate_runtime.kube_kinds import LEASE

_CALL_SECONDS: Final = 4.0
_log = logging.getLogger(__name__)


class NotLeading(Exception):  # noqa: N818 - a state
    """This process may not write: it has not renewed the Lease for so long that another may lead."""


class Leadership:
    """Runs one term after another, as long as the Lease is held; ``identity`` must be unique to this process."""

    def __init__(self, kube: Kube, namespace: str, identity: str, *, clock: Clock, progress: Progress) -> None:
        self._kube = kube
        self._namespace = namespace
        self._identity = identity
        self._clock = clock
        self._progress = progress
        self._lease: Object | None = None
        self._seen: Sighting | None = None
        self._leads = False
        self._renewed = 0.0

    @property
    def leads(self) -> bool:
        """Tell whether this process holds the Lease."""
        return self._leads

    @property
    def holder(self) -> str:
        """Return the identity of the holder as last seen, or an empty string."""
        return self._seen.term.holder if self._seen is not None else ""

    def fence(self) -> None:
        """Raise NotLeading unless the Lease certainly is this process's own; ask right before each write.

        A process that was frozen beyond its term would otherwise finish what it was doing, before it notices.
        """
        if not self._leads or self._clock.monotonic() - self._renewed > RENEW_SECONDS:
            raise NotLeading("the Lease has not been renewed in time, so nothing is written")

    async def run(self, term: Callable[[], Awaitable[None]]) -> None:
        """Stand as a candidate forever, and run ``term()`` while leading. Releases the Lease when cancelled."""
        try:
            while True:
                began = self._clock.monotonic()
                if await self._try():
                    await self._lead(term, began)
                await asyncio.sleep(RETRY_SECONDS)
        finally:
            await self._release()

    async def _lead(self, term: Callable[[], Awaitable[None]], began: float) -> None:
        _log.info("This process leads now", extra={"identity": self._identity})
        self._leads, self._renewed = True, began
        try:
            async with _cancelled_at_end(term):
                await self._renew_until_lost(began)
        finally:
            self._leads = False
        _log.warning("The Lease is lost; this process stands as a candidate again", extra={"identity": self._identity})

    async def _renew_until_lost(self, renewed: float) -> None:
        """Renew until that fails for so long that another process may soon take over; ``renewed`` is monotonic seconds."""
        while True:
            await asyncio.sleep(RETRY_SECONDS)
            began = self._clock.monotonic()
            left = renewed + RENEW_SECONDS - began
            if left <= 0:
                return
            if await self._try(left):
                self._renewed = renewed = began
            elif self.holder not in ("", self._identity):
                return

    async def _try(self, longest: float = _CALL_SECONDS) -> bool:
        """Look at the Lease and take or renew it; tell whether this process holds it now."""
        try:
            async with asyncio.timeout(min(longest, _CALL_SECONDS)):
                return await self._look_and_move()
        except Conflict:
            return False
        except (KubeError, KubeUnavailable, TimeoutError) as error:
            _log.warning("The Lease cannot be read or written", extra={"error": str(error) or "deadline"})
            return False
        finally:
            self._progress.lease_looked()

    async def _look_and_move(self) -> bool:
        self._lease = await self._kube.get(LEASE, self._namespace, LEASE_NAME)
        now = self._clock.monotonic()
        self._seen = None if self._lease is None else sight(self._seen, Term.of(self._lease), now)
        if decide(self._seen, self._identity, now) is Move.WAIT:
            return False
        before = None if self._seen is None else self._seen.term
        await self._write(next_term(before, self._identity, self._clock.now()))
        return True

    async def _write(self, term: Term) -> None:
        body: dict[str, Any] = {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.kind,
            "metadata": {"name": LEASE_NAME, "namespace": self._namespace},
            "spec": term.to_spec(),
        }
        if self._lease is None:
            self._lease = await self._kube.create(body)
        else:
            body["metadata"] = self._lease["metadata"]
            self._lease = await self._kube.replace(body)
        self._seen = Sighting(term, self._clock.monotonic())

    async def _release(self) -> None:
        if self._seen is None or self._seen.term.holder != self._identity:
            return
        with contextlib.suppress(KubeError, KubeUnavailable, TimeoutError):
            async with asyncio.timeout(_CALL_SECONDS):
                await self._write(released(self._seen.term))
                _log.info("The Lease is released", extra={"identity": self._identity})


@contextlib.asynccontextmanager
async def _cancelled_at_end(term: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Run ``term()`` beside the body and cancel it, and wait for it, when the body ends. Its failure ends the body."""

    async def run() -> None:
        await term()

    async with asyncio.TaskGroup() as group:
        task = group.create_task(run())
        try:
            yield
        finally:
            task.cancel()
