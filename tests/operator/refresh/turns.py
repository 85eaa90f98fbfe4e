"""Operators that move only when told: every call of an adapter waits for its turn, so a test can choose any interleaving."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from headgate_api.secret import Secret
from headgate_dev.emulator.vendor import Call
from headgate_operator.credentials.store import KeyValue
from headgate_operator.oauth.answers import HttpAnswer
from headgate_operator.oauth.http import DEADLINE_SECONDS, AnswerLost
from headgate_operator.oauth.requests import OAuthRequest
from headgate_operator.refresh.executor import Result
from headgate_runtime.vault import VaultRecord

from .world import World


@dataclass
class Turns:
    """Where adapter calls wait. ``names``: what each waiting operator is about to do."""

    waiting: dict[int, asyncio.Future[None]] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)

    async def wait(self, operator: int, name: str) -> None:
        self.names[operator] = name
        self.waiting[operator] = asyncio.get_running_loop().create_future()
        await self.waiting[operator]

    def go(self, operator: int, error: BaseException | None = None) -> None:
        """Let an operator take its turn, or have it die there."""
        turn = self.waiting.pop(operator)
        if error is None:
            turn.set_result(None)
        else:
            turn.set_exception(error)


@dataclass
class TakingTurnsVault:
    inner: KeyValue
    turns: Turns
    operator: int

    async def read(self, path: str, version: int | None = None) -> VaultRecord | None:
        await self.turns.wait(self.operator, f"read {path}")
        return await self.inner.read(path, version)

    async def read_for_update(self, path: str) -> tuple[VaultRecord | None, int]:
        await self.turns.wait(self.operator, f"read {path}")
        return await self.inner.read_for_update(path)

    async def write(self, path: str, data: Mapping[str, Any], *, cas: int) -> int:
        await self.turns.wait(self.operator, f"write {path}")
        version = await self.inner.write(path, data, cas=cas)
        await self.turns.wait(self.operator, f"wrote {path}")
        return version

    async def delete(self, path: str) -> None:
        await self.inner.delete(path)

    async def readable_versions(self, path: str) -> tuple[int, ...]:
        return await self.inner.readable_versions(path)

    async def destroy(self, path: str, versions: Iterable[int]) -> None:
        await self.inner.destroy(path, versions)


@dataclass
class TakingTurnsVendor:
    """The vendor; a request is in flight from when the token left until its answer, or until the deadline cuts it off."""

    world: World
    turns: Turns
    operator: int
    flights: list[float]

    async def send(self, request: OAuthRequest, *, last_check: Callable[[], None], **_: Any) -> HttpAnswer:
        await self.turns.wait(self.operator, "connect")
        last_check()
        direct, clock = self.world.direct, self.world.clock
        direct.asked += 1
        began = clock.monotonic()
        self.flights[:] = [start for start in self.flights if clock.monotonic() < start + DEADLINE_SECONDS]
        self.flights.append(began)
        direct.most = max(direct.most, len(self.flights))
        headers = {name: value.reveal() for name, value in request.headers.items()}
        call = Call(direct.asked, "POST", "/oauth/token", {}, headers, request.body.reveal().encode(), clock.now())
        answer = direct.vendor.answer(call, direct.credentials)
        await self.turns.wait(self.operator, "answer")
        if clock.monotonic() >= began + DEADLINE_SECONDS:
            raise AnswerLost("the vendor did not answer in time")
        self.flights.remove(began)
        await self.turns.wait(self.operator, "answered")

        return HttpAnswer(answer.status, dict(answer.headers), Secret(answer.body.decode()))


@dataclass
class Stage:
    """Some operators around one account, each a process of its own."""

    world: World
    turns: Turns = field(default_factory=Turns)
    flights: list[float] = field(default_factory=list)
    tasks: dict[int, asyncio.Task[Result]] = field(default_factory=dict)
    leader: int = 0

    def start(self, group: asyncio.TaskGroup, refused: int | None = None) -> int:
        """Begin with one more operator, which looks once; it becomes the leader."""
        number = len(self.tasks) + 1
        self.leader = number
        memory = self.world.kv
        self.world.kv = TakingTurnsVault(memory, self.turns, number)
        executor = self.world.operator(TakingTurnsVendor(self.world, self.turns, number, self.flights))
        self.world.kv = memory
        self.tasks[number] = group.create_task(_caught(executor.refresh(self.world.key, refused)))
        return number

    async def settle(self) -> None:
        """Let everybody come to their next turn."""
        for _ in range(20):
            await asyncio.sleep(0)


async def _caught(look: Coroutine[Any, Any, Result]) -> Any:
    try:
        return await look
    except BaseException as error:
        if isinstance(error, asyncio.CancelledError):
            raise
        return error
