"""One operator after another on the real API server, in this process: each is killed at a write, before or after it took effect."""

import copy
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

from headgate_api.clock import ManualClock
from headgate_api.redaction import Redactor
from headgate_api.report import ProxyReport
from headgate_operator.analysis.prometheus import Prometheus
from headgate_operator.broker.reports import Reports
from headgate_operator.delivery.published import Published
from headgate_operator.delivery.publisher import Publisher
from headgate_operator.engine.keys import SNAPSHOT, Key
from headgate_operator.events import Events
from headgate_operator.fleet.signing_keys import SigningKeySource
from headgate_operator.metrics import Metrics
from headgate_operator.revisions.guards import Guards
from headgate_operator.revisions.standing import Standing
from headgate_operator.revisions.store import RevisionStore
from headgate_operator.rollout.observe import Installation
from headgate_operator.rollout.reconciler import RolloutReconciler
from headgate_operator.services import Services
from headgate_runtime.kube import Kube

NAMESPACE = "headgate-system"


class Killed(BaseException):
    """The process is gone."""


@dataclass
class Kills:
    """Kills at every write that was not made before: the first try before it takes effect, the second after it did."""

    tries: Counter[str] = field(default_factory=Counter)
    made: list[str] = field(default_factory=list)

    def wrap(self, kube: Kube) -> Kube:
        return cast("Kube", _Mortal(kube, self))


class _Mortal:
    def __init__(self, kube: Kube, kills: Kills) -> None:
        self._kube = kube
        self._kills = kills

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._kube, name)
        return self._deadly(name, found) if name in ("apply", "apply_status", "json_patch", "delete") else found

    def _deadly(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        async def write(*args: Any, **options: Any) -> Any:
            what = f"{name} {_spelled(args)}"
            self._kills.tries[what] += 1
            number = self._kills.tries[what]
            if number == 1:
                raise Killed
            done = await call(*args, **options)
            if number == 2:
                self._kills.made.append(what)
                raise Killed
            return done

        return write


def _spelled(args: Iterable[Any]) -> str:
    """Return what a write is about, without the versions that every write moves on."""
    told = []
    for argument in args:
        said = copy.deepcopy(argument)
        if isinstance(said, dict):
            said["metadata"].pop("resourceVersion", None)
        if isinstance(said, list):
            said = [operation for operation in said if operation["op"] != "test"]
        told.append(json.dumps(said, default=str, sort_keys=True))
    return " ".join(told)


class Life:
    """An operator that leads, from its start to its end."""

    def __init__(self, kube: Kube, clock: ManualClock) -> None:
        self.clock = clock
        self.touched: list[Key] = []
        reports = Reports(clock)
        revisions, standing = RevisionStore(kube, lambda: None), Standing(kube, NAMESPACE)
        self.services = Services(
            kube=kube,
            clock=clock,
            events=Events(kube, instance="test", clock=clock, redactor=Redactor()),
            reports=reports,
            published=Published(reports, clock),
            namespace=NAMESPACE,
            fence=lambda: None,
            revisions=revisions,
            standing=standing,
            guards=Guards(kube, revisions, standing, NAMESPACE),
        )
        self.publisher = Publisher(
            self.services, keys=SigningKeySource(kube, clock), broker_url="https://broker.example", metrics=Metrics()
        )
        self.rollouts = RolloutReconciler(
            self.services, Installation(authors=False), Prometheus(None, Redactor()), self.touched.extend
        )

    async def look(self, policy: Key, fleet: str, pods: Iterable[str]) -> float | None:
        """Publish, have the proxies take it up, and move the rollout on."""
        await self.publisher.reconcile(Key(SNAPSHOT, NAMESPACE, fleet))
        head = await self.services.standing.head(fleet)
        assert head is not None
        for pod in pods:
            report = ProxyReport(fleet=fleet, pod=pod, track="canary", revision=head.revision, head=head.digest)
            self.services.reports.accept(report, NAMESPACE)
        return await self.rollouts.reconcile(policy)


def clock() -> ManualClock:
    return ManualClock(datetime(2026, 11, 1, 12, tzinfo=UTC))
