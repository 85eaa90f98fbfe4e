"""The newest word on every account's limits, from whichever proxy or poll it came, and who has heard it.

A fleet may speak of, and hears of, the credentials that its own snapshot names and no others. What it says is believed within
bounds (``headgate_api.limits.believable``), so that a broken proxy can hold up an account of its own fleet, for eight days at
most, and nobody else's at all.
"""

import secrets
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from headgate_api.clock import Clock
from headgate_api.limits import believable, gist, merged, moved, standing
from headgate_api.report import MAX_LIMITS, ProxyReport, ReportAnswer
from headgate_api.resources import SubscriptionAccount
from headgate_api.resources.limits import LimitObservation, Scope
from headgate_api.snapshot import Snapshot
from headgate_operator.engine.keys import Key
from headgate_operator.limits.shown import SHOWN_EVERY

_GRANTS: Final = 4
"""Grants of one path that are known at once: the stable one, a candidate's, and those just replaced."""


@dataclass(frozen=True, slots=True)
class _Known:
    seen: LimitObservation
    number: int
    """When it changed last, in the order of all changes."""


class KnownLimits:
    """What the leader knows, in memory: a new leader has it from the accounts' statuses and the proxies' next reports."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: OrderedDict[Scope, _Known] = OrderedDict()
        self._grants: dict[str, list[str]] = {}
        self._served: dict[str, frozenset[str]] = {}
        self._number = 0
        self._term = secrets.token_hex(8)
        self._shown: dict[Scope, float] = {}
        self._waiting: OrderedDict[Scope, float] = OrderedDict()

    def begin_term(self) -> None:
        """Forget everything: this process begins to lead."""
        self._known.clear()
        self._grants.clear()
        self._served.clear()
        self._shown.clear()
        self._waiting.clear()
        self._term = secrets.token_hex(8)

    def serve(self, fleet: str, snapshot: Snapshot) -> None:
        """Take note of the credentials that a fleet's proxies use."""
        forms = [(f.api_key, f.workload_identity) for e in snapshot.providers for f in (e.stable, e.candidate) if f]
        access = [(f.access,) for e in snapshot.accounts for f in (e.stable, e.candidate) if f]
        self._served[fleet] = frozenset(p.path for pointers in (*forms, *access) for p in pointers if p is not None)

    def forget(self, fleet: str) -> None:
        """Take note that a fleet is gone."""
        self._served.pop(fleet, None)

    def of(self, path: str, grant: str) -> LimitObservation | None:
        """Return what is known of one grant, without what has reset since."""
        known = self._known.get((path, grant))
        return None if known is None else standing(known.seen, self._clock.now())

    def observe(self, seen: LimitObservation) -> set[Key]:
        """Take an observation and return the accounts whose status is to show it now."""
        before = self._known.get(seen.scope)
        after = merged(before.seen if before is not None else None, seen)
        now, clock = self._clock.now(), self._clock.monotonic()
        told = before is not None and gist(standing(before.seen, now)) == gist(standing(after, now))
        if before is not None and told:
            self._known[seen.scope] = _Known(after, before.number)
            return set()
        self._number += 1
        self._known[seen.scope] = _Known(after, self._number)
        self._known.move_to_end(seen.scope)
        self._bound(seen.path, seen.grant)
        urgent = before is None or moved(standing(before.seen, now), standing(after, now))
        if (
            not urgent
            and clock - self._shown.get(seen.scope, -SHOWN_EVERY.total_seconds()) < SHOWN_EVERY.total_seconds()
        ):
            self._waiting.setdefault(seen.scope, clock)
            return set()
        return self._show(seen.scope)

    def accept(self, report: ProxyReport) -> set[Key]:
        """Take what a proxy says and return the accounts whose status is to show something now."""
        served, now = self._served.get(report.fleet, frozenset()), self._clock.now()
        touched: set[Key] = set()
        for said in report.limits:
            seen = believable(said, now) if said.path in served else None
            if seen is not None:
                touched |= self.observe(seen)
        return touched | self._overdue()

    def answer(self, report: ProxyReport) -> ReportAnswer:
        """Return what a proxy has not heard yet; without a cursor while nobody knows what its fleet serves."""
        served = self._served.get(report.fleet)
        if served is None:
            return ReportAnswer()
        heard, said, now = (
            self._heard(report.limits_cursor),
            {seen.scope: seen for seen in report.limits},
            self._clock.now(),
        )
        news: list[_Known] = []
        for known in reversed(self._known.values()):
            if known.number <= heard:
                break
            news.append(known)
        told: list[LimitObservation] = []
        for known in reversed(news):
            if len(told) == MAX_LIMITS:
                break
            heard = known.number
            if known.seen.path in served and known.seen != said.get(known.seen.scope):
                told.append(standing(known.seen, now))
        return ReportAnswer(limits=tuple(told), limits_cursor=f"{self._term}:{heard}")

    def _heard(self, cursor: str | None) -> int:
        term, _, number = (cursor or "").partition(":")
        return int(number) if term == self._term and number.isdecimal() and len(number) < 19 else 0

    def _overdue(self) -> set[Key]:
        """Return the accounts whose news waited for long enough."""
        touched: set[Key] = set()
        latest = self._clock.monotonic() - SHOWN_EVERY.total_seconds()
        while self._waiting and next(iter(self._waiting.values())) <= latest:
            touched |= self._show(next(iter(self._waiting)))
        return touched

    def _show(self, scope: Scope) -> set[Key]:
        self._waiting.pop(scope, None)
        self._shown[scope] = self._clock.monotonic()
        key = account_of(scope[0])
        return set() if key is None else {key}

    def _bound(self, path: str, grant: str) -> None:
        grants = self._grants.setdefault(path, [])
        if grant in grants:
            return
        grants.append(grant)
        if len(grants) > _GRANTS:
            scope = (path, grants.pop(0))
            self._known.pop(scope, None)
            self._shown.pop(scope, None)
            self._waiting.pop(scope, None)


def account_of(path: str) -> Key | None:
    """Return the SubscriptionAccount whose access token is at a Vault path, or None for other credentials."""
    namespace, plural, name, *_ = [*path.split("/"), "", ""]
    return Key(SubscriptionAccount.KIND, namespace, name) if plural == SubscriptionAccount.PLURAL else None
