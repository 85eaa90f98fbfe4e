"""Going back without new steps: content that was promoted, and was stable until a moment ago, is known to serve."""

from datetime import datetime
from itertools import pairwise

from headgate_api.resources.rolloutstatus import HistoryEntry
from headgate_operator.rollout.ending import STABLE_CHANGED
from headgate_operator.rollout.look import after


def returned(history: tuple[HistoryEntry, ...], content: str, window: str, now: datetime) -> bool:
    """Tell whether ``content`` was stable, and ceased to be less than ``window`` (a Duration) ago.

    An end that lies ahead of a clock that was set back has no known age: then the steps are taken.
    """
    stable = [entry for entry in history if entry.outcome in STABLE_CHANGED]
    return any(
        before.content == content and newer.ended <= now < after(newer.ended, window)
        for newer, before in pairwise(stable)
    )
