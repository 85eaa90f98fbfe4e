"""Who must still take up a head: everyone who may act on an older one, and nobody for longer than a weight lives."""

from datetime import UTC, datetime, timedelta

from headgate_api.report import WEIGHT_TTL_SECONDS
from headgate_operator.broker.reports import Heard
from headgate_operator.rollout.quorum import Proxy, proxies_in, waiting

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
OLD = Proxy("old", NOW - timedelta(days=1))
LONG = WEIGHT_TTL_SECONDS + 1


def left(*proxies: Proxy, heard: dict[str, Heard] | None = None, term: float = LONG) -> tuple[str, ...]:
    return waiting(proxies, heard or {}, "now", NOW, term)


def test_a_proxy_on_another_head_is_waited_for_and_one_on_this_head_is_not() -> None:
    assert left(OLD, heard={"old": Heard("before", 1)}) == ("old",)
    assert left(OLD, heard={"old": Heard("now", 1)}) == ()


def test_a_silent_proxy_is_waited_for_until_its_weight_has_lapsed() -> None:
    assert left(OLD, heard={"old": Heard("before", WEIGHT_TTL_SECONDS - 1)}) == ("old",)
    assert left(OLD, heard={"old": Heard("before", LONG)}) == ()


def test_a_proxy_that_a_new_leader_never_heard_may_still_act_on_what_the_former_one_said() -> None:
    assert left(OLD, term=10) == ("old",)
    assert left(OLD, term=LONG) == ()


def test_a_proxy_that_has_just_begun_is_waited_for() -> None:
    assert left(Proxy("young", NOW - timedelta(seconds=5))) == ("young",)


def test_a_stopping_proxy_that_still_reports_counts_and_a_silent_one_does_not() -> None:
    leaving = Proxy("leaving", NOW - timedelta(days=1), leaving=True)
    assert left(leaving, heard={"leaving": Heard("before", 1)}) == ("leaving",)
    assert left(leaving, term=1) == ()


def test_a_pod_that_does_not_run_holds_no_head() -> None:
    def pod(phase: str) -> dict[str, object]:
        return {"metadata": {"name": "p"}, "status": {"phase": phase, "startTime": "2026-11-01T12:00:00Z"}}

    assert [p.pod for p in proxies_in([pod("Pending"), {"metadata": {"name": "q"}}])] == []
    assert [p.pod for p in proxies_in([pod("Running")])] == ["p"]
