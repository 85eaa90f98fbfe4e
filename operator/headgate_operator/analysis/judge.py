"""The verdicts on a canary: pure functions of what was counted, so that the same counts always end the same way."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from headgate_api.resources.rolloutpolicy import Analysis, Verdict
from headgate_operator.analysis.windows import Answer, Windows


def judge(
    analysis: Analysis, windows: Windows, answers: Mapping[str, Answer], now: datetime, *, comparable: bool = True
) -> tuple[Verdict, ...]:
    """Return one verdict for each metric, in the policy's order.

    ``answers``: what the metrics with a query yielded, by name. ``comparable`` is False where stable serves nobody any more
    (weight 100): relative bounds have nothing to compare with there, and waiting for it would never end.
    """
    raise NotImplementedError


def harmed(verdicts: Iterable[Verdict], analysis: Analysis) -> bool:
    """Tell whether this look found harm: a metric that counts fails. Consecutive looks are the caller's to count."""
    raise NotImplementedError


def passed(verdicts: Iterable[Verdict], analysis: Analysis) -> bool:
    """Tell whether every metric that counts passes; dry-run ones do not count, and too little data is no pass."""
    raise NotImplementedError


def due(analysis: Analysis, judged: datetime | None, now: datetime, verdicts: Iterable[Verdict] = ()) -> bool:
    """Tell whether it is time for a verdict; ``judged``: when the last ones were given, which ``verdicts`` are."""
    raise NotImplementedError
