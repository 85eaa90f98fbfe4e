"""What follows from observed limits: which credential is at one now and until when, how much is used, and whose word counts.

Pure, and the same in both planes, so that a proxy, the broker and the status of an account cannot come to different ends.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from headgate_api.reasons import SkipReason
from headgate_api.resources.limits import MAX_WINDOWS, LimitObservation, LimitWindow

LONGEST: Final = timedelta(days=8)
"""No vendor's window is longer: whatever says more is not believed."""
SKEW: Final = timedelta(minutes=1)
"""How far clocks of a cluster may differ: an observation from further ahead is not believed."""
_SAME: Final = timedelta(seconds=5)
"""A reset counted from two answers differs by rounding: that is no news."""
_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_FAMILIES: Final = ("opus", "sonnet", "haiku")
"""Model families that a vendor limits by a window of their own, named in the window's name (``7d_opus``)."""


_REFUSED_AS: Final = {"primary": SkipReason.QUOTA_EXHAUSTED, "secondary": SkipReason.QUOTA_EXHAUSTED}
"""Codex plans say ``usage_limit_reached``, which is a quota; an account that is known to be full must cross no other row of the
spend boundary than one that was refused."""
_OVERAGE: Final = "overage"
"""What a plan's holder pays for beyond the plan: it never keeps a request from the account."""


@dataclass(frozen=True, slots=True)
class Limit:
    """The vendor refuses requests of the account until then."""

    reason: SkipReason
    until: datetime


def concerns(window: LimitWindow, model: str) -> bool:
    """Tell whether a window counts requests for this model (empty: whether it counts all requests)."""
    if window.name == _OVERAGE:
        return False
    family = next((family for family in _FAMILIES if family in window.name), None)
    return family is None or family in model


def in_force(seen: LimitObservation, now: datetime, model: str = "") -> Limit | None:
    """Return the limit that a request for ``model`` would meet now; what has reset limits nobody, to the microsecond.

    Its reason is what the vendor's refusal was told to be; where none was met yet, what that vendor's refusals are.
    """
    until, reason = seen.limited_until, seen.reason or SkipReason.RATE_LIMITED
    for window in seen.windows:
        ends = window.resets_at if window.exhausted and concerns(window, model) else None
        if ends is not None and (until is None or ends > until):
            until, reason = ends, seen.reason or _REFUSED_AS.get(window.name, SkipReason.RATE_LIMITED)
    if until is None or until <= now:
        return None
    return Limit(reason, until)


def used_percent(seen: LimitObservation, now: datetime, model: str = "") -> float:
    """Return how much of the tightest window is used; 0 where nothing is known, or everything has reset."""
    used = (
        window.used_percent
        for window in seen.windows
        if window.used_percent is not None
        and (window.resets_at is None or window.resets_at > now)
        and concerns(window, model)
    )
    return max(used, default=0.0)


def merged(first: LimitObservation | None, second: LimitObservation) -> LimitObservation:
    """Return what both together say of one credential: the same whichever came first, and however often they come again.

    The newer one counts. Windows that it does not name go on until they reset: a vendor tells of a model's own window
    only in answers about that model. Of two made at one moment, the one that is nearer to a limit counts.
    """
    if first is None:
        return second.model_copy(update={"windows": _in_order(second.windows)})
    if first.at == second.at:
        limit = max(first, second, key=lambda seen: (seen.limited_until or _NEVER, seen.reason or ""))
        named = {w.name: w for w in sorted((*first.windows, *second.windows), key=_nearness)}
        return limit.model_copy(update={"windows": _in_order(named.values())})
    older, newer = (first, second) if first.at < second.at else (second, first)
    named = {window.name: window for window in newer.windows}
    kept = [w for w in older.windows if w.name not in named and w.resets_at is not None and w.resets_at > newer.at]
    update: dict[str, object] = {"windows": _in_order((*named.values(), *kept))}
    if newer.reason is None and _exhausted(newer) and in_force(older, newer.at) is not None:
        update["reason"] = older.reason  # a poll finds it full still: the refusal that said why stands
    return newer.model_copy(update=update)


def _nearness(window: LimitWindow) -> tuple[bool, float, datetime]:
    used = -1.0 if window.used_percent is None else window.used_percent
    return window.exhausted, used, window.resets_at or _NEVER


def _in_order(windows: Iterable[LimitWindow]) -> tuple[LimitWindow, ...]:
    return tuple(sorted(windows, key=lambda window: window.name))[:MAX_WINDOWS]


def believable(seen: LimitObservation, now: datetime) -> LimitObservation | None:
    """Return what may be taken over of somebody else's observation: nothing from the future, nothing beyond LONGEST."""
    if not now - LONGEST <= seen.at <= now + SKEW:
        return None
    latest = now + LONGEST
    windows = tuple(
        window if window.resets_at is None else window.model_copy(update={"resets_at": min(window.resets_at, latest)})
        for window in seen.windows
    )
    until = None if seen.limited_until is None else min(seen.limited_until, latest)
    reason = seen.reason if seen.reason in (SkipReason.RATE_LIMITED, SkipReason.QUOTA_EXHAUSTED) else None
    return seen.model_copy(update={"windows": windows, "limited_until": until, "reason": reason})


def standing(seen: LimitObservation, now: datetime) -> LimitObservation:
    """Return the observation without what has reset since."""
    windows = tuple(window for window in seen.windows if window.resets_at is None or window.resets_at > now)
    if len(windows) == len(seen.windows) and (seen.limited_until is None or seen.limited_until > now):
        return seen
    limited = seen.limited_until is not None and seen.limited_until > now
    reason = seen.reason if limited or any(window.exhausted for window in windows) else None
    until = seen.limited_until if limited else None
    return seen.model_copy(update={"windows": windows, "limited_until": until, "reason": reason})


def gist(seen: LimitObservation) -> tuple[object, ...]:
    """Return what makes an observation news: whole percents, resets to the second, and whether it is a limit."""
    windows = ((w.name, int(w.used_percent or 0), _second(w.resets_at), w.exhausted) for w in seen.windows)
    return (*sorted(windows), _second(seen.limited_until), seen.reason)


def moved(before: LimitObservation | None, after: LimitObservation) -> bool:
    """Tell whether something must be known everywhere at once: a limit begins, ends, or ends at another time than it was to."""
    if before is None:
        return after.limited_until is not None or any(window.exhausted for window in after.windows)
    if before.reason != after.reason or _exhausted(before).keys() != _exhausted(after).keys():
        return True
    pairs = [(until, _exhausted(after)[name]) for name, until in _exhausted(before).items()]
    return any(_apart(*pair) for pair in (*pairs, (before.limited_until, after.limited_until)))


def _exhausted(seen: LimitObservation) -> dict[str, datetime | None]:
    return {window.name: window.resets_at for window in seen.windows if window.exhausted}


def _apart(one: datetime | None, other: datetime | None) -> bool:
    return one is not other if one is None or other is None else abs(one - other) > _SAME


def _second(moment: datetime | None) -> int | None:
    return None if moment is None else math.ceil(moment.timestamp())
