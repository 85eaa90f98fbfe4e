"""Reconciles RolloutPolicies: looks, asks the engine what is next, has it carried out, and says who else must look."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from headgate_api import names
from headgate_api.reasons import ConditionReason
from headgate_api.resources import LLMProvider, ProxyFleet, RolloutPolicy, SubscriptionAccount
from headgate_operator.analysis.judge import due
from headgate_operator.analysis.prometheus import Prometheus
from headgate_operator.analysis.windows import Answer
from headgate_operator.engine.keys import SNAPSHOT, Key
from headgate_operator.reading import Unreadable, read, say_so
from headgate_operator.revisions.guards import key_of
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
        self._observer = Observer(services, installation)
        self._executor = RolloutExecutor(services)
        self._prometheus = prometheus
        self._touch = touch
        # One policy decides at a time, so that two never take the canary at once.
        self._deciding = asyncio.Lock()

    async def reconcile(self, key: Key) -> float | None:
        """Move a policy's rollout by as much as is possible now. Raises KubeError, KubeUnavailable, Conflict, NotLeading."""
        for remaining in reversed(range(_TRIES)):
            body = await self._services.kube.get(ROLLOUT_POLICY, key.namespace, key.name)
            if body is None:
                self._services.reports.totals.forget(f"{key.namespace}/{key.name}")
                return None
            try:
                policy = read(RolloutPolicy, body)
            except Unreadable as unreadable:
                await self._refuse(unreadable)
                return None
            answers = await self._answers(policy)  # a slow Prometheus keeps nobody else from deciding
            try:
                async with self._deciding:
                    return await self._decide(key, body, answers)
            except Conflict:
                if not remaining:
                    raise
        return None

    async def _decide(self, key: Key, body: Object, answers: Mapping[str, Answer]) -> float | None:
        unsupported = self._prometheus.unsupported(read(RolloutPolicy, body).spec.analysis)
        looked = await self._observer.look(key, answers, unsupported)
        if looked is None:
            return None
        policy = looked.observed.policy
        if names.ROLLOUT_FINALIZER not in policy.metadata.finalizers and not looked.observed.deleting:
            await self._executor.hold(policy, held=True)
            return 0.0
        plan = advance(looked.observed, self._services.clock.now().replace(microsecond=0))
        news = await self._executor.carry_out(looked, plan)
        if news or plan.adopt or plan.promote:
            self._touch(_concerned(looked))
        self._judged(policy, plan)
        for note in plan.notes:
            await self._services.events.emit(as_json(policy), note.type, note.reason, note.action, note.message)
        if not news and not plan.adopt and not plan.promote:
            await self._executor.tidy(looked, plan.status)
        if plan.release:
            await self._release(key)
            return None
        return plan.requeue

    async def _release(self, key: Key) -> None:
        """Let the policy go. It is read anew, since its status may just have been written."""
        body = await self._services.kube.get(ROLLOUT_POLICY, key.namespace, key.name)
        if body is not None and names.ROLLOUT_FINALIZER in (body["metadata"].get("finalizers") or ()):
            policy = read(RolloutPolicy, body)
            if policy.status.rollout is None:
                await self._executor.hold(policy, held=False)

    async def _answers(self, policy: RolloutPolicy) -> Mapping[str, Answer]:
        """Ask for the policy's own queries, if a verdict is due."""
        rollout, step = policy.status.rollout, policy.status.step
        if rollout is None or step is None:
            return {}
        history = await self._services.revisions.of(key_of(policy), policy.metadata.uid)
        kept = history.find(rollout.policy_revision)
        running = kept.policy if kept is not None else None
        analysis = running.analysis if running is not None else None
        now = self._services.clock.now()
        if analysis is None or not exposed(policy.status, running):
            return {}
        if not due(analysis, rollout.judged, now, policy.status.verdicts):
            return {}
        return await self._prometheus.answers(analysis, "/".join(policy.key), rollout.revision, step.index)

    def _judged(self, policy: RolloutPolicy, plan: Plan) -> None:
        before, after = policy.status.rollout, plan.status.rollout
        if after is not None and after.judged is not None and (before is None or before.judged != after.judged):
            self._services.reports.totals.judged("/".join(policy.key), plan.status.verdicts)

    async def _refuse(self, unreadable: Unreadable) -> None:
        self._services.fence()
        if await say_so(self._services.kube, unreadable, self._services.clock.now().replace(microsecond=0)):
            await self._services.events.emit(
                unreadable.body, "Warning", ConditionReason.SPEC_INVALID, "Reconcile", str(unreadable)
            )


def _concerned(looked: Looked) -> list[Key]:
    """Return whom a policy's new status concerns: first of all the heads."""
    policy = looked.observed.policy
    fleets = [fleet.key for fleet in looked.fleets]
    heads = [Key(SNAPSHOT, *key) for key in fleets]
    targets = [Key(t.target.kind, policy.metadata.namespace, t.target.name) for t in looked.observed.targets]
    accounts = [Key(SubscriptionAccount.KIND, *account.key) for c in looked.contents.values() for account in c.accounts]
    objects = [key for key in targets if key.kind == LLMProvider.KIND]
    return [*heads, *(Key(ProxyFleet.KIND, *key) for key in fleets), *objects, *accounts]
