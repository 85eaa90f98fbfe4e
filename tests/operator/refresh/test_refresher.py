"""Many accounts: who has a turn when, what one that hangs does to others, and how smooth the load on a vendor is."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from headgate_api.clock import Clock
from headgate_api.reasons import ConditionReason
from headgate_api.secret import Secret
from headgate_api.vault import GrantRecord
from headgate_operator.engine.keys import Key
from headgate_operator.refresh.executor import Renewed, Result
from headgate_operator.refresh.lane import AT_ONCE, SPACING_SECONDS
from headgate_operator.refresh.metrics import RefreshMetrics
from headgate_operator.refresh.refresher import Refresher
from headgate_operator.refresh.schedule import back_off, due_at, forced_gap
from headgate_operator.refresh.verdict import Rest

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]
START = datetime(2026, 11, 1, tzinfo=UTC)
ONE, TWO = "https://one.example", "https://two.example"


class LoopClock:
    """The virtual time of the test's loop."""

    def now(self) -> datetime:
        return START + timedelta(seconds=asyncio.get_running_loop().time())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


class Fake:
    """Refreshes that take a second (or as long as a test says), and remember when they began."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.began: list[tuple[float, Key]] = []
        self.refused: list[int | None] = []
        self.running: Counter[Key] = Counter()
        self.most = 0
        self.seconds: Callable[[Key], float] = lambda _: 1.0
        self.result: Callable[[Key], Result] = lambda _: Renewed(2, 2, None)

    async def refresh(self, key: Key, refused: int | None = None) -> Result:
        self.began.append((self.clock.monotonic(), key))
        self.refused.append(refused)
        self.running[key] += 1
        assert self.running[key] == 1
        self.most = max(self.most, self.running.total())
        try:
            await asyncio.sleep(self.seconds(key))
        finally:
            self.running[key] -= 1
        return self.result(key)


class Hall:
    def __init__(self) -> None:
        self.clock = LoopClock()
        self.fake = Fake(self.clock)
        self.settled: list[Key] = []
        metrics = RefreshMetrics(CollectorRegistry())
        self.refresher = Refresher(self.fake, clock=self.clock, settled=self.settled.append, metrics=metrics)


@contextlib.asynccontextmanager
async def hall() -> AsyncIterator[Hall]:
    made = Hall()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(made.refresher.run())
        await asyncio.sleep(0)
        made.refresher.begin_term()
        yield made
        running.cancel()


def key(number: int) -> Key:
    return Key("SubscriptionAccount", "team", f"account-{number:04}")


async def test_a_thousand_overdue_accounts_take_turns_the_most_urgent_first() -> None:
    async with hall() as made:
        for number in range(1000):
            made.refresher.due(key(number), ONE, START + timedelta(minutes=(number * 617) % 1000))
        await asyncio.sleep(1000 * SPACING_SECONDS + 60)
        assert len({k for _, k in made.fake.began}) == len(made.fake.began) == 1000
        assert made.fake.most <= AT_ONCE
        per_ten = Counter(int(at // 10) for at, _ in made.fake.began)
        assert max(per_ten.values()) <= 40
        order = [(int(k.name[-4:]) * 617) % 1000 for _, k in made.fake.began]
        assert order[1:] == sorted(order[1:])  # the first began before the others were known
        assert made.fake.began[-1][0] <= 251


async def test_a_vendor_that_hangs_delays_no_account_of_another() -> None:
    async with hall() as made:
        made.fake.seconds = lambda k: 10_000.0 if int(k.name[-4:]) < 100 else 1.0
        for number in range(100):
            made.refresher.due(key(number), ONE, START)
        for number in range(100, 120):
            made.refresher.due(key(number), TWO, START)
        await asyncio.sleep(20 * SPACING_SECONDS + 2)
        assert len([k for k in made.settled if int(k.name[-4:]) >= 100]) == 20
        assert len(made.fake.began) == 20 + AT_ONCE
        made.fake.seconds = lambda _: 0.0
        made.refresher.end_term()


async def test_two_hundred_proxies_cause_one_refresh_and_all_get_its_answer() -> None:
    async with hall() as made:
        answers = await asyncio.gather(*(made.refresher.ask(key(1), ONE, 1) for _ in range(200)))
        assert set(answers) == {Renewed(2, 2, None)}
        assert made.fake.refused == [1]


async def test_who_asks_while_a_scheduled_refresh_is_under_way_gets_its_answer_if_that_is_newer() -> None:
    async with hall() as made:
        made.refresher.due(key(1), ONE, START)
        await asyncio.sleep(0.5)
        assert await made.refresher.ask(key(1), ONE, 1) == Renewed(2, 2, None)
        assert made.fake.refused == [None]
        made.fake.result = lambda _: Renewed(len(made.fake.began), 2, None)
        made.refresher.due(key(1), ONE, START)
        await asyncio.sleep(0.5)
        assert await made.refresher.ask(key(1), ONE, 2) == Renewed(3, 2, None)
        assert made.fake.refused == [None, None, 2]


async def test_somebody_who_waits_goes_first() -> None:
    async with hall() as made:
        for number in range(100):
            made.refresher.due(key(number), ONE, START)
        await made.refresher.ask(key(999), ONE, 1)
        assert len(made.fake.began) <= AT_ONCE
        made.refresher.end_term()


async def test_what_was_refused_a_moment_ago_is_not_asked_again_at_once() -> None:
    async with hall() as made:
        ended = Rest(None, False, ConditionReason.REAUTHENTICATION_REQUIRED, "sign in again")
        made.fake.result = lambda _: ended
        for _ in range(50):
            assert await made.refresher.ask(key(1), ONE, 1) == ended
            made.refresher.due(key(1), ONE, START)
        assert len(made.fake.began) == 1
        await asyncio.sleep(16)
        await made.refresher.ask(key(1), ONE, 1)
        assert len(made.fake.began) == 2


async def test_without_leadership_nothing_begins_and_what_began_ends() -> None:
    async with hall() as made:
        made.fake.seconds = lambda _: 30.0
        for number in range(20):
            made.refresher.due(key(number), ONE, START)
        waiting = asyncio.gather(*(made.refresher.ask(key(n), ONE, 1) for n in range(20)))
        await asyncio.sleep(5)
        made.refresher.end_term()
        answers = await waiting
        assert [a for a in answers if isinstance(a, Renewed)] == [Renewed(2, 2, None)] * AT_ONCE
        assert {a.message.partition(";")[0] for a in answers if isinstance(a, Rest)} == {"this operator does not lead"}
        made.refresher.due(key(50), ONE, START)
        assert isinstance(await made.refresher.ask(key(51), ONE, 1), Rest)
        await asyncio.sleep(60)
        assert len(made.fake.began) == AT_ONCE


async def test_a_process_that_ends_lets_refreshes_end_first_but_not_for_ever() -> None:
    for seconds, ended in ((10.0, 1), (1000.0, 0)):
        began = asyncio.get_running_loop().time()
        async with hall() as made:
            made.fake.seconds = lambda _, s=seconds: s  # type: ignore[misc]
            made.refresher.due(key(1), ONE, START)
            await asyncio.sleep(1)
        assert len(made.settled) == ended
        assert asyncio.get_running_loop().time() - began <= 25


async def test_an_unforeseen_failure_is_an_answer_too() -> None:
    async with hall() as made:

        def broken(_: Key) -> Result:
            raise RuntimeError("unforeseen")

        made.fake.result = broken
        result = await made.refresher.ask(key(1), ONE, 1)
        assert isinstance(result, Rest) and "see the operator's log" in result.message


def grant(number: int, generation: int = 1, *, begins: float = 0.0, hours: float = 8.0) -> GrantRecord:
    obtained = START + timedelta(seconds=begins)
    return GrantRecord(
        origins=(),
        access_token=Secret("not-real"),
        grant_id=f"grant-{number}",
        generation=generation,
        obtained_at=obtained,
        expires_at=obtained + timedelta(hours=hours),
    )


async def test_a_thousand_accounts_imported_at_once_are_a_smooth_load_for_two_days() -> None:
    """The figure: refreshes in the busiest minute, and in the busiest ten, of 1,000 accounts with tokens of 8 h."""
    minutes: Counter[int] = Counter()
    for number in range(1000):
        at, generation = 0.0, 1
        while at < 48 * 3600:
            due = due_at(grant(number, generation, begins=at))
            assert due is not None
            at, generation = (due - START).total_seconds(), generation + 1
            minutes[int(at // 60)] += 1
    first = [count for minute, count in minutes.items() if minute < 8 * 60]
    later = [count for minute, count in minutes.items() if 24 * 60 <= minute < 48 * 60]
    assert max(first) <= 40, max(first)
    assert max(later) <= 20, max(later)
    assert 0.0 < min(due_at(grant(n)).timestamp() for n in range(1000)) - START.timestamp() - 0.6 * 8 * 3600 < 60  # type: ignore[union-attr]
    print(f"busiest minute: {max(first)} in the first wave, {max(later)} on the second day")


@given(st.integers(0, 10**6), st.integers(1, 1000), st.floats(0.01, 24 * 90))
async def test_every_token_is_refreshed_in_good_time(number: int, generation: int, hours: float) -> None:
    made = grant(number, generation, hours=hours)
    due = due_at(made)
    assert due is not None and made.obtained_at is not None and made.expires_at is not None
    share = (due - made.obtained_at) / (made.expires_at - made.obtained_at)
    assert 0.599 <= share <= 0.734
    assert due == due_at(made)


@given(st.integers(0, 100), st.booleans())
async def test_back_off_grows_to_a_bound(failures: int, refused: bool) -> None:
    now, later = (back_off(grant(1), n, refused=refused) for n in (failures, failures + 1))
    assert timedelta(seconds=24) <= now <= later <= timedelta(hours=1.2)
    assert forced_gap(failures) <= forced_gap(failures + 1) <= timedelta(hours=1)
