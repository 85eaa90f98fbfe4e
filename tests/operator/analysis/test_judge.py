"""Verdicts: what people read, when harm is called harm, and that too little data never is."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate_api.report import TTFT_BASE, TrackCounts
from headgate_api.resources.rolloutspec import METRIC_UNITS, Analysis, Metric
from headgate_api.resources.rolloutstatus import Verdict
from headgate_operator.analysis.judge import due, harmed, judge, passed
from headgate_operator.analysis.windows import Answer, Pair, Windows

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NOTHING = TrackCounts()


def analysis(*metrics: Metric, **settings: object) -> Analysis:
    return Analysis.model_validate({"metrics": metrics, **settings})


def whole(canary: TrackCounts, stable: TrackCounts = NOTHING) -> Windows:
    return Windows(None, Pair(stable, canary))


def verdict(metric: Metric, windows: Windows, *, comparable: bool = True, **answers: Answer) -> Verdict:
    (only,) = judge(analysis(metric), windows, answers, NOW, comparable=comparable)
    return only


ERRORS = Metric(name="ErrorRate", max=5)
ERRORS_BY_STABLE = Metric(name="ErrorRate", max_ratio=2)


def test_a_failing_rate_is_told_with_its_counts() -> None:
    windows = whole(TrackCounts(requests=200, errors=25), TrackCounts(requests=1000, errors=4))
    failed = verdict(ERRORS, windows)
    assert failed.outcome == "Fail"
    assert failed.message == "ErrorRate 12.5 % > 5 % (canary 25 of 200 requests; stable 0.4 %)"
    assert (failed.canary, failed.stable, failed.samples) == (12.5, 0.4, 200)


def test_the_bound_itself_passes() -> None:
    assert verdict(ERRORS, whole(TrackCounts(requests=200, errors=10))).outcome == "Pass"
    assert verdict(ERRORS, whole(TrackCounts(requests=200, errors=11))).outcome == "Fail"
    exact = Metric(name="ErrorRate", max=0.7)
    assert verdict(exact, whole(TrackCounts(requests=1000, errors=7))).outcome == "Pass"


@pytest.mark.parametrize(
    ("metric", "field"),
    [
        ("ErrorRate", "errors"),
        ("AuthFailureRate", "auth_failures"),
        ("FallbackRate", "fallbacks"),
        ("TruncationRate", "truncated"),
    ],
)
def test_each_rate_reads_its_own_count(metric: str, field: str) -> None:
    bounded = Metric(name=metric, max=5)
    bad = TrackCounts.model_validate({"requests": 100, field: 6})
    others = TrackCounts.model_validate(
        {"requests": 100, "errors": 50, "auth_failures": 50, "fallbacks": 50, "truncated": 50, field: 5}
    )
    assert verdict(bounded, whole(bad)).outcome == "Fail"
    assert verdict(bounded, whole(others)).outcome == "Pass"


def test_too_little_data_says_what_is_missing() -> None:
    held = verdict(ERRORS, whole(TrackCounts(requests=3, errors=3), TrackCounts(requests=1)))
    assert held.outcome == "Insufficient"
    assert held.message == "ErrorRate has too little data: canary 3 of 20 requests since the step began"
    assert verdict(ERRORS_BY_STABLE, whole(TrackCounts(requests=3), TrackCounts(requests=1))).message == (
        "ErrorRate has too little data: canary 3 of 20, stable 1 of 20 requests since the step began"
    )
    only_stable = verdict(ERRORS_BY_STABLE, whole(TrackCounts(requests=30, errors=30), TrackCounts(requests=19)))
    assert only_stable.outcome == "Insufficient"
    assert only_stable.message == "ErrorRate has too little data: stable 19 of 20 requests since the step began"


def test_an_absolute_bound_needs_nothing_of_stable() -> None:
    both = Metric(name="ErrorRate", max=5, max_ratio=2)
    assert verdict(both, whole(TrackCounts(requests=20, errors=20))).outcome == "Fail"
    assert verdict(both, whole(TrackCounts(requests=20))).outcome == "Insufficient"


@pytest.mark.parametrize(
    ("canary", "stable", "outcome"),
    [
        ((1, 200), (0, 20), "Pass"),
        ((1, 20), (0, 100_000), "Pass"),
        ((2, 20), (0, 20), "Pass"),
        ((4, 20), (0, 20), "Fail"),
        ((2, 200), (0, 100_000), "Fail"),
        ((25, 200), (4, 1000), "Fail"),
        ((25, 200), (63, 1000), "Pass"),
        ((200, 200), (1000, 1000), "Pass"),
    ],
)
def test_one_request_either_way_is_no_difference(
    canary: tuple[int, int], stable: tuple[int, int], outcome: str
) -> None:
    windows = whole(
        TrackCounts(errors=canary[0], requests=canary[1]), TrackCounts(errors=stable[0], requests=stable[1])
    )
    assert verdict(ERRORS_BY_STABLE, windows).outcome == outcome


def test_a_ratio_is_told_with_both_values() -> None:
    windows = whole(TrackCounts(requests=200, errors=25), TrackCounts(requests=1000, errors=4))
    assert verdict(ERRORS_BY_STABLE, windows).message == (
        "ErrorRate 12.5 % > 2 times stable (canary 25 of 200 requests; stable 0.4 %)"
    )
    stray = whole(TrackCounts(requests=200, errors=1), TrackCounts(requests=1000))
    assert verdict(ERRORS_BY_STABLE, stray).message == (
        "ErrorRate 0.5 % is not clearly above 2 times stable (canary 1 of 200 requests; stable 0 %)"
    )


def test_the_recent_window_is_judged_once_it_holds_enough() -> None:
    long_bad = Pair(TrackCounts(requests=1000), TrackCounts(requests=1000, errors=500))
    few = Pair(NOTHING, TrackCounts(requests=19))
    enough = Pair(NOTHING, TrackCounts(requests=20))
    assert verdict(ERRORS, Windows(few, long_bad)).outcome == "Fail"
    assert verdict(ERRORS, Windows(enough, long_bad)).outcome == "Pass"
    assert verdict(ERRORS_BY_STABLE, Windows(enough, long_bad)).outcome == "Fail", "stable has nothing recent"


def test_the_same_requests_do_not_fail_twice_in_a_row() -> None:
    bad = Pair(NOTHING, TrackCounts(requests=20, errors=3))
    assert verdict(ERRORS, Windows(None, bad)).outcome == "Fail"
    idle = verdict(ERRORS, Windows(Pair(NOTHING, NOTHING), bad))
    assert idle.outcome == "Insufficient"
    assert idle.message.endswith("as at the last verdict, and no request came since")
    one_more = Pair(NOTHING, TrackCounts(requests=1))
    assert verdict(ERRORS, Windows(one_more, bad)).outcome == "Fail"
    good = Pair(NOTHING, TrackCounts(requests=20))
    assert verdict(ERRORS, Windows(Pair(NOTHING, NOTHING), good)).outcome == "Pass", "quiet does not undo a pass"


def test_where_stable_serves_nobody_only_the_absolute_bound_holds() -> None:
    bad = whole(TrackCounts(requests=100, errors=50))
    both = Metric(name="ErrorRate", max=5, max_ratio=2)
    assert verdict(both, bad, comparable=False).outcome == "Fail"
    assert verdict(both, whole(TrackCounts(requests=100)), comparable=False).outcome == "Pass"
    not_compared = verdict(ERRORS_BY_STABLE, bad, comparable=False)
    assert not_compared.outcome == "Pass"
    assert "not compared, since stable serves nobody" in not_compared.message
    assert verdict(ERRORS_BY_STABLE, whole(NOTHING), comparable=False).outcome == "Insufficient"


def class_of(milliseconds: float) -> int:
    """Return the class whose end is the first at or above a time."""
    number = 0
    while TTFT_BASE**number < milliseconds:
        number += 1
    return number


def times(milliseconds: float, requests: int = 100) -> TrackCounts:
    return TrackCounts(requests=requests, first_token={class_of(milliseconds): requests})


def test_time_to_first_token_is_the_95th_percentile_inside_its_class() -> None:
    counts = TrackCounts(requests=200, first_token={30: 100, 40: 100})
    judged = verdict(Metric(name="TimeToFirstTokenP95", max=1), whole(counts))
    expected = TTFT_BASE**39 + (TTFT_BASE**40 - TTFT_BASE**39) * 0.9
    assert judged.outcome == "Fail"
    assert judged.canary == pytest.approx(expected, abs=0.001)
    assert judged.message == "TimeToFirstTokenP95 264 ms > 1 ms (canary 200 requests; stable without requests)"


def test_a_very_fast_stable_track_counts_as_fifty_milliseconds() -> None:
    metric = Metric(name="TimeToFirstTokenP95", max_ratio=2)
    assert verdict(metric, whole(times(80), times(1))).outcome == "Pass"
    assert verdict(metric, whole(times(200), times(1))).outcome == "Fail"
    assert verdict(metric, whole(times(900), times(500))).outcome == "Pass"
    assert verdict(metric, whole(times(1500), times(500))).outcome == "Fail"


def test_only_requests_with_a_first_token_are_samples_of_its_time() -> None:
    counts = TrackCounts(requests=100, first_token={30: 5})
    assert verdict(Metric(name="TimeToFirstTokenP95", max=1), whole(counts)).message == (
        "TimeToFirstTokenP95 has too little data: canary 5 of 20 requests with a first token since the step began"
    )


def test_cost_is_the_mean_over_the_requests_of_known_cost() -> None:
    counts = TrackCounts(requests=1000, costed=100, cost_micro_usd=1_234_500)
    judged = verdict(Metric(name="CostPerRequest", max=12_000), whole(counts, TrackCounts(requests=9)))
    assert judged.outcome == "Fail"
    assert judged.message == (
        "CostPerRequest 12345 micro-USD > 12000 micro-USD (canary 100 requests; stable without requests)"
    )
    dear, cheap = TrackCounts(requests=20, costed=20, cost_micro_usd=2000), TrackCounts(requests=20, costed=20)
    twice = Metric(name="CostPerRequest", max_ratio=2)
    assert verdict(twice, whole(dear, cheap)).outcome == "Pass", "a hundred micro-USD are within the floor"
    assert verdict(twice, whole(TrackCounts(requests=20, costed=20, cost_micro_usd=5000), cheap)).outcome == "Fail"


def test_cost_without_prices_names_the_field_to_set() -> None:
    unpriced = whole(TrackCounts(requests=50), TrackCounts(requests=50, costed=50, cost_micro_usd=1))
    judged = verdict(Metric(name="CostPerRequest", max=1), unpriced)
    assert judged.outcome == "Insufficient"
    assert judged.message == (
        "CostPerRequest is not known: of 50 canary requests none has a known cost; if they were answered, their model is "
        "not in the built-in price list: set spec.models[].pricing of the LLMProvider"
    )
    early = verdict(Metric(name="CostPerRequest", max=1), whole(TrackCounts(requests=3, costed=3)))
    assert "canary 3 of 20 requests of known cost" in early.message


ASKED = Metric(name="Queue", query="queue_length", max=10)
BUSY = whole(TrackCounts(requests=20))


def test_a_query_is_judged_by_its_number() -> None:
    assert verdict(ASKED, BUSY, Queue=Answer(10.5)).outcome == "Fail"
    assert verdict(ASKED, BUSY, Queue=Answer(10.5)).message == "Queue 10.5 > 10 (query; canary 20 requests)"
    assert verdict(ASKED, BUSY, Queue=Answer(0.0)).outcome == "Pass"


def test_a_query_without_an_answer_or_without_requests_is_no_verdict() -> None:
    unanswered = verdict(ASKED, BUSY, Queue=Answer(None, "Prometheus cannot be reached"))
    assert (unanswered.outcome, unanswered.message) == (
        "Insufficient",
        "Queue is not known: Prometheus cannot be reached",
    )
    assert verdict(ASKED, BUSY).outcome == "Insufficient"
    assert verdict(ASKED, whole(TrackCounts(requests=19)), Queue=Answer(99)).outcome == "Insufficient"


def test_a_query_may_take_the_name_of_a_built_in_metric() -> None:
    own = Metric(name="ErrorRate", query="my_errors", max=1)
    assert verdict(own, whole(TrackCounts(requests=20, errors=20)), ErrorRate=Answer(0.5)).outcome == "Pass"


def test_dry_runs_are_reported_but_do_not_count() -> None:
    bad = whole(TrackCounts(requests=100, errors=100, truncated=100))
    one = analysis(ERRORS, Metric(name="TruncationRate", max=1, dry_run=True))
    verdicts = judge(one, bad, {}, NOW)
    assert [(v.outcome, v.dry_run) for v in verdicts] == [("Fail", False), ("Fail", True)]
    assert harmed(verdicts, one)
    good = whole(TrackCounts(requests=100, truncated=100))
    assert not harmed(judge(one, good, {}, NOW), one)
    assert passed(judge(one, good, {}, NOW), one)
    every = analysis(ERRORS, dry_run=True)
    verdicts = judge(every, bad, {}, NOW)
    assert [(v.outcome, v.dry_run) for v in verdicts] == [("Fail", True)]
    assert not harmed(verdicts, every)
    assert passed(verdicts, every)


def test_nothing_passes_before_it_was_judged() -> None:
    two = analysis(ERRORS, Metric(name="TruncationRate", max=1))
    verdicts = judge(two, whole(TrackCounts(requests=100)), {}, NOW)
    assert passed(verdicts, two)
    assert not passed(verdicts[:1], two)
    assert not passed((), two)
    assert not passed(judge(two, whole(NOTHING), {}, NOW), two)


def test_verdicts_come_at_their_interval_but_too_little_data_need_not_wait_for_it() -> None:
    policy = analysis(ERRORS, interval="30s")
    soon, later = NOW + timedelta(seconds=5), NOW + timedelta(seconds=30)
    settled = judge(policy, whole(TrackCounts(requests=20)), {}, NOW)
    held = judge(policy, whole(NOTHING), {}, NOW)
    assert due(policy, None, NOW)
    assert not due(policy, NOW, soon, settled)
    assert due(policy, NOW, later, settled)
    assert due(policy, NOW, soon, held)
    assert not due(policy, NOW, NOW + timedelta(seconds=4), held)
    assert due(policy, later, NOW, settled), "a clock that was set back must not put off verdicts"
    assert not due(analysis(ERRORS, interval="0s"), NOW, NOW + timedelta(seconds=0.5), settled)


COUNT = st.integers(0, 300)


@st.composite
def tracks(draw: st.DrawFn) -> TrackCounts:
    requests = draw(COUNT)
    part = st.integers(0, requests)
    costed = draw(part)
    return TrackCounts(
        requests=requests,
        errors=draw(part),
        auth_failures=draw(part),
        fallbacks=draw(part),
        truncated=draw(part),
        costed=costed,
        cost_micro_usd=draw(st.integers(0, 10**7)) if costed else 0,
        first_token=draw(st.dictionaries(st.integers(-5, 20_000), st.integers(0, 100), max_size=4)),
    )


PAIRS = st.builds(Pair, stable=tracks(), canary=tracks())
WINDOWS = st.builds(Windows, recent=st.none() | PAIRS, whole=PAIRS)
BOUND = st.floats(0, 10**6) | st.integers(0, 3).map(float)
BOUNDS = st.tuples(BOUND, st.none() | BOUND) | st.tuples(st.none(), BOUND)


@st.composite
def policies(draw: st.DrawFn) -> Analysis:
    built_in = draw(st.lists(st.sampled_from(sorted(METRIC_UNITS)), max_size=6, unique=True))
    metrics = [Metric(name=n, max=m, max_ratio=r) for n in built_in for m, r in [draw(BOUNDS)]]
    metrics.append(Metric(name="Asked", query="up", max=draw(BOUND), dry_run=draw(st.booleans())))
    return analysis(*metrics, minSamples=draw(st.integers(1, 100)), dryRun=draw(st.booleans()))


ANSWERS: st.SearchStrategy[dict[str, Answer]] = st.just({}) | st.fixed_dictionaries(
    {"Asked": st.builds(Answer, st.floats(allow_nan=False, allow_infinity=False)) | st.just(Answer(None, "why"))}
)


@given(policies(), WINDOWS, ANSWERS, st.booleans())
def test_every_metric_gets_the_same_verdict_again(
    policy: Analysis, windows: Windows, answers: dict[str, Answer], comparable: bool
) -> None:
    verdicts = judge(policy, windows, answers, NOW, comparable=comparable)
    assert verdicts == judge(policy, windows, answers, NOW, comparable=comparable)
    assert [v.metric for v in verdicts] == [m.name for m in policy.metrics]
    assert all(v.message.startswith(v.metric) for v in verdicts)
    assert not (harmed(verdicts, policy) and passed(verdicts, policy))
    Verdict.model_validate_json(verdicts[0].model_dump_json())


@given(policies(), WINDOWS, ANSWERS)
def test_too_few_requests_never_fail(policy: Analysis, windows: Windows, answers: dict[str, Answer]) -> None:
    for judged in judge(policy, windows, answers, NOW):
        if judged.samples < policy.min_samples:
            assert judged.outcome == "Insufficient"


@given(BOUNDS, tracks(), tracks(), st.data())
def test_more_errors_never_turn_fail_into_pass(
    bounds: tuple[float | None, float | None], stable: TrackCounts, canary: TrackCounts, data: st.DataObject
) -> None:
    metric = Metric(name="ErrorRate", max=bounds[0], max_ratio=bounds[1])
    before = verdict(metric, whole(canary, stable)).outcome
    worse = data.draw(st.integers(canary.errors, canary.requests))
    further = data.draw(st.integers(0, 50))
    counts = canary.model_copy(update={"requests": canary.requests + further, "errors": worse + further})
    after = verdict(metric, whole(counts, stable)).outcome
    assert (before, after) not in {("Fail", "Pass"), ("Fail", "Insufficient")}


@given(BOUND, tracks(), tracks(), st.integers(0, 100))
def test_more_errors_of_stable_never_turn_pass_into_fail(
    ratio: float, stable: TrackCounts, canary: TrackCounts, more: int
) -> None:
    metric = Metric(name="ErrorRate", max_ratio=ratio)
    before = verdict(metric, whole(canary, stable)).outcome
    worse = stable.model_copy(update={"errors": min(stable.errors + more, stable.requests)})
    assert (before, verdict(metric, whole(canary, worse)).outcome) != ("Pass", "Fail")
