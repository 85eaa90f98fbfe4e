"""What has been published to which fleet, and so which form of an object each live proxy serves.

Kept by the leader in memory: a new leader learns it by publishing the same content again, which changes nothing.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from headgate_api.clock import Clock
from headgate_api.reasons import ConditionReason, ConditionType
from headgate_api.report import REPORT_INTERVAL_SECONDS
from headgate_api.resources import LLMProvider, SubscriptionAccount
from headgate_api.resources.base import Condition, Observation
from headgate_api.snapshot import AccountEntry, ProviderEntry, Snapshot, content_revision
from headgate_operator.broker.reports import Reports
from headgate_operator.engine.keys import Key
from headgate_operator.reading import conditions_in

_REMEMBERED: Final = 64
SETTLING_SECONDS: Final = 3 * REPORT_INTERVAL_SECONDS
"""After a change of leader, what proxies run is unknown until each has reported once."""


def form_of(entry: ProviderEntry | AccountEntry) -> str:
    """Return the content hash of everything a proxy is told of an object, its credential's version included.

    A generation would not do: an import changes what proxies need without changing the spec. But nobody waits for the renewal of a
    federated token: the one before it still serves.
    """
    wire = entry.to_wire()
    for form in (wire.get("stable"), wire.get("candidate")):
        if form is not None and form.get("workloadIdentity") is not None:
            del form["workloadIdentity"]["version"]
    return content_revision(wire)


def forms(snapshot: Snapshot) -> dict[Key, str]:
    """Return the form of each object that a snapshot holds."""
    held = {Key(LLMProvider.KIND, e.namespace, e.name): form_of(e) for e in snapshot.providers}
    return held | {Key(SubscriptionAccount.KIND, e.namespace, e.name): form_of(e) for e in snapshot.accounts}


def programmed_in(bodies: Iterable[Mapping[str, Any]]) -> dict[Key, Condition]:
    """Return the Programmed condition of each object (given as JSON) that has one."""
    return {
        Key.of(body): condition
        for body in bodies
        for condition in conditions_in(body)
        if condition.type == ConditionType.PROGRAMMED
    }


class Published:
    """The last snapshots of each fleet (by the fleet's name), newest last."""

    def __init__(self, reports: Reports, clock: Clock) -> None:
        self._reports = reports
        self._clock = clock
        self._history: dict[str, OrderedDict[str, Mapping[Key, str]]] = {}
        self._former: dict[Key, Condition] = {}
        self._served: dict[str, Mapping[str, str | None]] = {}
        self._since = clock.monotonic()

    def begin_term(self) -> None:
        """Forget everything: this process begins to lead."""
        self._history.clear()
        self._former.clear()
        self._served.clear()
        self._since = self._clock.monotonic()

    def record(self, fleet: str, revision: str, held: Mapping[Key, str]) -> None:
        """Take note that ``revision`` is what the fleet's head names now."""
        history = self._history.setdefault(fleet, OrderedDict())
        history[revision] = held
        history.move_to_end(revision)
        while len(history) > _REMEMBERED:
            history.popitem(last=False)

    def forget(self, fleet: str) -> None:
        """Take note that the fleet is gone."""
        self._history.pop(fleet, None)

    def moved(self, fleet: str) -> set[Key]:
        """Return the objects that the fleet's live proxies serve otherwise than when this was last asked.

        A proxy that came, went, or runs on a snapshot nobody here knows, concerns every object of the fleet.
        """
        now, before = self._reports.revisions(fleet), self._served.get(fleet, {})
        self._served[fleet] = now
        history = self._history.get(fleet) or OrderedDict()
        touched: set[Key] = set()
        for pod in now.keys() | before.keys():
            if pod in now and pod in before and now[pod] == before[pod]:
                continue
            old, new = history.get(before.get(pod) or ""), history.get(now.get(pod) or "")
            if old is None or new is None:
                return set(_current(history)) if history else set()
            touched |= {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}
        return touched

    def revision(self, fleet: str) -> str | None:
        """Return the revision of the fleet's current snapshot, or None before the first."""
        history = self._history.get(fleet)
        return next(reversed(history)) if history else None

    @property
    def settling(self) -> bool:
        """Tell whether this process leads for so short a time that proxies need not have reported to it yet."""
        return self.term_seconds < SETTLING_SECONDS

    @property
    def term_seconds(self) -> float:
        """Return how long this process has led."""
        return self._clock.monotonic() - self._since

    def remember(self, conditions: Mapping[Key, Condition]) -> None:
        """Take note of the Programmed conditions that the former leader left; they stand while this one settles."""
        if self.settling:
            self._former.update(conditions)

    def programmed(self, key: Key, generation: int, form: str) -> Observation:
        """Return the Programmed observation of an object: do all live proxies serve this form of it?"""
        found = self._programmed(key, generation, form)
        former = self._former.get(key)
        if found.status is True or not self.settling or former is None or former.observed_generation != generation:
            return found
        status = {"True": True, "False": False}.get(former.status)
        return Observation(ConditionType.PROGRAMMED, status, former.reason, former.message)

    def _programmed(self, key: Key, generation: int, form: str) -> Observation:
        fleets = [fleet for fleet, history in self._history.items() if history and key in _current(history)]
        if not fleets:
            return _observe(False, ConditionReason.PENDING, "no ProxyFleet's snapshot holds this object yet")
        waiting, serving = [], 0
        for fleet in fleets:
            history = self._history[fleet]
            for pod, revision in self._reports.revisions(fleet).items():
                if history.get(revision or "", {}).get(key) == form:
                    serving += 1
                else:
                    waiting.append(pod)
        if waiting:
            names = ", ".join(sorted(waiting)[:5]) + (", …" if len(waiting) > 5 else "")
            return _observe(False, ConditionReason.PENDING, f"waiting for {names} to take up generation {generation}")
        if not serving:
            return _observe(
                False,
                ConditionReason.NO_PROXY_READY,
                f"no proxy of {', '.join(sorted(fleets))} reports; see the ProxyFleet's conditions and its pods' logs",
            )
        return _observe(True, ConditionReason.PROGRAMMED, f"proxies that serve generation {generation}: {serving}")


def _current(history: "OrderedDict[str, Mapping[Key, str]]") -> Mapping[Key, str]:
    return history[next(reversed(history))]


def _observe(status: bool, reason: ConditionReason, message: str) -> Observation:
    return Observation(ConditionType.PROGRAMMED, status, reason, message)
