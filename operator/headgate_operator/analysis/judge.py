"""The verdicts on a canary: pure functions of what was counted, so that the same counts always end the same way.

A metric is judged on what happened since the last verdict, or where that is too little, since the step began. Too little
of both is no verdict: ``Insufficient`` says what is missing. ``max`` bounds the canary's value by itself. ``maxRatio``
bounds it by stable's in the same window, with a tolerance (see measures.py), since a tiny value of stable would otherwise
condemn the canary for a single request. A Fail needs at least one request of the canary since the last verdict, so that
``consecutiveFailures`` counts findings, not looks at the same finding.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, Literal

from headgate_api.report import REPORT_INTERVAL_SECONDS, TrackCounts
from headgate_api.resources.base import seconds_of, shortened
from headgate_api.resources.rolloutspec import Analysis, Metric
from headgate_api.resources.rolloutstatus import Verdict
from headgate_operator.analysis.measures import Measure, measure, sampled, unit
from headgate_operator.analysis.windows import Answer, Pair, Windows

_SHORTEST_INTERVAL: Final = 1.0
"""Seconds between two verdicts at least, whatever the policy says: each is a write to its status."""
_DIGITS: Final = 4
_Outcome = Literal["Pass", "Fail", "Insufficient"]


def judge(
    analysis: Analysis, windows: Windows, answers: Mapping[str, Answer], now: datetime, *, comparable: bool = True
) -> tuple[Verdict, ...]:
    """Return one verdict for each metric, in the policy's order.

    ``answers``: what the metrics with a query yielded, by name. ``comparable`` is False where stable serves nobody any more
    (weight 100): relative bounds have nothing to compare with there, and waiting for it would never end.
    """
    return tuple(
        _asked(metric, analysis, windows, answers.get(metric.name), now)
        if metric.query is not None
        else _counted(metric, analysis, windows, now, comparable=comparable)
        for metric in analysis.metrics
    )


def harmed(verdicts: Iterable[Verdict], analysis: Analysis) -> bool:
    """Tell whether this look found harm: a metric that counts fails. Consecutive looks are the caller's to count."""
    return any(v.outcome == "Fail" and v.metric in _counting(analysis) for v in verdicts)


def passed(verdicts: Iterable[Verdict], analysis: Analysis) -> bool:
    """Tell whether every metric that counts passes; dry-run ones do not count, and too little data is no pass."""
    return _counting(analysis) <= {v.metric for v in verdicts if v.outcome == "Pass"}


def due(analysis: Analysis, judged: datetime | None, now: datetime, verdicts: Iterable[Verdict] = ()) -> bool:
    """Tell whether it is time for a verdict; ``judged``: when the last ones were given, which ``verdicts`` are.

    While one of them is Insufficient the interval is no reason to wait: the next is due as soon as proxies report again.
    A time of the last verdicts that is still to come (a clock was set back) is no reason to wait either.
    """
    if judged is None or judged > now:
        return True
    interval = max(float(seconds_of(analysis.interval)), _SHORTEST_INTERVAL)
    if any(v.outcome == "Insufficient" for v in verdicts):
        interval = min(interval, REPORT_INTERVAL_SECONDS)
    return (now - judged).total_seconds() >= interval


def _counting(analysis: Analysis) -> frozenset[str]:
    return frozenset() if analysis.dry_run else frozenset(m.name for m in analysis.metrics if not m.dry_run)


