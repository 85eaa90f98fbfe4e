"""What all proxies counted of a rollout's step, kept in the leader's memory: the evidence behind verdicts.

Proxies report cumulative counts, so a new leader has the whole picture one report interval after it began; only the recent
window starts anew. Nothing is kept but the step of each policy that was last asked for.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from headgate_api.report import ProxyReport, RolloutObservation, TrackCounts
from headgate_api.resources.rolloutstatus import Verdict
from headgate_operator.analysis.windows import Pair, Windows

_COUNTS: Final = ("requests", "errors", "auth_failures", "fallbacks", "truncated", "costed", "cost_micro_usd")
_HARM: Final = ("errors", "auth_failures", "fallbacks", "truncated")
_NOTHING: Final = Pair(TrackCounts(), TrackCounts())


@dataclass(slots=True)
class _Step:
    """The counts of one policy's current step."""

    revision: str
    step: int
    needed: int
    last: dict[tuple[str, str], Pair] = field(default_factory=dict)
    """By (fleet, pod); pods that are gone keep their last."""
    total: Pair = _NOTHING
    shown: Pair = _NOTHING
    """The total at the last look, which verdicts are about."""
    mark: Pair | None = None
    """The total at the last verdict: where the recent window begins."""
    told: bool = False
    """Whether news went out since the last look, which will see whatever else arrives until then."""

    def windows(self) -> Windows:
        """Return what was counted since the last verdict, and since the step began."""
        return Windows(None if self.mark is None else _combined(self.total, self.mark, -1), self.total)


class Totals:
    """The counts by policy (namespace/name); ``windows`` says which step of which rollout is current, others are ignored."""

    def __init__(self) -> None:
        self._steps: dict[str, _Step] = {}

    def begin_term(self) -> None:
        """Forget everything: this process begins to lead."""
        self._steps.clear()

    def forget(self, policy: str) -> None:
        """Forget a policy that has no rollout any more, or is gone."""
        self._steps.pop(policy, None)

    def windows(self, policy: str, revision: str, step: int, *, min_samples: int = 1) -> Windows:
        """Return what was counted of this step, the same that the head's Split names; from now on it is the current one.

        ``min_samples``: how many requests of a track are news, because a verdict may be possible then.
        """
        known = self._steps.get(policy)
        if known is None or (known.revision, known.step) != (revision, step):
            known = self._steps[policy] = _Step(revision, step, min_samples)
        known.needed, known.told, known.shown = min_samples, False, known.total
        return known.windows()

    def judged(self, policy: str, verdicts: Iterable[Verdict]) -> None:
        """Let the recent window begin anew with what came after the last look, where ``verdicts`` used that up.

        Too little data goes on adding up.
        """
        known = self._steps.get(policy)
        if known is not None and any(v.outcome != "Insufficient" for v in verdicts):
            known.mark = known.shown

    def take(self, report: ProxyReport) -> frozenset[str]:
        """Add a proxy's report, and return the policies that deserve a look now, not only at their next interval.

        That is where the canary shows a new error, authentication failure, fallback or truncation, or where a track comes to
        have enough samples. The deciding (stable) proxies count both tracks, so what a canary pod says is left aside.
        """
        if report.track == "canary":
            return frozenset()
        return frozenset(o.policy for o in report.rollouts if self._add((report.fleet, report.pod), o))

    def _add(self, pod: tuple[str, str], observation: RolloutObservation) -> bool:
        """Add one observation; tell whether it is news."""
        known = self._steps.get(observation.policy)
        if known is None or (known.revision, known.step) != (observation.revision, observation.step):
            return False
        now = Pair(observation.stable, observation.canary)
        last = known.last.get(pod, _NOTHING)
        # Lower counts: the container began anew under the same pod's name, and what it had counted stays counted.
        added = now if _went_back(now, last) else _combined(now, last, -1)
        before = known.windows()
        known.last[pod] = now
        known.total = _combined(known.total, added, 1)
        news = any(getattr(added.canary, name) for name in _HARM) or _enough(before, known.windows(), known.needed)
        if known.told or not news:
            return False
        known.told = True
        return True


def _enough(before: Windows, after: Windows, needed: int) -> bool:
    """Tell whether a track has come to have ``needed`` requests in one of the windows."""
    pairs = [(before.whole, after.whole)]
    if before.recent is not None and after.recent is not None:
        pairs.append((before.recent, after.recent))
    tracks = [track for old, new in pairs for track in ((old.stable, new.stable), (old.canary, new.canary))]
    return any(old.requests < needed <= new.requests for old, new in tracks)


def _combined(one: Pair, other: Pair, sign: int) -> Pair:
    return Pair(_sum(one.stable, other.stable, sign), _sum(one.canary, other.canary, sign))


def _sum(one: TrackCounts, other: TrackCounts, sign: int) -> TrackCounts:
    """Return ``one`` plus (or with ``sign`` -1 minus) ``other``."""
    classes = {
        number: count
        for number in one.first_token.keys() | other.first_token.keys()
        if (count := one.first_token.get(number, 0) + sign * other.first_token.get(number, 0))
    }
    numbers = {name: getattr(one, name) + sign * getattr(other, name) for name in _COUNTS}
    return TrackCounts(first_token=classes, **numbers)


def _went_back(now: Pair, last: Pair) -> bool:
    return _lower(now.stable, last.stable) or _lower(now.canary, last.canary)


def _lower(now: TrackCounts, last: TrackCounts) -> bool:
    """Tell whether any count is lower than it was."""
    return any(getattr(now, name) < getattr(last, name) for name in _COUNTS) or any(
        now.first_token.get(number, 0) < count for number, count in last.first_token.items()
    )
