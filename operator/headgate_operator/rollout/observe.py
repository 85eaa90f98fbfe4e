"""Reads everything the engine decides by, in the order that keeps a look consistent: objects, policies, kept revisions, proxies."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from headgate_api import names
from headgate_api.resources import LLMProvider, ProxyFleet, RolloutPolicy, RolloutPolicySpec, SubscriptionAccount
from headgate_api.resources.rolloutpolicy import Target
from headgate_api.snapshot import content_revision
from headgate_operator.analysis.windows import Answer, Windows
from headgate_operator.engine.keys import Key
from headgate_operator.fleet.canary import concerned, concerns
from headgate_operator.fleet.manifests import form_in
from headgate_operator.reading import readable
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


@dataclass(frozen=True, slots=True)
class _Objects:
    providers: Mapping[str, LLMProvider]
    accounts: Sequence[SubscriptionAccount]
    fleets: Sequence[ProxyFleet]
    bodies: Mapping[Key, Object]


class Observer:
    """Looks at one policy's world."""

    def __init__(self, services: Services, installation: Installation) -> None:
        self._services = services
        self._kube = services.kube
        self._installation = installation

    async def look(self, key: Key, answers: Mapping[str, Answer], unsupported: tuple[str, ...]) -> Looked | None:
        """Return what there is to see, or None where the policy is gone. Raises KubeError, KubeUnavailable.

        ``answers``: what a Prometheus said a moment ago; ``unsupported``: what the policy asks of it in vain.
        """
        objects = await self._objects(key.namespace)
        rollouts = await self._services.guards.rollouts(None, (*objects.providers.values(), *objects.fleets))
        policy = next((p for p in rollouts.policies if p.key == (key.namespace, key.name)), None)
        if policy is None:
            return None
        running = rollouts.running(policy)
        contents = await self._contents(policy, _targets(policy, running), objects, rollouts)
        fleets = [fleet for fleet in objects.fleets if concerns(policy, fleet)]
        seen = await asyncio.gather(*(self._fleet(fleet) for fleet in fleets))
        observed = Observed(
            policy=policy,
            running=running,
            policy_revision=content_revision(policy.spec.to_wire()),
            targets=tuple(content.seen for content in contents.values()),
            taken=_taken(policy, rollouts),
            unsupported=(*self._unsupported(policy), *unsupported),
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
            answers=answers,
            surge=surge(contents.values(), seen),
            deleting=policy.metadata.deletion_timestamp is not None,
        )
        return Looked(observed, rollouts, contents, tuple(fleets))

    async def _objects(self, namespace: str) -> _Objects:
        found = await asyncio.gather(
            self._kube.list(LLM_PROVIDER, namespace),
            self._kube.list(SUBSCRIPTION_ACCOUNT, namespace),
            self._kube.list(PROXY_FLEET, self._services.namespace),
        )
        providers, accounts, fleets = found
        return _Objects(
            {p.metadata.name: p for p in readable(LLMProvider, providers) if p.metadata.deletion_timestamp is None},
            readable(SubscriptionAccount, accounts),
            [f for f in readable(ProxyFleet, fleets) if f.metadata.deletion_timestamp is None],
            {Key.of(body): body for bodies in found for body in bodies},
        )

    async def _contents(
        self, policy: RolloutPolicy, targets: Sequence[Target], objects: _Objects, rollouts: Rollouts
    ) -> dict[str, Content]:
        contents: dict[str, Content] = {}
        own = policy.metadata.namespace == self._services.namespace
        for target in targets:
            provider = objects.providers.get(target.name) if target.kind == LLMProvider.KIND else None
            fleet = next((f for f in objects.fleets if own and f.metadata.name == target.name), None)
            if provider is not None:
                snapshots = await self._services.guards.snapshots() if rollouts.needs_standing(provider) else ()
                content = seen_of(target, provider, rollouts, accounts=objects.accounts, snapshots=snapshots)
            elif target.kind == ProxyFleet.KIND and fleet is not None:
                deployment = await self._kube.get(DEPLOYMENT, fleet.metadata.namespace, names.proxy_name(target.name))
                content = seen_of(target, fleet, rollouts, served=form_in(deployment))
            else:
                content = seen_of(target, None, rollouts)
            contents[target.label] = content.with_body(
                objects.bodies.get(Key(target.kind, policy.metadata.namespace, target.name))
            )
        return contents

    async def _fleet(self, fleet: ProxyFleet) -> FleetSeen:
        namespace, name = fleet.key
        head, deployment, pods = await asyncio.gather(
            self._kube.get(CONFIG_MAP, namespace, names.head_name(name)),
            self._kube.get(DEPLOYMENT, namespace, names.proxy_name(name)),
            self._kube.list(POD, namespace, label_selector=f"{names.LABEL_FLEET}={name}"),
        )
        return await FleetSeen.of(fleet, head, deployment, pods, self._services)

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
