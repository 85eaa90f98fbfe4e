"""Limits on their way between a proxy and the broker: nothing is lost when the broker changes, or does not know the fleet yet."""

from datetime import UTC, datetime, timedelta

from headgate_api.clock import ManualClock
from headgate_api.reasons import SkipReason
from headgate_api.report import ProxyReport, ReportAnswer
from headgate_api.resources.limits import LimitObservation
from headgate_proxy.report.exchange import LimitsExchange
from headgate_proxy.selection.limits import Limits

NOW = datetime(2026, 11, 20, tzinfo=UTC)
COUNT = 40
"""More accounts than a report repeats in turn when there is no news of them."""
OURS = [(f"team/subscriptionaccounts/a{n}/access", "g") for n in range(COUNT)]
THEIRS = ("team/subscriptionaccounts/theirs/access", "g")
UNTIL = NOW + timedelta(hours=1)


class World:
    def __init__(self) -> None:
        self.limits = Limits(ManualClock(NOW))
        self.exchange = LimitsExchange(self.limits)
        for scope in OURS:
            self.limits.refused(scope, SkipReason.RATE_LIMITED, UNTIL, None)

    def report(self, cursor: str, *limits: LimitObservation) -> bool:
        """Report and be answered; tell whether the report spoke of all accounts."""
        said = self.exchange.news()
        report = ProxyReport(fleet="edge", pod="p", revision=None, limits=said, limits_cursor=self.exchange.cursor)
        self.exchange.answered(report, ReportAnswer(limits=limits, limits_cursor=cursor))
        return len(said) >= COUNT


def test_news_is_told_once_and_again_to_another_leader() -> None:
    world = World()
    assert world.report("one:1")
    assert not world.report("one:2")
    assert not world.report("two:1")
    assert world.report("two:1")
    assert not world.report("two:1")
    assert world.exchange.cursor == "two:1"


def test_news_waits_for_a_broker_that_knows_the_fleet() -> None:
    world = World()
    assert world.report("")
    assert world.report("one:1")
    assert not world.report("one:1")


def test_what_others_met_is_heeded() -> None:
    world = World()
    path, grant = THEIRS
    seen = LimitObservation(path=path, grant=grant, limited_until=UNTIL, reason=SkipReason.RATE_LIMITED, at=NOW)
    world.report("one:5", seen)
    limit = world.limits.in_force(THEIRS, "", NOW)
    assert limit is not None
    assert limit.until == UNTIL
    world.report("one:5", seen.model_copy(update={"limited_until": None, "at": NOW - timedelta(seconds=1)}))
    assert world.limits.in_force(THEIRS, "", NOW) == limit
