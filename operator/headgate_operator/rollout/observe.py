"""Reads everything the engine decides by, in the order that keeps a look consistent, and in as few rounds as that order takes.

First objects and heads; then policies, and the pods that may act on those heads; last what is kept, and what fleets run.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from headgate_api import names
from headgate_api.resources import LLMProvider, ProxyFleet, RolloutPolicy, RolloutPolicySpec, SubscriptionAccount
from headgate_api.resources.rolloutspec import Target
from headgate_api.snapshot import Snapshot, content_revision
from headgate_operator.analysis.prometheus import Prometheus
from headgate_operator.analysis.windows import Windows
from headgate_operator.delivery.publish import HEAD_SELECTOR
from headgate_operator.engine.keys import Key
from headgate_operator.fleet.canary import concerned, concerns
from headgate_operator.fleet.manifests import form_in
from headgate_operator.reading import read, readable
from headgate_operator.revisions.guard import governing
from headgate_operator.revisions.guards import Rollouts
from headgate_operator.rollout.edge import FleetSeen, capacity, delivery, surge
from headgate_operator.rollout.exposure import lane
from headgate_operator.rollout.observed import Capacity, Observed
from headgate_operator.rollout.targets import Content, seen_of
from headgate_operator.services import Services
from headgate_runtime.kube import Object
from headgate_runtime.kube_kinds import CONFIG_MAP, DEPLOYMENT, LLM_PROVIDER, POD, PROXY_FLEET, SUBSCRIPTION_ACCOUNT


@dataclass(frozen=True, slots=True)
class Installation:
    """What this installation can do of what policies may ask for. ``authors``: the API server stamps who changed what."""

    authors: bool


@dataclass(frozen=True, slots=True)
class Looked:
    """One look: what the engine is shown, and what the executor works with. ``contents``: by the target's label."""

    observed: Observed
    rollouts: Rollouts
    contents: Mapping[str, Content]
    fleets: tuple[ProxyFleet, ...]
    """Those that the policy concerns."""
    sight: "Sight"


@dataclass(frozen=True, slots=True)
class Sight:
    """What was read, before it is made sense of."""

    objects: "_Objects"
    deployments: Mapping[str, Object]
    snapshots: tuple[Snapshot | None, ...]
    """What the fleets serve now; read where no stable form is kept."""
    fleets: tuple[FleetSeen, ...]
    """Those that the policy concerns."""


@dataclass(frozen=True, slots=True)
class _Objects:
    providers: Mapping[str, LLMProvider]
    accounts: Sequence[SubscriptionAccount]
    fleets: Sequence[ProxyFleet]
    bodies: Mapping[Key, Object]
    heads: Mapping[str, Object]


