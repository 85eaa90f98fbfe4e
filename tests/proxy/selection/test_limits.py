"""An account at its limit is passed over until the very moment of its reset; the newest word counts, whoever heard it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from headgate_api.clock import ManualClock
from headgate_api.reasons import SkipReason
from headgate_api.resources.limits import LimitObservation, LimitWindow
from headgate_proxy.selection.limits import Limits, Told
from headgate_proxy.selection.states import Failure
from headgate_proxy.selection.verdicts import Verdicts
from headgate_proxy.state import StateDir

NOW = datetime(2026, 11, 20, tzinfo=UTC)
RESET = NOW + timedelta(hours=3)
SCOPE = ("team/subscriptionaccounts/a/access", "grant-1")


def window(
    name: str = "5h", used: float | None = 50, *, reset: datetime = RESET, exhausted: bool = False
) -> LimitWindow:
    return LimitWindow(name=name, used_percent=used, resets_at=reset, exhausted=exhausted)


class World:
    def __init__(self, state: StateDir | None = None) -> None:
        self.clock = ManualClock(NOW)
        self.changes = 0
        self.limits = Limits(self.clock, self._changed, state)

    def _changed(self) -> None:
        self.changes += 1

    def limited(self, model: str = "claude-sonnet-5-5") -> tuple[str, datetime] | None:
        found = self.limits.in_force(SCOPE, model, self.clock.now())
        return None if found is None else (found.reason, found.until)

    def observation(self, at: datetime, **more: Any) -> LimitObservation:
        return LimitObservation(path=SCOPE[0], grant=SCOPE[1], at=at, **more)


@pytest.fixture
def world() -> World:
    return World()


def test_it_wakes_at_the_reset_and_not_a_millisecond_before(world: World) -> None:
    world.limits.refused(SCOPE, SkipReason.RATE_LIMITED, RESET, None)
    assert world.limited() == ("RateLimited", RESET)
    world.clock.advance(3 * 3600 - 0.001)
    assert world.limited() == ("RateLimited", RESET)
    world.clock.advance(0.001)
    assert world.limited() is None


def test_an_exhausted_window_limits_until_it_resets(world: World) -> None:
    world.limits.told(SCOPE, Told((window(used=100, exhausted=True), window("7d", 30))), NOW)
    assert world.limited() == ("RateLimited", RESET)
    assert world.changes == 1
    world.clock.advance(3 * 3600)
    assert world.limited() is None
    assert world.limits.used(SCOPE, "m", world.clock.now()) == 0


def test_the_window_of_one_model_limits_that_model_only_and_outlives_answers_about_others(world: World) -> None:
    world.limits.refused(SCOPE, SkipReason.RATE_LIMITED, None, Told((window("7d_opus", 100, exhausted=True),)))
    world.clock.advance(1)
    world.limits.told(SCOPE, Told((window("5h", 10), window("7d", 20))), world.clock.now())
    assert world.limited("claude-sonnet-5-5") is None
    assert world.limited("claude-opus-5") == ("RateLimited", RESET)
    assert world.limits.used(SCOPE, "claude-opus-5", world.clock.now()) == 100
    assert world.limits.used(SCOPE, "claude-sonnet-5-5", world.clock.now()) == 20


def test_an_answer_to_an_earlier_request_does_not_end_a_limit(world: World) -> None:
    sent = world.clock.now()
    world.clock.advance(1)
    world.limits.refused(SCOPE, SkipReason.QUOTA_EXHAUSTED, RESET, None)
    world.clock.advance(1)
    world.limits.told(SCOPE, Told((window(used=99),)), sent)
    world.limits.accepted(SCOPE, sent)
    assert world.limited() == ("QuotaExhausted", RESET)
    world.limits.accepted(SCOPE, world.clock.now())
    assert world.limited() is None
    assert world.changes == 2


def test_limits_outlive_a_refresh_but_not_another_grant_or_key(held: Any) -> None:
    clock = ManualClock(NOW)
    verdicts = Verdicts(clock)
    failure = Failure(SkipReason.RATE_LIMITED, 429, RESET)
    verdicts.failed(held("a", 1, grant="one"), failure)
    assert verdicts.limits.in_force(held("a", 2, grant="one").scope, "", NOW) is not None
    assert verdicts.limits.in_force(held("a", 3, grant="two").scope, "", NOW) is None
    verdicts.failed(held("key", 1), failure)
    assert verdicts.limits.in_force(held("key", 2).scope, "", NOW) is None


def test_a_plain_429_is_of_that_request_alone_and_a_quota_without_a_reset_of_a_minute(held: Any) -> None:
    clock = ManualClock(NOW)
    verdicts = Verdicts(clock)
    verdicts.failed(held("a"), Failure(SkipReason.RATE_LIMITED, 429))
    assert verdicts.limits.news() == ()
    verdicts.failed(held("a"), Failure(SkipReason.QUOTA_EXHAUSTED, 402))
    limit = verdicts.limits.in_force(held("a").scope, "", NOW)
    assert limit is not None
    assert limit.until == NOW + timedelta(minutes=1)


def test_what_others_heard_counts_when_it_is_newer_and_believable(world: World) -> None:
    world.limits.told(SCOPE, Told((window(used=10),)), NOW)
    stale = world.observation(NOW - timedelta(seconds=1), limited_until=RESET)
    ahead = world.observation(NOW + timedelta(minutes=5), limited_until=RESET)
    world.limits.learn([stale, ahead])
    assert world.limited() is None
    world.limits.learn([world.observation(NOW + timedelta(seconds=1), limited_until=NOW + timedelta(days=400))])
    assert world.limited() == ("RateLimited", NOW + timedelta(days=8))


def test_a_report_says_what_is_news_and_the_rest_in_turn(world: World) -> None:
    world.limits.told(SCOPE, Told((window(used=10.2),)), NOW)
    first = world.limits.news()
    assert [o.windows[0].used_percent for o in first] == [10.2]
    assert world.changes == 0  # a percentage waits for the next report; a limit does not
    world.limits.reported(first)
    world.clock.advance(1)
    world.limits.told(SCOPE, Told((window(used=10.9),)), world.clock.now())
    (again,) = world.limits.news()  # in turn, so that the control plane knows that the account is in use
    assert again.at == world.clock.now()
    world.limits.report_all()
    assert len(world.limits.news()) == 1


def test_a_thousand_accounts_fit_into_reports_of_a_bounded_size(world: World) -> None:
    for number in range(1000):
        world.limits.told((f"team/subscriptionaccounts/a{number}/access", "g"), Told((window(used=number % 90),)), NOW)
    heard: set[str] = set()
    for _ in range(10):
        news = world.limits.news()
        assert len(news) <= 100
        heard |= {o.path for o in news}
        world.limits.reported(news)
    assert len(heard) == 1000


def test_limits_survive_a_restart(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    before = World(state)
    before.limits.refused(SCOPE, SkipReason.QUOTA_EXHAUSTED, RESET, Told((window(used=100),)))
    before.limits.keep()
    after = World(state)
    after.limits.restore()
    assert after.limited() == ("QuotaExhausted", RESET)
    (tmp_path / "limits.json").write_text('[{"path": 1')
    World(state).limits.restore()
