"""Reconciles RolloutPolicies: looks, asks the engine what is next, has it carried out, and says who else must look."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, NamedTuple

from headgate_api import names
from headgate_api.resources import LLMProvider, ProxyFleet, RolloutPolicy, SubscriptionAccount
from headgate_api.resources.rolloutspec import Analysis
from headgate_operator.analysis.judge import due
from headgate_operator.analysis.prometheus import Prometheus
from headgate_operator.analysis.windows import Answer
from headgate_operator.credentials.plan import Note
from headgate_operator.engine.keys import SNAPSHOT, Key
from headgate_operator.reading import Unreadable, read
from headgate_operator.rollout.advance import advance
from headgate_operator.rollout.executor import RolloutExecutor, as_json
from headgate_operator.rollout.exposure import exposed
from headgate_operator.rollout.observe import Installation, Looked, Observer
from headgate_operator.rollout.plan import Plan
from headgate_operator.services import Services
from headgate_runtime.kube import Conflict, Object
from headgate_runtime.kube_kinds import ROLLOUT_POLICY

_TRIES: Final = 4
"""Others write annotations and specs at any time; past this many conflicts in a row the queue's back-off takes over."""
_MOVES: Final = 3
"""How far one look may carry: past an approval, into the step behind it, and on to what that step waits for."""


class RolloutReconciler:
    """The Reconciler of RolloutPolicies; ``touch`` asks for looks at others at once, without waiting for a watch."""

    def __init__(
        self,
        services: Services,
        installation: Installation,
        prometheus: Prometheus,
        touch: Callable[[Iterable[Key]], None],
    ) -> None:
        self._services = services
        self._observer = Observer(services, installation, prometheus)
        self._executor = RolloutExecutor(services)
        self._prometheus = prometheus
        self._touch = touch
        # One policy decides at a time, so that two never take the canary at once.
        self._deciding = asyncio.Lock()

    async def reconcile(self, key: Key) -> float | None:
        """Move a policy's rollout by as much as is possible now. Raises KubeError, KubeUnavailable, Conflict, NotLeading."""
        answers: Mapping[str, Answer] = {}
        asked, conflicts = None, 0
        while True:
            question, told = None, _Told()
            try:
                async with self._deciding:
                    looked = await self._observer.look(key)
                    if looked is None:
                        self._services.reports.totals.forget(f"{key.namespace}/{key.name}")
                        return None
                    question = _question(looked, self._services.clock.now())
                    if question is None or question == asked:
                        return await self._decide(_with_answers(looked, answers), told)
            except Unreadable as unreadable:
                await self._services.refuse(unreadable)
                return None
            except Conflict:
                conflicts += 1
                if conflicts == _TRIES:
                    raise
            finally:
                for note in told.notes:
                    await self._services.events.emit(told.about, note.type, note.reason, note.action, note.message)
            if question is not None and question != asked:  # a slow Prometheus keeps nobody else from deciding
                answers, asked = await self._prometheus.answers(*question), question

    async def _decide(self, looked: Looked, told: "_Told") -> float | None:
        """Advance as far as this one look carries: a step that only opens the next needs no look in between."""
        policy = looked.observed.policy
        told.about = as_json(policy)
        if names.ROLLOUT_FINALIZER not in policy.metadata.finalizers and not looked.observed.deleting:
            await self._executor.hold(policy, held=True)
            return 0.0
        quiet = True
        for _ in range(_MOVES):
            plan = advance(looked.observed, self._services.clock.now().replace(microsecond=0))
            written = await self._executor.carry_out(looked, plan)
            acted = bool(plan.adopt or plan.promote)
            quiet = quiet and written is None and not acted
            if written is not None or acted:
                self._touch(_concerned(looked) if acted else _heads(looked))
            self._judged(looked.observed.policy, plan)
            told.notes += plan.notes
            if written is None or acted or plan.requeue != 0.0 or not _same_rollout(looked.observed.policy, plan):
                break
            looked = self._observer.again(looked, written)
            if _question(looked, self._services.clock.now()) is not None:
                break
        if quiet:
            await self._executor.tidy(looked, plan.status)
        if plan.release:
            await self._release(looked.observed.policy)
            return None
        return plan.requeue

    async def _release(self, seen: RolloutPolicy) -> None:
        """Let the policy go. It is read anew, since its status may just have been written."""
        body = await self._services.kube.get(ROLLOUT_POLICY, *seen.key)
        if body is not None and names.ROLLOUT_FINALIZER in (body["metadata"].get("finalizers") or ()):
            policy = read(RolloutPolicy, body)
            if policy.status.rollout is None:
                await self._executor.hold(policy, held=False)

    def _judged(self, policy: RolloutPolicy, plan: Plan) -> None:
        before, after = policy.status.rollout, plan.status.rollout
        if after is not None and after.judged is not None and (before is None or before.judged != after.judged):
            self._services.reports.totals.judged("/".join(policy.key), plan.status.verdicts)


@dataclass(slots=True)
class _Told:
    """The Events of a look, to be posted when nobody waits for it any more."""

    about: Object = field(default_factory=dict)
    notes: tuple[Note, ...] = ()


class _Question(NamedTuple):
    """What a Prometheus is asked for a verdict that is due."""

    analysis: Analysis
    policy: str
    revision: str
    step: int


def _question(looked: Looked, now: datetime) -> _Question | None:
    """Return what is to be asked before a decision, if a verdict is due that needs it."""
    policy, running = looked.observed.policy, looked.observed.running
    rollout, step = policy.status.rollout, policy.status.step
    analysis = running.analysis if running is not None else None
    if rollout is None or step is None or analysis is None or all(m.query is None for m in analysis.metrics):
        return None
    if not exposed(policy.status, running) or not due(analysis, rollout.judged, now, policy.status.verdicts):
        return None
    return _Question(analysis, "/".join(policy.key), rollout.revision, step.index)


def _with_answers(looked: Looked, answers: Mapping[str, Answer]) -> Looked:
    return replace(looked, observed=replace(looked.observed, answers=answers))


def _same_rollout(policy: RolloutPolicy, plan: Plan) -> bool:
    before, after = policy.status.rollout, plan.status.rollout
    return before is not None and after is not None and before.revision == after.revision


def _heads(looked: Looked) -> list[Key]:
    """Return the heads that carry a policy's status. Whoever else it concerns learns of it by watch."""
    return [Key(SNAPSHOT, *fleet.key) for fleet in looked.fleets]


def _concerned(looked: Looked) -> list[Key]:
    """Return whom a promotion concerns, which no watch tells of: first of all the heads."""
    policy = looked.observed.policy
    targets = [Key(t.target.kind, policy.metadata.namespace, t.target.name) for t in looked.observed.targets]
    accounts = [Key(SubscriptionAccount.KIND, *account.key) for c in looked.contents.values() for account in c.accounts]
    objects = [key for key in targets if key.kind == LLMProvider.KIND]
    return [*_heads(looked), *(Key(ProxyFleet.KIND, *fleet.key) for fleet in looked.fleets), *objects, *accounts]
