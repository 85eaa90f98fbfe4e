"""What the emulator received and sent, byte for byte, and a way to wait for it without sleeping."""

import asyncio
import base64
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from headgate_dev.emulator.credentials import CredentialKind


@dataclass
class RecordedRequest:
    """One exchange; the response fields fill in as bytes are written.

    ``target`` is the request target as sent (with its query); ``headers`` keep their order, case and repetitions;
    ``response_body`` holds the bytes handed to the connection, before chunked framing. ``done`` is set when the exchange is over in
    any way, ``disconnected`` when the client left before its end, ``fault`` is the id of the scripted fault it met. ``began``
    and ``ended`` number the beginnings and ends of all exchanges in their order.
    """

    number: int
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    received_at: datetime
    body: bytes = b""
    credential_kind: CredentialKind | None = None
    credential: str | None = field(default=None, repr=False)
    fault: str | None = None
    status: int | None = None
    response_headers: tuple[tuple[str, str], ...] = ()
    response_body: bytes = b""
    began: int = 0
    ended: int | None = None
    disconnected: bool = False
    done: bool = False

    @property
    def path(self) -> str:
        """Return the target without its query."""
        return self.target.partition("?")[0]

    def header(self, name: str) -> str | None:
        """Return the first value of the request header ``name`` (any case), or None."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def header_values(self, name: str) -> list[str]:
        """Return every value of the request header ``name`` (any case), in order."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def as_json(self) -> dict[str, Any]:
        """Return the exchange for the control API; bodies are base64."""
        return {
            "number": self.number,
            "method": self.method,
            "target": self.target,
            "headers": [list(pair) for pair in self.headers],
            "received_at": self.received_at.isoformat(),
            "body": base64.b64encode(self.body).decode(),
            "credential_kind": self.credential_kind,
            "credential": self.credential,
            "fault": self.fault,
            "status": self.status,
            "response_headers": [list(pair) for pair in self.response_headers],
            "response_body": base64.b64encode(self.response_body).decode(),
            "disconnected": self.disconnected,
            "done": self.done,
        }


class Journal:
    """All recorded requests, and the condition that wakes those who wait for a change."""

    def __init__(self) -> None:
        self.requests: list[RecordedRequest] = []
        self._changed = asyncio.Condition()
        self._moments = itertools.count(1)

    def moment(self) -> int:
        """Return the number of the next beginning or end of an exchange."""
        return next(self._moments)

    async def changed(self) -> None:
        """Wake everybody who waits: call it after any change that a test may wait for."""
        async with self._changed:
            self._changed.notify_all()

    async def wait_until(self, predicate: Callable[[], bool], timeout: float) -> None:  # noqa: ASYNC109
        """Return as soon as ``predicate()`` is true; TimeoutError after ``timeout`` seconds."""
        async with asyncio.timeout(timeout), self._changed:
            await self._changed.wait_for(predicate)
