"""Asks the vendor whether people have decided about their device codes, at the pace it sets (RFC 8628, section 3.5).

Whichever replica knows of a code asks; each poll is taken in the flow's record by check-and-set, so that several ask no more often
than one.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from headgate_api.clock import Clock
from headgate_operator.broker.authentication import Refused
from headgate_operator.engine.work import Stopping, Work
from headgate_operator.signin.asking import Asked
from headgate_operator.signin.flow import Flow
from headgate_operator.signin.flows import Kept
from headgate_operator.signin.redeeming import Redeemer
from headgate_runtime.kube import KubeError, KubeUnavailable
from headgate_runtime.vault import VaultError

_TROUBLE_SECONDS: Final = 5.0
_log = logging.getLogger(__name__)


class Devices:
    """``kept`` finds a flow by its name, with its account. Raises as it does."""

    def __init__(
        self, kept: Callable[[str], Awaitable[tuple[Asked, Kept]]], redeemer: Redeemer, work: Work, *, clock: Clock
    ) -> None:
        self._kept = kept
        self._redeemer = redeemer
        self._work = work
        self._clock = clock
        self._watched: set[str] = set()

    def watch(self, name: str, flow: Flow) -> None:
        """Ask about a flow's device code until it is over; to say so again changes nothing. A process that ends leaves it."""
        waits = flow.device is not None and flow.waits(self._clock.now())
        if waits and name not in self._watched and self._work.open:
            self._work.wait(self._watch(name))
            self._watched.add(name)

    async def _watch(self, name: str) -> None:
        try:
            wait = 0.0
            while True:
                await asyncio.sleep(wait)
                found = await asyncio.shield(self._work.begin(self.poll(name)))
                if found is None:
                    return
                wait = found
        except Stopping:
            return
        finally:
            self._watched.discard(name)

    async def poll(self, name: str) -> float | None:
        """Ask the vendor where that is due; return the seconds to wait until the next time, or None: it is over."""
        try:
            asked, kept = await self._kept(name)
            kept = await self._redeemer.resolve(asked, kept)
            wait = self._until_poll(kept)
            return wait if wait != 0 else self._until_poll(await self._redeemer.poll(asked, kept))
        except Refused as refused:
            return _TROUBLE_SECONDS if refused.status == 503 else None
        except (VaultError, KubeError, KubeUnavailable):
            return _TROUBLE_SECONDS
        except Exception:
            _log.exception("A device code is asked about no more here, until its sign-in is looked at again")
            return None

    def _until_poll(self, kept: Kept) -> float | None:
        now, flow = self._clock.now(), kept.flow
        if flow is None or flow.device is None or not flow.waits(now):
            return None
        return max(0.0, (flow.device.next_poll - now).total_seconds())
