"""What this proxy knows of every account's limits: read from answers, learnt from the broker, kept across a restart.

Limits belong to the account: a refreshed token meets the same ones. Of several observations the newest counts, and an answer to
a request that was sent before a limit was met does not end that limit.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from headgate_api.clock import Clock
from headgate_api.limits import Limit, believable, concerns, gist, in_force, merged, moved, standing, used_percent
from headgate_api.reasons import SkipReason
from headgate_api.report import MAX_LIMITS
from headgate_api.resources.limits import LimitObservation, LimitWindow, Scope
from headgate_proxy.state import StateDir

_FILE: Final = "limits.json"
_IN_TURN: Final = 25
"""How many observations that are no news a report carries all the same, so that the broker knows each to be alive."""
_FAR: Final = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Told:
    """What one answer's headers say of limits."""

    windows: tuple[LimitWindow, ...]
    limited_until: datetime | None = None


@dataclass(slots=True)
class _Known:
    """An observation with what selection asks of it most, worked out once; ``used`` holds until ``until``.

    ``told``: the windows it came of, where an answer told of them; ``again``: when an answer last said the same.
    """

    seen: LimitObservation
    free: bool
    used: float
    until: datetime | None
    told: tuple[LimitWindow, ...] | None = None
    again: datetime | None = None

    def now(self) -> LimitObservation:
        """Return the observation as of when it was last made."""
        return self.seen if self.again is None else self.seen.model_copy(update={"at": self.again})


