"""What analysis looks at: both tracks over the same stretch of time, so that neither is blamed for a bad hour of the vendor's."""

from dataclasses import dataclass

from headgate_api.report import TrackCounts


@dataclass(frozen=True, slots=True)
class Pair:
    """Both tracks over one stretch of time, summed over all proxies."""

    stable: TrackCounts
    canary: TrackCounts


@dataclass(frozen=True, slots=True)
class Windows:
    """The two stretches a metric can be judged on: ``recent`` begins at the last verdict, ``whole`` with the step."""

    recent: Pair | None
    """None before the first verdict of the step."""
    whole: Pair


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query yielded: a finite number, or a sentence about why there is none (then ``value`` is None)."""

    value: float | None
    problem: str | None = None
