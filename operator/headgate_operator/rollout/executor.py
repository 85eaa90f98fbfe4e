"""Carries out a rollout's plan, in the order in which a crash or a second leader does no harm.

Forms are kept before anything names them, promotions are written before the status that says so, and the status is what
commits a step: it is written with the resourceVersion of the look, so that of two leaders one fails and looks again. A
promotion is made only while the policy is the one that was looked at, and a withdrawn candidate is marked before the status
says so: whoever was about to promote it, and slept, finds it changed.
"""

from typing import Any, Final

from headgate_api import names
from headgate_api.resources import RolloutPolicy, RolloutPolicyStatus
from headgate_api.resources.rolloutspec import Target
from headgate_operator.revisions.history import History, Kept
from headgate_operator.rollout.observe import Looked
from headgate_operator.rollout.plan import Plan
from headgate_operator.rollout.targets import Content
from headgate_operator.services import Services
from headgate_runtime.kube import Conflict, KubeError, Object, unchanged_since
from headgate_runtime.kube_kinds import ROLLOUT_POLICY

_PROMOTED_KEPT: Final = 10
"""Promoted revisions that are kept of an object, for people who want to see what served; the stable one is among them."""


class RolloutExecutor:
    """Writes what plans ask for. Every method raises Conflict where the world is not what was looked at any more."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._kube = services.kube
        self._fence = services.fence
        self._store = services.revisions

    async def hold(self, policy: RolloutPolicy, *, held: bool) -> None:
        """Set or remove the policy's finalizer. Raises KubeError, KubeUnavailable, Conflict."""
        metadata = policy.metadata
        others = [f for f in metadata.finalizers if f != names.ROLLOUT_FINALIZER]
        finalizers = [*others, names.ROLLOUT_FINALIZER] if held else others
        self._fence()
        operations: list[dict[str, Any]] = [
            unchanged_since(metadata.resource_version),
            {"op": "add", "path": "/metadata/finalizers", "value": finalizers},
        ]
        try:
            await self._kube.json_patch(ROLLOUT_POLICY, metadata.namespace, metadata.name, operations)
        except KubeError as error:
            if error.status not in (404, 422):
                raise
            raise Conflict(409, "Conflict", "the policy changed meanwhile") from None

    async def carry_out(self, looked: Looked, plan: Plan) -> Object | None:
        """Do what the plan says up to its status; return the policy as JSON if that was news, else None.

        Raises KubeError, KubeUnavailable, Conflict.
        """
        for target in plan.adopt:
            await self._adopt(looked.contents[target.label])
        await self._keep(looked, plan)
        for promotion in plan.promote:
            await self._current(looked.observed.policy)
            await self._promote(looked.contents[promotion.target.label], promotion.revision)
        await self._withdraw(looked, plan)
        return await self._write(looked.observed.policy, plan.status)

    async def tidy(self, looked: Looked, status: RolloutPolicyStatus) -> None:
        """Note which generations carry what is stable, and delete what nobody can need any more."""
        policy = looked.observed.policy
        for content in looked.contents.values():
            stable = content.history.stable
            governed = content.guard.policy is not None and content.guard.policy.key == policy.key
            if content.item is None or not governed:
                continue
            namespace = content.item.metadata.namespace
            if stable is not None and content.seen.live == stable.revision:
                await self._store.note(namespace, stable, content.generations)
            for kept in _unneeded(content.history, _named(content.seen.target, status)):
                await self._store.forget(namespace, kept)
        pinned = {status.rollout.policy_revision} if status.rollout is not None else set[str]()
        for kept in looked.rollouts.history(policy).kept:
            if kept.revision not in pinned:
                await self._store.forget(policy.metadata.namespace, kept)

    async def _adopt(self, content: Content) -> None:
        if content.served is None or content.body is None:
            return  # nobody is served by it yet: there is no stable form to secure
        served = content.served
        carried = content.generations if content.seen.live == served.revision else None
        await self._store.keep(
            content.body, served.revision, served.bundle.to_wire(), content.history, number=1, generations=carried
        )

    async def _keep(self, looked: Looked, plan: Plan) -> None:
        """Keep the policy that the rollout runs under, and the candidates that are live now."""
        rollout, policy = plan.status.rollout, looked.observed.policy
        if rollout is None:
            return
        if rollout.policy_revision == looked.observed.policy_revision:
            data = {"kind": RolloutPolicy.KIND, "spec": policy.spec.to_wire()}
            await self._store.keep(as_json(policy), rollout.policy_revision, data, looked.rollouts.history(policy))
        for target in rollout.targets:
            content = looked.contents.get(f"{target.kind}/{target.name}")
            if content is not None and content.live is not None and content.live.revision == target.candidate:
                await self._keep_live(content)

    async def _keep_live(self, content: Content) -> None:
        if content.live is not None and content.body is not None:
            data = content.live.bundle.to_wire()
            await self._store.keep(
                content.body, content.live.revision, data, content.history, generations=content.generations
            )

    async def _promote(self, content: Content, revision: str) -> None:
        kept = content.history.find(revision)
        if kept is not None and content.item is not None:
            await self._store.promote(content.item.metadata.namespace, kept, content.history)
        elif content.live is not None and content.live.revision == revision:
            await self._keep_live(content)  # the next look promotes it

    async def _current(self, policy: RolloutPolicy) -> None:
        """Raise Conflict where the policy is not the one that was looked at any more: somebody may have aborted."""
        body = await self._kube.get(ROLLOUT_POLICY, *policy.key)
        if body is None or body["metadata"]["resourceVersion"] != policy.metadata.resource_version:
            raise Conflict(409, "Conflict", "the policy changed since it was looked at; nothing is promoted")

    async def _withdraw(self, looked: Looked, plan: Plan) -> None:
        """Mark the candidates of a rollout that was promoting and ends otherwise."""
        before, after = looked.observed.policy.status, plan.status.rollout
        if before.rollout is None or before.step is None or before.step.kind != "Promoting":
            return
        if after is not None and after.revision == before.rollout.revision:
            return
        for target in before.rollout.targets:
            content = looked.contents.get(f"{target.kind}/{target.name}")
            kept = content.history.find(target.candidate) if content is not None else None
            if content is not None and kept is not None and kept != content.history.stable:
                await self._store.withdraw(looked.observed.policy.metadata.namespace, kept, before.rollout.revision)

    async def _write(self, policy: RolloutPolicy, status: RolloutPolicyStatus) -> Object | None:
        if status == policy.status:
            return None
        self._fence()
        wire: dict[str, Any] = status.to_wire()
        wire["conditions"] = [condition.to_wire() for condition in status.conditions]
        try:
            return await self._kube.apply_status({**as_json(policy), "status": wire})
        except KubeError as error:
            if error.status != 404:
                raise
            raise Conflict(409, "Conflict", "the policy is gone") from None


def as_json(policy: RolloutPolicy) -> Object:
    """Return as much of a policy as Events, ownerReferences and a status to apply need."""
    metadata = policy.metadata
    return {
        "apiVersion": ROLLOUT_POLICY.api_version,
        "kind": ROLLOUT_POLICY.kind,
        "metadata": {
            "name": metadata.name,
            "namespace": metadata.namespace,
            "uid": metadata.uid,
            "resourceVersion": metadata.resource_version,
        },
    }


def _named(target: Target, status: RolloutPolicyStatus) -> set[str]:
    """Return the content revisions of a target that a status names."""
    rollout = status.rollout
    found = (
        [t for t in rollout.targets if (t.kind, t.name) == (target.kind, target.name)] if rollout is not None else []
    )
    return {revision for t in found for revision in (t.candidate, t.stable) if revision is not None}


def _unneeded(history: History, named: set[str]) -> list[Kept]:
    """Return what may go: candidates that no rollout names, and promoted revisions long past."""
    promoted = sorted((k for k in history.kept if k.number > 0), key=lambda k: k.number, reverse=True)
    old = [k for k in promoted[_PROMOTED_KEPT:] if k.revision not in named]
    return [*old, *(k for k in history.kept if k.number == 0 and k.revision not in named)]
