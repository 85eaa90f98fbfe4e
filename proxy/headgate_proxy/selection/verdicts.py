"""What upstreams have said of the credentials used, and which fallbacks are in force: the memory between requests.

A refusal stays with the version of the credential that met it; limits are the account's (``limits``). Nothing here waits
or does I/O: the proxy's reporter reads it, and is told through ``on_change`` when there is something new.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from headgate_api.clock import Clock
from headgate_api.decisions import DECISIONS, Memory
from headgate_api.reasons import AuthMode, SkipReason
from headgate_api.report import CredentialObservation, FallbackObservation
from headgate_proxy.routing.provider import Provider
from headgate_proxy.routing.routing import Routing
from headgate_proxy.selection.limits import Limits, Told
from headgate_proxy.selection.states import Failure, Fallback, Held

FORGET_FALLBACK: Final = timedelta(minutes=1)
"""How long a fallback counts as active after the last request that met it, when no verdict stands behind it."""

Record = tuple[str, int]
"""Path and version of a credential."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the upstream last said against one version of a credential; selection heeds it until ``until``."""

    reason: SkipReason
    until: datetime
    at: datetime


@dataclass(frozen=True, slots=True)
class _Active:
    observation: FallbackObservation
    until: datetime


class Verdicts:
    """One proxy's verdicts by credential path and version, and its active fallbacks."""

    def __init__(
        self, clock: Clock, on_change: Callable[[], None] = lambda: None, limits: Limits | None = None
    ) -> None:
        self._clock = clock
        self._on_change = on_change
        self.limits = limits or Limits(clock, on_change)
        self._against: dict[Record, Verdict] = {}
        self._accepted: dict[Record, CredentialObservation] = {}
        self._pointed: frozenset[Record] = frozenset()
        self._fallbacks: dict[tuple[str, AuthMode], _Active] = {}

    def against(self, held: Held) -> Verdict | None:
        """Return the verdict that keeps selection from this version of a credential now."""
        if not self._against:
            return None
        verdict = self._against.get((held.path, held.version))
        return None if verdict is None or verdict.until <= self._clock.now() else verdict

    def failed(self, held: Held, failure: Failure, told: Told | None = None) -> None:
        """Remember a failure for as long as its row says. ``told``: what the answer's headers say of limits."""
        row, now = DECISIONS[failure.reason], self._clock.now()
        if row.memory is Memory.RESET:
            until = failure.until or (now + row.lasts if row.lasts is not None else None)
            self.limits.refused(held.scope, failure.reason, until, told)
        if row.memory is not Memory.VERSION or row.lasts is None:
            return
        record = (held.path, held.version)
        if not self._supersede(record):
            return  # a slow answer about a version that has been replaced meanwhile
        before = self._against.get(record)
        self._against[record] = Verdict(failure.reason, now + row.lasts, now)
        self._accepted.pop(record, None)
        if before is None or before.reason != failure.reason:
            self._on_change()

    def succeeded(self, held: Held, sent_at: datetime | None = None, told: Told | None = None) -> None:
        """Remember that the upstream accepted this version of a credential, for a request sent at ``sent_at`` (None: now)."""
        self._within(held, sent_at, told)
        record = (held.path, held.version)
        if record in self._accepted or not self._supersede(record):
            return
        self._against.pop(record, None)
        self._accepted[record] = CredentialObservation(
            path=held.path, version=held.version, valid=True, at=self._clock.now()
        )
        self._on_change()

    def _within(self, held: Held, sent_at: datetime | None, told: Told | None) -> None:
        sent_at = sent_at or self._clock.now()
        if told is not None:
            self.limits.told(held.scope, told, sent_at)
        else:
            self.limits.accepted(held.scope, sent_at)

    def _supersede(self, record: Record) -> bool:
        """Forget older versions than this that nothing points to; False when it is itself such a version."""
        path, version = record
        others = [r for r in (*self._against, *self._accepted) if r[0] == path and r != record]
        if record not in self._pointed and any(other[1] > version for other in others):
            return False
        for other in others:
            if other[1] < version and other not in self._pointed:
                self._against.pop(other, None)
                self._accepted.pop(other, None)
        return True

    def went(self, provider: Provider, mode: AuthMode, fallback: Fallback | None) -> None:
        """Note by which mode a request of the provider goes: ``fallback`` None says that it is its first one."""
        if fallback is None:
            if self._fallbacks and self._fallbacks.pop((provider.label, mode), None) is not None:
                self._on_change()
            return
        now = self._clock.now()
        key = (provider.label, fallback.from_mode)
        before = self._fallbacks.get(key)
        seen = FallbackObservation(
            namespace=provider.namespace,
            provider=provider.name,
            from_mode=fallback.from_mode,
            to_mode=fallback.to_mode,
            reason=fallback.reason,
            account=fallback.account,
            at=now,
        )
        same = before is not None and before.observation.model_copy(update={"at": now}) == seen
        if before is not None and same:
            seen = before.observation
        self._fallbacks[key] = _Active(seen, now + (DECISIONS[fallback.reason].lasts or FORGET_FALLBACK))
        if not same:
            self._on_change()

    def follow(self, routing: Routing) -> None:
        """Drop what is said about credentials and providers that the new snapshot replaces or no longer has."""
        self._pointed = frozenset((p.path, p.version) for p in routing.pointers)
        oldest: dict[str, int] = {}
        for path, version in self._pointed:
            oldest[path] = min(version, oldest.get(path, version))
        self._against = {r: verdict for r, verdict in self._against.items() if self._wanted(r, oldest)}
        self._accepted = {r: seen for r, seen in self._accepted.items() if self._wanted(r, oldest)}
        self.limits.retain(path for path, _ in self._pointed)
        against = {path for path, _ in self._against} | self.limits.in_force_now().keys()
        doubted = {label for label, p in routing.providers.items() if any(c.path in against for c in p.pointers)}
        kept = {key: active for key, active in self._fallbacks.items() if key[0] in doubted}
        changed = kept.keys() != self._fallbacks.keys()
        self._fallbacks = kept
        if changed:
            self._on_change()

    def _wanted(self, record: Record, oldest: Mapping[str, int]) -> bool:
        """Tell whether a snapshot means this version: it points to it, or it may be a refresh of what it points to."""
        path, version = record
        return record in self._pointed or (path in oldest and version > oldest[path])

    def observations(self) -> tuple[CredentialObservation, ...]:
        """Return the last word on every credential used, for the report."""
        against = tuple(
            CredentialObservation(path=path, version=version, valid=False, reason=v.reason, at=v.at)
            for (path, version), v in self._against.items()
        )
        return (*against, *self._accepted.values())

    def fallbacks(self) -> tuple[FallbackObservation, ...]:
        """Return the fallbacks in force now, for the report."""
        now = self._clock.now()
        return tuple(active.observation for active in self._fallbacks.values() if active.until > now)
