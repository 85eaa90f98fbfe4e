"""Many idle accounts: smooth, bounded, and rarer at a vendor that does not answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry

from headgate_api.resources.auth import UsagePolling
from headgate_api.resources.limits import LimitObservation
from headgate_operator.engine.keys import Key
from headgate_operator.limits.asking import Polled, PollOutcome
from headgate_operator.limits.poller import UsagePoller

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]
START = datetime(2026, 11, 1, tzinfo=UTC)
USAGE = UsagePolling(endpoint="https://one.example/usage", interval="15m")


class LoopClock:
    def now(self) -> datetime:
        return START + timedelta(seconds=asyncio.get_running_loop().time())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


class Hall:
    def __init__(self) -> None:
        self.clock = LoopClock()
        self.asked: list[tuple[float, Key]] = []
        self.running = self.most = 0
        self.result = Polled(PollOutcome.OBSERVED)
        self.registry = CollectorRegistry()
        self.touched: list[set[Key]] = []
        self.heard: dict[Key, datetime] = {}

    async def ask(self, key: Key) -> Polled:
        self.asked.append((self.clock.monotonic(), key))
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(5)
        self.running -= 1
        if self.result.outcome is PollOutcome.OBSERVED:
            self.heard[key] = self.clock.now()
        return self.result

    @asynccontextmanager
    async def polling(self) -> AsyncIterator[UsagePoller]:
        poller = UsagePoller(
            self,
            clock=self.clock,
            observed=lambda seen: {Key("SubscriptionAccount", "team", seen.path.split("/")[2])},
            touched=self.touched.append,
            registry=self.registry,
        )
        async with asyncio.TaskGroup() as group:
            task = group.create_task(poller.run())
            await asyncio.sleep(0)
            yield poller
            task.cancel()

    async def keep_looking(self, poller: UsagePoller, keys: list[Key], seconds: float) -> None:
        """Look at every account whenever its last look asked for that."""

        async def one(key: Key) -> None:
            wait: float | None = 0.0
            while wait is not None:
                await asyncio.sleep(wait)
                wait = poller.look(key, USAGE, self.heard.get(key))

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(key)) for key in keys]
            await asyncio.sleep(seconds)
            for task in tasks:
                task.cancel()


def keys(count: int) -> list[Key]:
    return [Key("SubscriptionAccount", "team", f"a{n}") for n in range(count)]


async def test_a_thousand_idle_accounts_are_asked_about_once_in_their_interval() -> None:
    hall = Hall()
    async with hall.polling() as poller:
        await hall.keep_looking(poller, keys(1000), 15 * 60 + 10)
    assert {key for _, key in hall.asked} == set(keys(1000))
    assert len(hall.asked) < 1020
    assert hall.most <= 8
    for minute in range(15):
        assert sum(minute * 60 <= at < minute * 60 + 60 for at, _ in hall.asked) < 110


async def test_a_vendor_that_refuses_is_asked_less_and_less() -> None:
    hall = Hall()
    hall.result = Polled(PollOutcome.REFUSED, "401")
    async with hall.polling() as poller:
        await hall.keep_looking(poller, keys(1), 24 * 3600)
    gaps = [b - a for (a, _), (b, _) in zip(hall.asked, hall.asked[1:], strict=False)]
    assert gaps == sorted(gaps)
    assert gaps[0] >= 1800
    assert gaps[-1] >= 6 * 3600
    assert hall.registry.get_sample_value("headgate_operator_usage_polls_total", {"outcome": "Refused"}) == len(
        hall.asked
    )


async def test_what_is_learnt_is_shown_and_a_process_that_does_not_lead_asks_nobody() -> None:
    hall = Hall()
    seen = LimitObservation(path="team/subscriptionaccounts/a0/access", grant="g", at=START)
    hall.result = Polled(PollOutcome.OBSERVED, seen=seen)
    (key,) = keys(1)
    async with hall.polling() as poller:
        await hall.keep_looking(poller, [key], 16 * 60)
    assert hall.touched[0] == {key}
    assert poller.look(key, USAGE, None) is None
