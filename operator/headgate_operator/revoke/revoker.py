"""Runs revocations at vendors beside the work queue: a vendor that hangs holds up no account, and each is told of one at a time."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final, Protocol

from headgate_operator.engine.keys import Key
from headgate_operator.engine.work import Work
from headgate_operator.leadership_lease import NotLeading
from headgate_operator.reading import Unreadable
from headgate_runtime.kube import KubeError, KubeUnavailable
from headgate_runtime.vault import VaultError

AT_ONCE: Final = 8
_PASSING: Final = (VaultError, KubeError, KubeUnavailable, Unreadable, NotLeading)
_log = logging.getLogger(__name__)


class Revokes(Protocol):
    """``RevokeExecutor``, or what stands in for it."""

    async def revoke(self, key: Key) -> None:
        """Tell the vendor where that is due."""


class Revoker:
    """Turns "the vendor is to be told" into revocations. ``settled`` is told each account that was looked at."""

    def __init__(
        self, executor: Revokes, work: Work, *, leads: Callable[[], bool], settled: Callable[[Key], None]
    ) -> None:
        self._executor = executor
        self._work = work
        self._leads = leads
        self._settled = settled
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._flights: set[Key] = set()

    def due(self, key: Key) -> None:
        """Tell the vendor as soon as a slot is free; to say so again changes nothing."""
        if self._leads() and key not in self._flights and self._work.open:
            self._work.begin(self._fly(key))
            self._flights.add(key)

    async def _fly(self, key: Key) -> None:
        try:
            async with self._slots:
                await self._executor.revoke(key)
        except _PASSING as error:
            _log.warning("%s: the vendor is told of a revocation at the next look", key, extra={"error": str(error)})
            return
        except Exception:
            _log.exception("%s: a revocation failed in an unforeseen way", key)
            return
        finally:
            self._flights.discard(key)
        self._settled(key)
