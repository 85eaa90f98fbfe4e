"""Sweeps away sign-ins that are over: their number in Vault stays bounded by how many people sign in within an hour."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from headgate_api.clock import Clock
from headgate_operator.signin.flow import Flow
from headgate_operator.signin.flows import Flows
from headgate_runtime.vault import VaultError

EVERY_SECONDS: Final = 300.0
KEPT: Final = timedelta(hours=1)
"""How long whoever signed in can still ask how it ended, after the time was over in which it could."""
_log = logging.getLogger(__name__)


class Janitor:
    """Sweeps while this process leads; two that sweep at once do no harm."""

    def __init__(self, flows: Flows, *, clock: Clock, leads: Callable[[], bool]) -> None:
        self._flows = flows
        self._clock = clock
        self._leads = leads

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            if self._leads():
                try:
                    await self.sweep()
                except VaultError as error:
                    _log.warning("Sign-ins that are over stay in Vault for now", extra={"error": str(error)})

    async def sweep(self) -> int:
        """Delete what is over, and what was replaced by a later sign-in of its account; return how many. Raises VaultError."""
        flows: dict[str, Flow | None] = {}
        for name in await self._flows.names():
            flows[name] = (await self._flows.read(name)).flow
        gone = dispensable(flows, self._clock.now())
        for name in gone:
            await self._flows.delete(name)
        return len(gone)


def dispensable(flows: Mapping[str, Flow | None], now: datetime) -> list[str]:
    """Return the names of the flows that nobody needs any more; None stands for one that cannot be read."""
    newest: dict[tuple[str, str], datetime] = {}
    for flow in flows.values():
        if flow is not None:
            account = (flow.namespace, flow.name)
            newest[account] = max(flow.began_at, newest.get(account, flow.began_at))
    return [
        name
        for name, flow in flows.items()
        if flow is None
        or now >= flow.expires_at + KEPT
        or (flow.phase != "Redeeming" and flow.began_at < newest[flow.namespace, flow.name])
    ]
