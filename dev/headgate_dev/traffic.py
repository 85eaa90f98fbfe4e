"""Sessions that keep asking, so that a split can be seen: many small requests, each in a session of its own.

Used by the demo and by tests: the same sessions ask again in every round, so that a session that changed its track shows.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import httpx

from headgate_api import names

_AT_ONCE: Final = 8
_TIMEOUT: Final = 30.0


@dataclass(frozen=True, slots=True)
class Round:
    """What one round of requests met: answers by (track, HTTP status), and the track of each session."""

    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    tracks: dict[str, str] = field(default_factory=dict)

    def count(self, track: str) -> int:
        """Return how many requests a track answered."""
        return sum(count for (on, _), count in self.answers.items() if on == track)

    def failed(self, track: str) -> int:
        """Return how many answers of a track were errors of the gate or the vendor (5xx)."""
        return sum(count for (on, status), count in self.answers.items() if on == track and status >= 500)


@dataclass(frozen=True, slots=True)
class Traffic:
    """Callers of one workload. ``urls``: base URLs of proxies, taken in turn; ``token``: a ServiceAccount token."""

    urls: Sequence[str]
    token: str
    model: str
    sessions: int = 200

    def round(self) -> Round:
        """Have every session ask once; return what they met."""
        return asyncio.run(self._round())

    async def _round(self) -> Round:
        met = Round()
        turns = iter(range(self.sessions))
        async with httpx.AsyncClient(timeout=_TIMEOUT, trust_env=False) as client, asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(self._ask(client, turns, met))
        return met

    async def _ask(self, client: httpx.AsyncClient, turns: Iterator[int], met: Round) -> None:
        for turn in turns:  # one iterator that all share
            session = f"session-{turn}"
            headers = {
                "authorization": f"Bearer {self.token}",
                "anthropic-version": "2023-06-01",
                names.HEADER_SESSION: session,
            }
            body = {"model": self.model, "max_tokens": 16, "messages": [{"role": "user", "content": "hello"}]}
            url = f"{self.urls[turn % len(self.urls)]}/v1/messages"
            answer = await client.post(url, headers=headers, json=body)
            track = answer.headers.get(
                names.HEADER_TRACK, "stable"
            )  # it stands only where a rollout concerns the request
            met.answers[track, answer.status_code] += 1
            met.tracks[session] = track
