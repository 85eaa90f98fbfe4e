"""Requests that wait in the middle of their answer until a test lets them go: events in the place of sleeps."""

import asyncio
from dataclasses import dataclass

from headgate_dev.emulator.journal import Journal


class Holds:
    """All holds of one emulator, by fault id."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._released: dict[str, asyncio.Event] = {}
        self._reached: dict[str, int] = {}

    def add(self, fault_id: str) -> None:
        """Know ``fault_id`` as a hold."""
        self._released[fault_id] = asyncio.Event()
        self._reached[fault_id] = 0

    def gate(self, fault_id: str) -> "HoldGate":
        """Return where a request that met ``fault_id`` waits."""
        return HoldGate(self, fault_id)

    def release(self, fault_id: str) -> None:
        """Let everything held by ``fault_id`` go on, now and later; KeyError when it is no hold."""
        self._released[fault_id].set()

    def release_all(self) -> None:
        """Let everything go on."""
        for event in self._released.values():
            event.set()

    async def wait_held(self, fault_id: str, count: int, timeout: float) -> None:  # noqa: ASYNC109
        """Return once ``count`` requests have arrived at the hold; TimeoutError after ``timeout`` seconds."""
        self._released[fault_id]
        await self._journal.wait_until(lambda: self._reached[fault_id] >= count, timeout)

    async def _arrive(self, fault_id: str) -> None:
        self._reached[fault_id] += 1
        await self._journal.changed()
        await self._released[fault_id].wait()


@dataclass(frozen=True)
class HoldGate:
    """One request's place at a hold."""

    holds: Holds
    fault_id: str

    async def wait(self) -> None:
        """Tell that a request has arrived, and wait for its release."""
        await self.holds._arrive(self.fault_id)
