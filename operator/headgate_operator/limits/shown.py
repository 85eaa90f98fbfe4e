"""What an account's status says of its limits: bounded in how often it changes, exact in when a limit begins and ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from headgate_api.clock import rfc3339
from headgate_api.limits import gist, in_force, moved, standing
from headgate_api.reasons import ConditionReason, ConditionType, SkipReason
from headgate_api.resources import SubscriptionAccount, SubscriptionAccountStatus
from headgate_api.resources.base import Observation
from headgate_api.resources.limits import LimitObservation, LimitWindow
from headgate_api.vault import access_path

SHOWN_EVERY: Final = timedelta(seconds=30)
"""At most this often percentages move a status; that a limit begins or ends is shown at once."""


@dataclass(frozen=True, slots=True)
class Shown:
    """``observations``: WithinLimits, once anything is known. ``look_again`` (seconds): when a limit ends."""

    windows: tuple[LimitWindow, ...] = ()
    windows_at: datetime | None = None
    limited_until: datetime | None = None
    observations: tuple[Observation, ...] = ()
    look_again: float | None = None

    def into(self, status: SubscriptionAccountStatus) -> SubscriptionAccountStatus:
        """Return the status with what is known of limits."""
        return status.model_copy(
            update={"windows": self.windows, "windows_at": self.windows_at, "limited_until": self.limited_until}
        )


def as_told(account: SubscriptionAccount, grant: str) -> LimitObservation | None:
    """Return what the status last said, as an observation: what a new leader begins with."""
    status = account.status
    if status.windows_at is None or status.credential is None or status.credential.grant_id != grant:
        return None
    said = next((c.reason for c in status.conditions if c.type == ConditionType.WITHIN_LIMITS), None)
    quota = said == SkipReason.QUOTA_EXHAUSTED
    return LimitObservation(
        path=access_path(*account.key),
        grant=grant,
        windows=status.windows,
        limited_until=status.limited_until,
        reason=None
        if status.limited_until is None
        else SkipReason.QUOTA_EXHAUSTED
        if quota
        else SkipReason.RATE_LIMITED,
        at=status.windows_at,
    )


def shown(account: SubscriptionAccount, grant: str | None, known: LimitObservation | None, now: datetime) -> Shown:
    """Return what the status is to say. ``grant``: the one in use; ``known``: what is known of it."""
    if grant is None:
        return Shown()
    before = as_told(account, grant)
    seen = known if known is not None and (before is None or known.at >= before.at) else before
    if seen is None:
        return Shown()
    if before is not None and _keeps(before, seen, now):
        seen = before
    seen = standing(seen, now)
    windows = tuple(_whole(window) for window in seen.windows)
    limit = in_force(seen, now)
    if limit is None:
        observation = _observe(True, ConditionReason.AVAILABLE, f"the vendor takes requests; used: {_used(windows)}")
        return Shown(windows, seen.at.replace(microsecond=0), None, (observation,), _next_reset(windows, now))
    until = _up(limit.until)
    text = (
        f"the vendor refuses requests until {rfc3339(until)}; other accounts or modes serve meanwhile, where they may"
    )
    observation = _observe(False, limit.reason, f"{text}; used: {_used(windows)}")
    wait = (limit.until - now).total_seconds()
    return Shown(windows, seen.at.replace(microsecond=0), until, (observation,), wait)


def _keeps(before: LimitObservation, seen: LimitObservation, now: datetime) -> bool:
    """Tell whether the status goes on saying what it says: nothing of it is wrong, or it said so a moment ago."""
    old, new = standing(before, now), standing(seen, now)
    if moved(old, new):
        return False
    return gist(old) == gist(new) or seen.at - before.at < SHOWN_EVERY


def _whole(window: LimitWindow) -> LimitWindow:
    used = None if window.used_percent is None else float(int(window.used_percent))
    resets = None if window.resets_at is None else _up(window.resets_at)
    return window.model_copy(update={"used_percent": used, "resets_at": resets})


def _up(moment: datetime) -> datetime:
    """Return a moment in whole seconds: never earlier than the vendor said."""
    return moment if moment.microsecond == 0 else moment.replace(microsecond=0) + timedelta(seconds=1)


def _next_reset(windows: Sequence[LimitWindow], now: datetime) -> float | None:
    resets = (w.resets_at for w in windows if w.resets_at is not None and w.resets_at > now)
    return min(((moment - now).total_seconds() for moment in resets), default=None)


def _used(windows: Sequence[LimitWindow]) -> str:
    told = (f"{w.name} {w.used_percent:.0f} %" for w in windows if w.used_percent is not None)
    return ", ".join(told) or "not known"


def _observe(status: bool, reason: ConditionReason | SkipReason, message: str) -> Observation:
    return Observation(ConditionType.WITHIN_LIMITS, status, reason, message)
