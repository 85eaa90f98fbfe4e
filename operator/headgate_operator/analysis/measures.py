"""The built-in metrics: what each reads from a track's counts, and how far that can be trusted in a comparison.

``at_least`` and ``at_most`` are what keeps a tiny value of stable from condemning the canary for a single request: the canary
is taken for a little better, and stable for a little worse, than what was counted.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from headgate_api.report import TTFT_BASE, TrackCounts
from headgate_api.resources.rolloutspec import METRIC_UNITS

LEAST_TTFT_MS: Final = 50.0
"""A faster stable track is taken for this fast: below it, differences are the machine's, not the vendor's."""
LEAST_COST_MICRO_USD: Final = 100.0
"""A cheaper stable request is taken for this dear (a hundredth of a cent)."""
_QUANTILE: Final = 0.95


@dataclass(frozen=True, slots=True)
class Measure:
    """One metric of one track."""

    value: float
    """As counted; 0 without samples."""
    at_least: float
    """What it is taken for as the canary's, compared with stable's."""
    at_most: float
    """What it is taken for as stable's, compared with the canary's."""
    samples: int
    told: str
    """The counts behind it, for people."""


def measure(metric: str, counts: TrackCounts) -> Measure:
    """Return what a built-in metric makes of one track. Raises KeyError for any other name."""
    return _BUILT_IN[metric](counts)


def sampled(metric: str) -> str:
    """Return what counts as a sample of a metric: not every request has something to say on each."""
    return {"TimeToFirstTokenP95": "requests with a first token", "CostPerRequest": "requests of known cost"}.get(
        metric, "requests"
    )


def unit(metric: str) -> str:
    """Return the unit of a built-in metric's value, with a space before it."""
    return f" {METRIC_UNITS[metric]}"


def quantile_ms(classes: Mapping[int, int], quantile: float) -> float:
    """Return the quantile of times counted in classes (class ``n`` ends at ``TTFT_BASE ** n`` ms); 0 without any.

    Inside a class the times are taken to be spread evenly, as Prometheus does with its histograms.
    """
    rank = quantile * sum(classes.values())
    below = 0
    for number in sorted(classes):
        count = classes[number]
        if count and below + count >= rank:
            start, end = _end_of(number - 1), _end_of(number)
            return start + (end - start) * (rank - below) / count
        below += count
    return 0.0


def _end_of(number: int) -> float:
    """Return the end of a class in milliseconds; the largest number there is for a class beyond all measure."""
    try:
        return float(TTFT_BASE**number)
    except OverflowError:
        return math.nextafter(math.inf, 0)


def _share(some: int, counts: TrackCounts) -> Measure:
    """Return a share of the requests in percent, give or take one: a first stray error proves nothing."""
    value, least, most = (
        100 * part / counts.requests if counts.requests else 0.0 for part in (some, some - 1, some + 1)
    )
    return Measure(value, least, most, counts.requests, f"{some} of {counts.requests} requests")


def _first_token(counts: TrackCounts) -> Measure:
    value, samples = quantile_ms(counts.first_token, _QUANTILE), sum(counts.first_token.values())
    return Measure(value, value, max(value, LEAST_TTFT_MS), samples, f"{samples} requests")


def _cost(counts: TrackCounts) -> Measure:
    value = counts.cost_micro_usd / counts.costed if counts.costed else 0.0
    return Measure(value, value, max(value, LEAST_COST_MICRO_USD), counts.costed, f"{counts.costed} requests")


_BUILT_IN: Final[Mapping[str, Callable[[TrackCounts], Measure]]] = {
    "ErrorRate": lambda c: _share(c.errors, c),
    "AuthFailureRate": lambda c: _share(c.auth_failures, c),
    "FallbackRate": lambda c: _share(c.fallbacks, c),
    "TruncationRate": lambda c: _share(c.truncated, c),
    "TimeToFirstTokenP95": _first_token,
    "CostPerRequest": _cost,
}