def _counted(metric: Metric, analysis: Analysis, windows: Windows, now: datetime, *, comparable: bool) -> Verdict:
    """Judge a built-in metric."""
    needed = analysis.min_samples
    ratio = metric.max_ratio if comparable else None
    pair = _window(metric.name, windows, needed, both=ratio is not None)
    stable, canary = measure(metric.name, pair.stable), measure(metric.name, pair.canary)
    name = unit(metric.name)

    def verdict(outcome: _Outcome, message: str) -> Verdict:
        if outcome == "Fail" and not _news(metric.name, windows):
            outcome, message = "Insufficient", f"{message}; as at the last verdict, and no request came since"
        return _verdict(metric, analysis, outcome, f"{metric.name} {message}", now, canary, stable)

    if canary.samples < needed:
        return verdict("Insufficient", _missing(metric.name, pair, needed, both=ratio is not None))
    value = f"{_number(canary.value)}{name}"
    compared = f"{_number(stable.value)}{name}" if stable.samples else "without requests"
    evidence = f"(canary {canary.told}; stable {compared})"
    if metric.max is not None and canary.value > metric.max:
        return verdict("Fail", f"{value} > {_number(metric.max)}{name} {evidence}")
    if ratio is not None:
        if stable.samples < needed:
            return verdict("Insufficient", _missing(metric.name, pair, needed, both=True))
        if canary.at_least > ratio * stable.at_most:
            return verdict("Fail", f"{value} > {_number(ratio)} times stable {evidence}")
        sign = "≤" if canary.value <= ratio * stable.value else "is not clearly above"
        return verdict("Pass", f"{value} {sign} {_number(ratio)} times stable {evidence}")
    if metric.max is not None:
        return verdict("Pass", f"{value} ≤ {_number(metric.max)}{name} {evidence}")
    return verdict(
        "Pass", f"{value} is not compared, since stable serves nobody at this weight; max would still bound it"
    )


def _asked(metric: Metric, analysis: Analysis, windows: Windows, answer: Answer | None, now: datetime) -> Verdict:
    """Judge a metric with a query: the number is Prometheus's, but the canary's requests must stand behind it."""
    samples, needed = windows.whole.canary.requests, analysis.min_samples
    value = answer.value if answer is not None else None
    told = f"(query; canary {samples} requests)"
    outcome: _Outcome = "Insufficient"
    if answer is None or value is None:
        message = f"is not known: {(answer.problem if answer is not None else None) or 'Prometheus was not asked yet'}"
    elif metric.max is None:
        message = "has a query but no bound: set max of this metric in spec.analysis"
    elif samples < needed:
        message = f"has too little data: canary {samples} of {needed} requests since the step began"
    elif value > metric.max:
        outcome, message = "Fail", f"{_number(value)} > {_number(metric.max)} {told}"
    else:
        outcome, message = "Pass", f"{_number(value)} ≤ {_number(metric.max)} {told}"
    canary = None if value is None else Measure(value, value, value, samples, "")
    return _verdict(metric, analysis, outcome, f"{metric.name} {message}", now, canary)


def _window(metric: str, windows: Windows, needed: int, *, both: bool) -> Pair:
    """Return the recent window where it holds enough samples, else the whole one."""
    recent = windows.recent
    if recent is None or measure(metric, recent.canary).samples < needed:
        return windows.whole
    return windows.whole if both and measure(metric, recent.stable).samples < needed else recent


def _news(metric: str, windows: Windows) -> bool:
    """Tell whether the canary served anything since the last verdict: the same requests must not fail it twice in a row."""
    return windows.recent is None or measure(metric, windows.recent.canary).samples > 0


def _missing(metric: str, pair: Pair, needed: int, *, both: bool) -> str:
    """Say what is missing for a verdict."""
    tracks = {"canary": pair.canary, "stable": pair.stable} if both else {"canary": pair.canary}
    if metric == "CostPerRequest" and (track := next((t for t, c in tracks.items() if _unpriced(c, needed)), None)):
        return (
            f"is not known: of {tracks[track].requests} {track} requests none has a known cost; if they were answered, their "
            "model is not in the built-in price list: set spec.models[].pricing of the LLMProvider"
        )
    counted = {track: measure(metric, counts).samples for track, counts in tracks.items()}
    missing = [f"{track} {samples} of {needed}" for track, samples in counted.items() if samples < needed]
    return f"has too little data: {', '.join(missing)} {sampled(metric)} since the step began"


def _unpriced(counts: TrackCounts, needed: int) -> bool:
    return counts.requests >= needed and counts.costed == 0


def _number(value: float) -> str:
    """Return a number for people: whole from 100 on, three significant digits below."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _verdict(
    metric: Metric,
    analysis: Analysis,
    outcome: _Outcome,
    message: str,
    now: datetime,
    canary: Measure | None,
    stable: Measure | None = None,
) -> Verdict:
    return Verdict(
        metric=metric.name,
        outcome=outcome,
        dry_run=metric.dry_run or analysis.dry_run,
        canary=round(canary.value, _DIGITS) if canary is not None and canary.samples else None,
        stable=round(stable.value, _DIGITS) if stable is not None and stable.samples else None,
        samples=canary.samples if canary is not None else 0,
        message=shortened(message),
        at=now,
    )