class Observer:
    """Looks at one policy's world."""

    def __init__(self, services: Services, installation: Installation, prometheus: Prometheus) -> None:
        self._services = services
        self._prometheus = prometheus
        self._kube = services.kube
        self._installation = installation

    async def look(self, key: Key) -> Looked | None:
        """Return what there is to see, or None where the policy is gone. Raises Unreadable, KubeError, KubeUnavailable."""
        objects = await self._objects(key.namespace)
        bodies, pods = await asyncio.gather(
            self._services.guards.policies(None),
            self._kube.list(POD, self._services.namespace, label_selector=names.LABEL_FLEET),
        )
        body = next((b for b in bodies if Key.of(b) == key), None)
        if body is None:
            return None
        policy = read(RolloutPolicy, body)
        rollouts, deployments = await asyncio.gather(
            self._services.guards.kept(None, bodies, (*objects.providers.values(), *objects.fleets)),
            self._kube.list(DEPLOYMENT, self._services.namespace, label_selector=names.LABEL_FLEET),
        )
        rollouts = rollouts.with_policy(policy)
        sight = await self._sight(policy, rollouts, objects, pods, {d["metadata"]["name"]: d for d in deployments})
        return self._looked(policy, rollouts, sight)

    def again(self, looked: Looked, body: Object) -> Looked:
        """Return what a look shows of the policy as it was just written, everything else being as it was a moment ago.

        For a step within the same rollout alone: what is kept of another one is not known.
        """
        policy = RolloutPolicy.from_wire(body)
        return self._looked(policy, looked.rollouts.with_policy(policy), looked.sight)

    def _looked(self, policy: RolloutPolicy, rollouts: Rollouts, sight: Sight) -> Looked:
        running, seen = rollouts.running(policy), sight.fleets
        contents = self._contents(policy, _targets(policy, running), sight, rollouts)
        fleets = tuple(fleet.fleet for fleet in seen)
        observed = Observed(
            policy=policy,
            running=running,
            policy_revision=content_revision(policy.spec.to_wire()),
            targets=tuple(content.seen for content in contents.values()),
            taken=_taken(policy, rollouts),
            unsupported=(*self._unsupported(policy), *self._prometheus.unsupported(policy.spec.analysis)),
            delivery=delivery(
                policy,
                rollouts,
                contents.values(),
                seen,
                now=self._services.clock.now(),
                term_seconds=self._services.published.term_seconds,
            ),
            capacity=_with_lane(capacity(seen, rollouts), policy, running, fleets, rollouts),
            windows=self._windows(policy, running, rollouts),
            answers={},
            surge=surge(contents.values(), seen),
            deleting=policy.metadata.deletion_timestamp is not None,
        )
        return Looked(observed, rollouts, contents, fleets, sight)

    async def _objects(self, namespace: str) -> _Objects:
        providers, accounts, fleets, heads = await asyncio.gather(
            self._kube.list(LLM_PROVIDER, namespace),
            self._kube.list(SUBSCRIPTION_ACCOUNT, namespace),
            self._kube.list(PROXY_FLEET, self._services.namespace),
            self._kube.list(CONFIG_MAP, self._services.namespace, label_selector=HEAD_SELECTOR),
        )
        return _Objects(
            {p.metadata.name: p for p in readable(LLMProvider, providers) if p.metadata.deletion_timestamp is None},
            readable(SubscriptionAccount, accounts),
            [f for f in readable(ProxyFleet, fleets) if f.metadata.deletion_timestamp is None],
            {Key.of(body): body for bodies in (providers, accounts, fleets) for body in bodies},
            {head["metadata"]["name"]: head for head in heads},
        )

    async def _sight(
        self,
        policy: RolloutPolicy,
        rollouts: Rollouts,
        objects: _Objects,
        pods: Sequence[Object],
        deployments: Mapping[str, Object],
    ) -> Sight:
        targets = {t.name for t in _targets(policy, rollouts.running(policy)) if t.kind == LLMProvider.KIND}
        unsecured = any(p.metadata.name in targets and rollouts.needs_standing(p) for p in objects.providers.values())
        seen = await asyncio.gather(
            *(
                FleetSeen.of(
                    fleet,
                    objects.heads.get(names.head_name(fleet.metadata.name)),
                    deployments.get(names.proxy_name(fleet.metadata.name)),
                    [p for p in pods if p["metadata"]["labels"][names.LABEL_FLEET] == fleet.metadata.name],
                    self._services,
                )
                for fleet in objects.fleets
                if concerns(policy, fleet)
            )
        )
        snapshots = await self._services.guards.snapshots() if unsecured else ()
        return Sight(objects, deployments, snapshots, tuple(seen))

    def _contents(
        self, policy: RolloutPolicy, targets: Sequence[Target], sight: Sight, rollouts: Rollouts
    ) -> dict[str, Content]:
        contents: dict[str, Content] = {}
        own = policy.metadata.namespace == self._services.namespace
        objects = sight.objects
        for target in targets:
            provider = objects.providers.get(target.name) if target.kind == LLMProvider.KIND else None
            fleet = next((f for f in objects.fleets if own and f.metadata.name == target.name), None)
            if provider is not None:
                content = seen_of(target, provider, rollouts, accounts=objects.accounts, snapshots=sight.snapshots)
            elif target.kind == ProxyFleet.KIND and fleet is not None:
                deployment = sight.deployments.get(names.proxy_name(target.name))
                content = seen_of(target, fleet, rollouts, served=form_in(deployment))
            else:
                content = seen_of(target, None, rollouts)
            contents[target.label] = content.with_body(
                objects.bodies.get(Key(target.kind, policy.metadata.namespace, target.name))
            )
        return contents

    def _windows(self, policy: RolloutPolicy, running: RolloutPolicySpec | None, rollouts: Rollouts) -> Windows | None:
        totals, key, split = self._services.reports.totals, "/".join(policy.key), rollouts.split(policy)
        if split is None or running is None:
            totals.forget(key)
            return None
        needed = running.analysis.min_samples if running.analysis is not None else 1
        return totals.windows(key, split.revision, split.step, min_samples=needed)

    def _unsupported(self, policy: RolloutPolicy) -> tuple[str, ...]:
        found = []
        approvals = any(step.approval is not None for step in policy.spec.steps)
        if approvals and policy.spec.approval.distinct_from_author and not self._installation.authors:
            found.append(
                "spec.approval.distinctFromAuthor is true, but this API server has no MutatingAdmissionPolicy that stamps who "
                "made a change; use Kubernetes 1.36 or newer, or set it to false"
            )
        elsewhere = policy.metadata.namespace != self._services.namespace
        if elsewhere and any(t.kind == ProxyFleet.KIND for t in policy.spec.targets):
            found.append(
                f"spec.targets names a ProxyFleet, and those count only in namespace {self._services.namespace}; create the "
                "policy there"
            )
        return tuple(found)


def _targets(policy: RolloutPolicy, running: RolloutPolicySpec | None) -> tuple[Target, ...]:
    """Return the targets that a look is about; where the pinned policy is lost, those that the rollout itself names."""
    rollout = policy.status.rollout
    if rollout is None:
        return policy.spec.targets
    return running.targets if running is not None else tuple(Target(kind=t.kind, name=t.name) for t in rollout.targets)


def _taken(policy: RolloutPolicy, rollouts: Rollouts) -> tuple[str, ...]:
    namespace, found = policy.metadata.namespace, []
    for target in policy.spec.targets:
        other = governing(rollouts.policies, namespace, target.kind, target.name)
        if other is not None and other.key != policy.key:
            found.append(
                f"{target.kind} {target.name} is guarded by RolloutPolicy {other.metadata.name} already; remove it from one of "
                "the two"
            )
    return tuple(found)


def _with_lane(
    found: Capacity,
    policy: RolloutPolicy,
    running: RolloutPolicySpec | None,
    fleets: Sequence[ProxyFleet],
    rollouts: Rollouts,
) -> Capacity:
    others = (
        lane(policy, running, [pair for pair in concerned(fleet, rollouts) if pair[0].key != policy.key])
        for fleet in fleets
    )
    return replace(found, lane=next((other for other in others if other is not None), None))
