"""The guards of many objects at once, and of one: which policies, kept revisions and published snapshots each depends on.

Order of reading matters, and this is the one place that keeps it: objects first, then policies, then ControllerRevisions. A
policy that a look does not see was made after the objects it saw were read; a promotion is written before the status that
says so, and a look that sees that status sees the promotion too.
"""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError

from headgate_api.resources import LLMProvider, ProxyFleet, RolloutPolicy, RolloutPolicySpec, SubscriptionAccount
from headgate_api.resources.base import Resource
from headgate_api.snapshot import Snapshot, Split
from headgate_operator.engine.keys import Key
from headgate_operator.revisions.bundles import Form, fleet_bundle, provider_bundle
from headgate_operator.revisions.guard import UNGUARDED, Guard, governing, guard_of
from headgate_operator.revisions.history import NONE, History
from headgate_operator.revisions.settled import unsettled
from headgate_operator.revisions.standing import Standing, served_form
from headgate_operator.revisions.store import RevisionStore
from headgate_operator.rollout.exposure import exposure
from headgate_runtime.kube import Kube, Object
from headgate_runtime.kube_kinds import PROXY_FLEET, ROLLOUT_POLICY


def key_of(item: Resource) -> Key:
    """Return the key of an object."""
    return Key(item.KIND, *item.key)


def policy_in(body: Mapping[str, Any]) -> RolloutPolicy | None:
    """Return a policy given as JSON. One that cannot be read still guards what it names, and its rollout what it changes."""
    with contextlib.suppress(ValidationError):
        return RolloutPolicy.from_wire(body)
    spec = body.get("spec")
    targets = spec.get("targets") if isinstance(spec, dict) else None
    with contextlib.suppress(ValidationError):
        return RolloutPolicy.from_wire({**body, "spec": {"targets": targets, "steps": [{"weight": 100}]}})
    return None


@dataclass(frozen=True, slots=True)
class Rollouts:
    """All policies that were read, and what is kept of them and of the objects that were asked for."""

    policies: tuple[RolloutPolicy, ...] = ()
    histories: Mapping[Key, History] = field(default_factory=dict)

    def with_policy(self, policy: RolloutPolicy) -> "Rollouts":
        """Return the same with a newer version of one policy, whose rollout keeps what it kept before."""
        return replace(self, policies=tuple(policy if p.key == policy.key else p for p in self.policies))

    def history(self, item: Resource) -> History:
        """Return what is kept of an object."""
        return self.histories.get(key_of(item), NONE)

    def running(self, policy: RolloutPolicy) -> RolloutPolicySpec | None:
        """Return the spec that a policy's rollout runs under; None without a rollout, or when that spec is lost."""
        rollout = policy.status.rollout
        kept = self.history(policy).find(rollout.policy_revision) if rollout is not None else None
        return kept.policy if kept is not None else None

    def split(self, policy: RolloutPolicy) -> Split | None:
        """Return how a policy's requests are divided now; None: nobody sees its candidate."""
        return exposure(policy, self.running(policy))

    def governing(self, item: Resource) -> RolloutPolicy | None:
        """Return the policy that has an object."""
        return governing(self.policies, item.metadata.namespace, item.KIND, item.metadata.name)

    def needs_standing(self, item: Resource) -> bool:
        """Tell whether what is served now of an object must be known, since no readable stable form is kept."""
        stable = self.history(item).stable
        return (self.governing(item) is not None and stable is None) or (stable is not None and stable.form is None)

    def of_provider(
        self,
        provider: LLMProvider,
        accounts: Sequence[SubscriptionAccount],
        snapshots: Sequence[Snapshot | None] = (),
    ) -> Guard:
        """Return a provider's guard, which is its accounts' too; ``snapshots``: what fleets serve now."""
        history = self.history(provider)
        if not history.kept and self.governing(provider) is None:
            return UNGUARDED
        bundle = provider_bundle(provider, accounts)
        members = [a for a in accounts if a.metadata.name in bundle.accounts]
        return guard_of(
            provider,
            self.policies,
            history,
            bundle,
            exposed=lambda policy: self.split(policy) is not None,
            published=lambda: served_form(snapshots, *provider.key),
            known=unsettled(provider, members) is None,
        )

    def of_fleet(self, fleet: ProxyFleet, served: Form | None) -> Guard:
        """Return a fleet's guard; ``served``: what its Deployment runs now."""
        return guard_of(
            fleet,
            self.policies,
            self.history(fleet),
            fleet_bundle(fleet),
            exposed=lambda policy: self.split(policy) is not None,
            published=lambda: served,
        )


class Guards:
    """Reads policies and kept revisions, in the order that the module's docstring gives."""

    def __init__(self, kube: Kube, store: RevisionStore, standing: Standing, namespace: str) -> None:
        """``namespace`` is the operator's own, where fleets live."""
        self._kube = kube
        self._store = store
        self._standing = standing
        self._namespace = namespace

    async def rollouts(self, namespace: str | None, items: Iterable[Resource]) -> Rollouts:
        """Return the policies of a namespace (None: of all) and what is kept of ``items``, which were read before."""
        return await self.kept(namespace, await self.policies(namespace), items)

    async def policies(self, namespace: str | None) -> list[Object]:
        """Return the policies of a namespace (None: of all) as JSON; to be read after the objects that they may name."""
        return await self._kube.list(ROLLOUT_POLICY, namespace)

    async def kept(self, namespace: str | None, bodies: Iterable[Object], items: Iterable[Resource]) -> Rollouts:
        """Return policies read a moment ago (``bodies``) with what is kept of them and of ``items``."""
        policies = tuple(policy for body in bodies if (policy := policy_in(body)) is not None)
        uids = {key_of(item): item.metadata.uid for item in (*items, *policies)}
        return Rollouts(policies, await self._store.all(namespace, uids))

    async def of_provider(self, provider: LLMProvider, accounts: Sequence[SubscriptionAccount]) -> Guard:
        """Return the guard of a provider read before, as all fleets together serve it."""
        rollouts = await self.rollouts(provider.metadata.namespace, (provider,))
        snapshots = await self.snapshots() if rollouts.needs_standing(provider) else ()
        return rollouts.of_provider(provider, accounts, snapshots)

    async def concerned(self, provider: LLMProvider) -> bool:
        """Tell whether a policy names a provider, or anything is kept of it; else it and its accounts are unguarded."""
        rollouts = await self.rollouts(provider.metadata.namespace, (provider,))
        return bool(rollouts.history(provider).kept) or rollouts.governing(provider) is not None

    async def snapshots(self) -> tuple[Snapshot | None, ...]:
        """Return what each fleet serves now, by the fleets' names."""
        fleets = sorted(body["metadata"]["name"] for body in await self._kube.list(PROXY_FLEET, self._namespace))
        return tuple([await self._standing.snapshot(name) for name in fleets])