class Limits:
    """The limits of every account. ``on_change`` is told when an account comes to a limit, or is free of one."""

    def __init__(
        self, clock: Clock, on_change: Callable[[], None] = lambda: None, state: StateDir | None = None
    ) -> None:
        self._clock = clock
        self._on_change = on_change
        self._state = state
        self._known: dict[Scope, _Known] = {}
        self._news: dict[Scope, None] = {}
        self._turn: list[Scope] = []
        self._changed = False

    def in_force(self, scope: Scope, model: str, now: datetime) -> Limit | None:
        """Return the limit that a request for ``model`` by a credential would meet now."""
        known = self._known.get(scope)
        return None if known is None or known.free else in_force(known.seen, now, model)

    def used(self, scope: Scope, model: str, now: datetime) -> float:
        """Return how many percent of the account's tightest window are used; 0 where nothing is known."""
        known = self._known.get(scope)
        if known is None:
            return 0.0
        return known.used if known.until is not None and now < known.until else used_percent(known.seen, now, model)

    def told(self, scope: Scope, told: Told, sent_at: datetime) -> None:
        """Take what a successful answer said of the account whose request was sent at ``sent_at``."""
        known = self._known.get(scope)
        if known is not None and known.free and known.told is told.windows and told.limited_until is None:
            known.again = self._clock.now()
            return
        self._observe(scope, told.windows, told.limited_until, None, sent_at)

    def refused(self, scope: Scope, reason: SkipReason, until: datetime | None, told: Told | None) -> None:
        """Take a refusal for a limit of the account, which lasts ``until`` then (None: nobody knows)."""
        windows = told.windows if told is not None else ()
        if until is None and not windows:
            return
        limited = until is not None or any(window.exhausted for window in windows)
        self._observe(scope, windows, until, reason if limited else None, None)

    def accepted(self, scope: Scope, sent_at: datetime) -> None:
        """Take that the vendor took a request, and said nothing of limits: then it is at none."""
        known = self._known.get(scope)
        if known is not None and not known.free and known.seen.limited_until is not None:
            self._observe(scope, known.seen.windows, None, None, sent_at)

    def learn(self, observations: Iterable[LimitObservation]) -> None:
        """Take what others observed."""
        now = self._clock.now()
        for seen in observations:
            taken = believable(seen, now)
            if taken is not None:
                self._take(taken)

    def news(self) -> tuple[LimitObservation, ...]:
        """Return what the next report says: everything the broker does not know yet, and some of the rest in turn."""
        now = self._clock.now()
        scopes = dict.fromkeys(list(self._news)[:MAX_LIMITS])
        room = min(_IN_TURN, MAX_LIMITS - len(scopes))
        scopes |= dict.fromkeys(self._turn[-room:] if room else ())
        return tuple(standing(self._known[scope].now(), now) for scope in scopes if scope in self._known)

    def in_force_now(self) -> dict[str, Limit]:
        """Return the limits in force by credential path; those of one model alone are not among them."""
        now = self._clock.now()
        found = ((scope[0], in_force(known.seen, now)) for scope, known in self._known.items() if not known.free)
        return {path: limit for path, limit in found if limit is not None}

    def reported(self, observations: Iterable[LimitObservation]) -> None:
        """Take note that the broker knows these."""
        said = {seen.scope: seen.at for seen in observations}
        for scope, at in said.items():
            known = self._known.get(scope)
            if known is None or known.seen.at <= at:
                self._news.pop(scope, None)
        while self._turn and (self._turn[-1] in said or self._turn[-1] not in self._known):
            self._turn.pop()
        if not self._turn:
            self._turn = list(self._known)

    def report_all(self) -> None:
        """Take note that the broker knows nothing: another one leads."""
        self._news = dict.fromkeys(self._known)

    def retain(self, paths: Iterable[str]) -> None:
        """Forget every credential but these."""
        wanted = frozenset(paths)
        self._known = {scope: known for scope, known in self._known.items() if scope[0] in wanted}
        self._news = {scope: None for scope in self._news if scope in self._known}

    def restore(self) -> None:
        """Take up what was kept before a restart; what cannot be read is learnt again."""
        content = self._state.read(_FILE) if self._state is not None else None
        try:
            found = [LimitObservation.model_validate(item) for item in json.loads(content or b"[]")]
        except (ValueError, TypeError):
            return
        self.learn(found)

    def keep(self) -> None:
        """Keep what is known for a restart, where it changed. Raises OSError."""
        if self._state is not None and self._changed:
            content = json.dumps([known.now().to_wire() for known in self._known.values()])
            self._state.write(_FILE, content.encode())
            self._changed = False

    def _observe(
        self,
        scope: Scope,
        windows: tuple[LimitWindow, ...],
        until: datetime | None,
        reason: SkipReason | None,
        sent_at: datetime | None,
    ) -> None:
        known, now = self._known.get(scope), self._clock.now()
        if known is not None and sent_at is not None and not known.free and known.seen.at > sent_at:
            return
        path, grant = scope
        seen = LimitObservation(path=path, grant=grant, windows=windows, limited_until=until, reason=reason, at=now)
        self._take(seen, windows)

    def _take(self, seen: LimitObservation, told: tuple[LimitWindow, ...] | None = None) -> None:
        """Take an observation; ``told``: what an answer said, where it was this proxy that heard it."""
        before = self._known.get(seen.scope)
        seen = merged(before.now() if before is not None else None, seen)
        self._known[seen.scope] = _Known(seen, _free(seen), *_used(seen), told=told)
        if before is not None and gist(before.seen) == gist(seen):
            return
        self._changed = True
        if told is None:
            return
        self._news[seen.scope] = None
        now = self._clock.now()
        if moved(None if before is None else standing(before.seen, now), standing(seen, now)):
            self._on_change()


def _free(seen: LimitObservation) -> bool:
    return seen.limited_until is None and not any(window.exhausted for window in seen.windows)


def _used(seen: LimitObservation) -> tuple[float, datetime | None]:
    """Return how much is used, whatever the model, and until when that holds; None: ask ``used_percent``."""
    if not all(concerns(window, "") for window in seen.windows):
        return 0.0, None
    resets = [window.resets_at for window in seen.windows if window.used_percent and window.resets_at is not None]
    return used_percent(seen, seen.at), min(resets, default=_FAR)
