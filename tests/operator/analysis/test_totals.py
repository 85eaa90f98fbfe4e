"""What the leader adds up: every request once, whatever restarts, and news only where a look is worth it."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate_api.clock import ManualClock
from headgate_api.report import ProxyReport, RolloutObservation, TrackCounts
from headgate_api.resources.rolloutstatus import Verdict
from headgate_operator.analysis.totals import Totals
from headgate_operator.analysis.windows import Pair, Windows
from headgate_operator.broker.reports import Reports
from headgate_operator.engine.keys import Key

NOW = datetime(2026, 1, 1, tzinfo=UTC)
POLICY, REVISION, STEP = "team/claude", "0a1b2c-1", 2
PASS = Verdict(metric="ErrorRate", outcome="Pass", message="", at=NOW)
HELD = Verdict(metric="ErrorRate", outcome="Insufficient", message="", at=NOW)


def counts(requests: int = 0, **others: int) -> TrackCounts:
    return TrackCounts(requests=requests, first_token={30: requests} if requests else {}, **others)


def report(
    stable: TrackCounts,
    canary: TrackCounts,
    pod: str = "p1",
    *,
    revision: str = REVISION,
    step: int = STEP,
    track: str = "stable",
    fleet: str = "default",
) -> ProxyReport:
    observation = RolloutObservation(policy=POLICY, revision=revision, step=step, stable=stable, canary=canary)
    return ProxyReport.model_validate(
        {"fleet": fleet, "pod": pod, "track": track, "revision": "s1", "rollouts": [observation]}
    )


@pytest.fixture
def totals() -> Totals:
    made = Totals()
    made.windows(POLICY, REVISION, STEP)
    return made


def whole(totals: Totals) -> Pair:
    return totals.windows(POLICY, REVISION, STEP).whole


def test_all_proxies_of_all_fleets_add_up(totals: Totals) -> None:
    totals.take(report(counts(10), counts(1, errors=1)))
    totals.take(report(counts(20), counts(2), "p2"))
    totals.take(report(counts(40), counts(4), fleet="other"))
    assert whole(totals) == Pair(counts(70), counts(7, errors=1))


def test_counts_are_cumulative_and_a_pod_that_vanished_keeps_its_last(totals: Totals) -> None:
    totals.take(report(counts(10), counts(1)))
    totals.take(report(counts(15), counts(2)))
    totals.take(report(counts(15), counts(2)))
    totals.take(report(counts(5), counts(0), "p2"))
    assert whole(totals) == Pair(counts(20), counts(2))


def test_a_proxy_that_began_anew_adds_to_what_it_had_counted(totals: Totals) -> None:
    totals.take(report(counts(10), counts(3, errors=3)))
    totals.take(report(counts(4), counts(1)))
    totals.take(report(counts(6), counts(1, errors=1)))
    assert whole(totals) == Pair(counts(16), counts(4, errors=4))


def test_what_a_canary_pod_counts_is_not_counted_twice(totals: Totals) -> None:
    assert totals.take(report(counts(10), counts(10, errors=10), track="canary")) == frozenset()
    assert whole(totals) == Pair(counts(), counts())


def test_only_the_current_step_counts(totals: Totals) -> None:
    totals.take(report(counts(10), counts(1)))
    totals.take(report(counts(99), counts(99, errors=99), "p2", step=STEP + 1))
    totals.take(report(counts(99), counts(99, errors=99), "p2", revision="0a1b2c-2"))
    assert whole(totals) == Pair(counts(10), counts(1))
    assert totals.windows(POLICY, REVISION, STEP + 1) == Windows(None, Pair(counts(), counts()))
    totals.take(report(counts(3), counts(2), step=STEP + 1))
    totals.take(report(counts(50), counts(5), "late"))
    assert totals.windows(POLICY, REVISION, STEP + 1).whole == Pair(counts(3), counts(2))


def test_the_recent_window_begins_with_a_verdict_but_not_with_too_little_data(totals: Totals) -> None:
    totals.take(report(counts(10), counts(1)))
    assert totals.windows(POLICY, REVISION, STEP).recent is None
    totals.judged(POLICY, [HELD])
    assert totals.windows(POLICY, REVISION, STEP).recent is None
    totals.take(report(counts(11), counts(2)))
    totals.judged(POLICY, [HELD, PASS])
    totals.take(report(counts(12), counts(4, errors=1)))
    totals.judged(POLICY, [HELD])
    totals.judged(POLICY, [])
    assert totals.windows(POLICY, REVISION, STEP) == Windows(
        Pair(counts(2), counts(3, errors=1)), Pair(counts(12), counts(4, errors=1))
    )
    totals.judged("team/other", [PASS])
    assert totals.windows(POLICY, REVISION, STEP + 1).recent is None, "a new step has no verdict yet"


@pytest.mark.parametrize("harm", ["errors", "auth_failures", "fallbacks", "truncated"])
def test_new_harm_on_the_canary_is_news_once_until_somebody_looks(totals: Totals, harm: str) -> None:
    totals.windows(POLICY, REVISION, STEP, min_samples=1000)
    assert totals.take(report(counts(5), counts(5))) == frozenset()
    assert totals.take(report(counts(6, **{harm: 1}), counts(6))) == frozenset()
    assert totals.take(report(counts(6, **{harm: 1}), counts(7, **{harm: 1}))) == {POLICY}
    assert totals.take(report(counts(6, **{harm: 1}), counts(8, **{harm: 2}))) == frozenset()
    totals.windows(POLICY, REVISION, STEP, min_samples=1000)
    assert totals.take(report(counts(6, **{harm: 1}), counts(8, **{harm: 2}))) == frozenset(), "nothing new"
    assert totals.take(report(counts(6, **{harm: 1}), counts(9, **{harm: 3}))) == {POLICY}


def test_enough_samples_are_news_on_either_track_and_in_either_window(totals: Totals) -> None:
    def look() -> None:
        totals.windows(POLICY, REVISION, STEP, min_samples=20)

    look()
    assert totals.take(report(counts(19), counts(19))) == frozenset()
    assert totals.take(report(counts(19), counts(1), "p2")) == {POLICY}
    look()
    assert totals.take(report(counts(25), counts(25))) == frozenset(), "stable had come so far with the other pod"
    look()
    totals.judged(POLICY, [PASS])
    assert totals.take(report(counts(30), counts(44))) == frozenset()
    assert totals.take(report(counts(30), counts(45))) == {POLICY}
    look()
    assert totals.take(report(counts(45), counts(45))) == {POLICY}


def test_a_new_term_and_a_rollout_that_ended_leave_nothing(totals: Totals) -> None:
    totals.take(report(counts(10), counts(1)))
    totals.forget(POLICY)
    assert totals.take(report(counts(10), counts(1, errors=1))) == frozenset()
    assert whole(totals) == Pair(counts(), counts())
    totals.take(report(counts(10), counts(1)))
    totals.begin_term()
    assert whole(totals) == Pair(counts(), counts())
    totals.take(report(counts(11), counts(1)))
    assert whole(totals) == Pair(counts(11), counts(1)), "one report tells a new leader the whole step"


def test_a_report_with_news_touches_the_policy() -> None:
    reports = Reports(ManualClock(NOW))
    reports.accept(report(counts(1), counts()), "headgate-system")
    reports.totals.windows(POLICY, REVISION, STEP, min_samples=100)
    assert reports.accept(report(counts(2), counts()), "headgate-system") == set()
    assert reports.accept(report(counts(2), counts(1, errors=1)), "headgate-system") == {
        Key("RolloutPolicy", "team", "claude")
    }
    reports.begin_term()
    assert reports.totals.windows(POLICY, REVISION, STEP).whole == Pair(counts(), counts())


@given(st.lists(st.tuples(st.sampled_from(["p1", "p2", "p3"]), st.integers(0, 5), st.integers(0, 5), st.booleans())))
def test_every_request_is_counted_once_through_reports_and_restarts(
    happenings: list[tuple[str, int, int, bool]],
) -> None:
    """A restart shows where a proxy counts less than before; one that reports first with as much is as good as none."""
    totals = Totals()
    totals.windows(POLICY, REVISION, STEP)
    live: dict[str, tuple[int, int]] = {}
    ended = [0, 0]
    for pod, stable, canary, restarts in happenings:
        before = live.get(pod, (0, 0))
        if restarts and (stable < before[0] or canary < before[1]):
            ended[0], ended[1] = ended[0] + before[0], ended[1] + before[1]
            live[pod] = (stable, canary)
        else:
            live[pod] = (before[0] + stable, before[1] + canary)
        totals.take(report(counts(live[pod][0]), counts(live[pod][1]), pod))
    assert whole(totals) == Pair(
        counts(ended[0] + sum(s for s, _ in live.values())), counts(ended[1] + sum(c for _, c in live.values()))
    )
