"""Watching a change travel: policy status and head from the API server, and every proxy's /readyz for the head it runs on.

A proxy is looked at every 20 ms from the moment the head is there (before, looking would only take the machine's time), so a
figure is at most that much too high.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from headgate_api import names
from headgate_api.clock import Clock
from headgate_api.resources import RolloutPolicy
from headgate_api.snapshot import HEAD_KEY, Head, parse_head
from headgate_dev.release import NAMESPACE
from headgate_runtime.kube import Kube, Object
from headgate_runtime.kube_kinds import CONFIG_MAP, ROLLOUT_POLICY, Kind

_LOOK_SECONDS: Final = 0.02
_WATCH_SECONDS: Final = 600.0
_LONGEST_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True)
class Took:
    """When a change had come how far, in seconds of one clock."""

    accepted: float
    """The API server showed the annotation that asked for it."""
    decided: float
    """It showed the status that says so."""
    published: float
    """It showed the head that carries it."""
    proxies: Mapping[str, float]
    """Each proxy ran on such a head."""

    @property
    def everywhere(self) -> float:
        """Return when the last proxy had it."""
        return max(self.proxies.values())


@dataclass(slots=True)
class Sights:
    """Everything that was seen so far, each with its time."""

    policies: list[tuple[float, RolloutPolicy]] = field(default_factory=list)
    heads: list[tuple[float, Head]] = field(default_factory=list)
    news: asyncio.Condition = field(default_factory=asyncio.Condition)


class Watcher:
    """Follows one policy and the head of the fleet ``default``."""

    def __init__(self, kube: Kube, clock: Clock, namespace: str, policy: str) -> None:
        self._kube = kube
        self._clock = clock
        self._namespace = namespace
        self._policy = policy
        self._sights = Sights()

    @classmethod
    @asynccontextmanager
    async def following(cls, kube: Kube, clock: Clock, namespace: str, policy: str) -> AsyncIterator["Watcher"]:
        """Follow while the context lasts."""
        made = cls(kube, clock, namespace, policy)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(made._follow(ROLLOUT_POLICY, namespace, policy, made._saw_policy)),
                group.create_task(made._follow(CONFIG_MAP, NAMESPACE, names.head_name("default"), made._saw_head)),
            ]
            yield made
            for task in tasks:
                task.cancel()

    async def until(self, what: str, holds: Callable[[RolloutPolicy], bool]) -> RolloutPolicy:
        """Wait until the newest policy ``holds``; return it. Raises TimeoutError that names ``what``."""
        try:
            async with asyncio.timeout(_LONGEST_SECONDS), self._sights.news:
                await self._sights.news.wait_for(
                    lambda: bool(self._sights.policies) and holds(self._sights.policies[-1][1])
                )
        except TimeoutError:
            step = self._sights.policies[-1][1].status.step if self._sights.policies else None
            seen = "no rollout" if step is None else f"step {step.index}, {step.reason}: {step.message}"
            raise TimeoutError(f"not within {_LONGEST_SECONDS:.0f} s: {what}; {seen}") from None
        return self._sights.policies[-1][1]

    async def measure(
        self,
        admins: Mapping[str, str],
        change: Callable[[], Awaitable[None]],
        *,
        accepted: Callable[[RolloutPolicy], bool],
        decided: Callable[[RolloutPolicy], bool],
        published: Callable[[Head], bool],
    ) -> Took:
        """Make a change and wait until every proxy (pod name: base URL of its admin port) runs on a head that carries it."""
        began = self._clock.monotonic()
        looks: dict[str, dict[str, float]] = {pod: {} for pod in admins}

        def carrying() -> dict[str, float]:
            return {head.digest: at for at, head in self._sights.heads if at >= began and published(head)}

        async def look(session: aiohttp.ClientSession, pod: str, url: str) -> None:
            async with self._sights.news:
                await self._sights.news.wait_for(carrying)
            while not looks[pod].keys() & carrying().keys():
                async with session.get(f"{url}/readyz") as response:
                    digest = (await response.json())["head"]
                looks[pod].setdefault(digest, self._clock.monotonic())
                await asyncio.sleep(_LOOK_SECONDS)

        async with (
            asyncio.timeout(_LONGEST_SECONDS),
            aiohttp.ClientSession() as session,
            asyncio.TaskGroup() as group,
        ):
            for pod, url in admins.items():
                group.create_task(look(session, pod, url))
            group.create_task(_awaited(change))
            group.create_task(_awaited(lambda: self.until("the status says so", decided)))
        heads = carrying()
        return Took(
            accepted=self._first(accepted, began),
            decided=self._first(decided, began),
            published=min(heads.values()),
            proxies={pod: min(at for digest, at in seen.items() if digest in heads) for pod, seen in looks.items()},
        )

    def _first(self, holds: Callable[[RolloutPolicy], bool], since: float) -> float:
        return next(at for at, policy in self._sights.policies if at >= since and holds(policy))

    async def _follow(self, kind: Kind, namespace: str, name: str, saw: Callable[[float, Object], None]) -> None:
        while True:
            async for event, body in self._kube.watch(kind, namespace, name, timeout_seconds=_WATCH_SECONDS):
                if event in ("ADDED", "MODIFIED"):
                    async with self._sights.news:
                        saw(self._clock.monotonic(), body)
                        self._sights.news.notify_all()

    def _saw_policy(self, at: float, body: Object) -> None:
        self._sights.policies.append((at, RolloutPolicy.from_wire(body)))

    def _saw_head(self, at: float, body: Object) -> None:
        self._sights.heads.append((at, parse_head(body["data"][HEAD_KEY])))


async def _awaited(made: Callable[[], Awaitable[Any]]) -> None:
    await made()
