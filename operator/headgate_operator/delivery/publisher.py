"""Publishes a fleet's head and snapshot from a look of its own: the one path by which anything reaches the proxies.

It does nothing else, so that a rollback waits for nothing else. One look at a time per fleet: whoever publishes last has
looked last.
"""

import asyncio
import logging
from dataclasses import dataclass, field

from headgate_api import names
from headgate_api.reasons import ConditionReason, ConditionType
from headgate_api.resources import LLMProvider, ProxyFleet, SubscriptionAccount
from headgate_api.resources.base import Observation
from headgate_api.snapshot import Head, Snapshot, SnapshotError, Split, pack
from headgate_operator.delivery.assemble import assemble
from headgate_operator.delivery.publish import head_in, publish
from headgate_operator.delivery.published import forms
from headgate_operator.engine.keys import Key
from headgate_operator.fleet.canary import canary_of, endpoints
from headgate_operator.fleet.manifests import form_in, selector_of
from headgate_operator.fleet.signing_keys import SigningKeySource
from headgate_operator.metrics import Metrics
from headgate_operator.reading import Unreadable, read, readable
from headgate_operator.revisions.guard import Guard
from headgate_operator.revisions.guards import Rollouts
from headgate_operator.services import Services
from headgate_runtime.kube import Object
from headgate_runtime.kube_kinds import CONFIG_MAP, DEPLOYMENT, LLM_PROVIDER, POD, PROXY_FLEET, SUBSCRIPTION_ACCOUNT

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen when a fleet's head was published. ``problem``: why it could not be."""

    body: Object
    fleet: ProxyFleet
    rollouts: Rollouts
    guard: Guard
    """The fleet's own."""
    problem: Observation | None = None


@dataclass(slots=True)
class _Fleet:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    trust: str | None = None


class Publisher:
    """Publishes while this process leads; ``broker_url`` is what proxies are told to report to."""

    def __init__(self, services: Services, *, keys: SigningKeySource, broker_url: str, metrics: Metrics) -> None:
        self._services = services
        self._kube = services.kube
        self._keys = keys
        self._broker_url = broker_url
        self._metrics = metrics
        self._fleets: dict[str, _Fleet] = {}

    async def reconcile(self, key: Key) -> float | None:
        """Publish the head of the fleet that a ``SNAPSHOT`` key names. Raises KubeError, KubeUnavailable, NotLeading."""
        if key.namespace == self._services.namespace:
            await self.publish(key.name, thorough=False)
        return None

    async def publish(self, fleet: str, trust: str | None = None, *, thorough: bool = True) -> Look | None:
        """Look at everything a head depends on and publish it; return None where the fleet is gone or cannot be read.

        ``trust``: the fleet's trust bundle, where it is known anew. ``thorough``: see too that chunks which the present head
        names are still there.
        """
        mine = self._fleets.setdefault(fleet, _Fleet())
        async with mine.lock:
            mine.trust = trust or mine.trust
            return await self._publish(fleet, mine, thorough)

    def trusts(self, fleet: str, bundle: str | None) -> bool:
        """Tell whether a fleet's heads carry this trust bundle already; None: there is none to carry."""
        return bundle is None or (fleet in self._fleets and self._fleets[fleet].trust == bundle)

    async def _publish(self, name: str, mine: _Fleet, thorough: bool) -> Look | None:
        namespace = self._services.namespace
        selector = ",".join(f"{k}={v}" for k, v in selector_of(name, "canary").items())
        (body, deployment, standing), found_providers, found_accounts, pods, keys = await asyncio.gather(
            asyncio.gather(
                self._kube.get(PROXY_FLEET, namespace, name),
                self._kube.get(DEPLOYMENT, namespace, names.proxy_name(name)),
                self._kube.get(CONFIG_MAP, namespace, names.head_name(name)),
            ),
            self._kube.list(LLM_PROVIDER),
            self._kube.list(SUBSCRIPTION_ACCOUNT),
            self._kube.list(POD, namespace, label_selector=selector),
            self._keys.current(),
        )
        if body is None or body["metadata"].get("deletionTimestamp"):
            return None
        try:
            fleet = read(ProxyFleet, body)
        except Unreadable:
            return None  # it says so itself, in its own reconciliation
        providers, accounts = readable(LLMProvider, found_providers), readable(SubscriptionAccount, found_accounts)
        rollouts = await self._services.guards.rollouts(None, (*providers, fleet))
        before = head_in(standing)
        served = None
        if before is not None and any(rollouts.needs_standing(p) for p in providers):
            served = await self._services.standing.of(name, before)
        guard = rollouts.of_fleet(fleet, form_in(deployment))
        guards = _guards(rollouts, providers, accounts, served)
        snapshot = assemble(fleet, providers, accounts, keys, guards)
        try:
            revision, chunks = await asyncio.to_thread(pack, snapshot)
        except SnapshotError as error:
            message = f"the snapshot cannot be packed: {error}; shorten the largest LLMProvider or SubscriptionAccount"
            problem = Observation(ConditionType.SNAPSHOT_DELIVERED, False, ConditionReason.SPEC_INVALID, message)
            return Look(body, fleet, rollouts, guard, problem)
        splits = splits_of(fleet, snapshot, rollouts)
        head = Head(
            revision=revision,
            chunks=tuple(sorted(chunks)),
            rollouts=splits,
            canary_endpoints=endpoints(pods, canary_of(fleet, guard, rollouts), fleet.spec.ports.https)
            if splits
            else (),
            broker_url=self._broker_url,
            # What proxies trust already stands until the certificates have been looked at.
            trust_bundle=mine.trust or (before.trust_bundle if before is not None else None),
        )
        # Known before it is written: a proxy may report the new revision before the write has returned to us.
        self._services.published.record(name, revision, forms(snapshot))
        self._services.reports.limits.serve(name, snapshot)
        self._services.fence()
        if await publish(self._kube, body, head, chunks, standing=standing, thorough=thorough):
            self._metrics.snapshots.labels(name).inc()
            _log.info("A snapshot is published", extra={"fleet": name, "revision": revision, "head": head.digest})
        self._services.standing.remember(name, revision, snapshot)
        self._metrics.snapshot_objects.labels(name, LLMProvider.KIND).set(len(snapshot.providers))
        self._metrics.snapshot_objects.labels(name, SubscriptionAccount.KIND).set(len(snapshot.accounts))
        return Look(body, fleet, rollouts, guard)


def splits_of(fleet: ProxyFleet, snapshot: Snapshot, rollouts: Rollouts) -> dict[str, Split]:
    """Return the rollouts that a fleet's head carries, by policy: those whose candidate its snapshot or its canary holds."""
    carried = {e.policy for e in snapshot.providers if e.candidate is not None}
    found: dict[str, Split] = {}
    for policy in rollouts.policies:
        split, key = rollouts.split(policy), "/".join(policy.key)
        if split is None:
            continue
        image = split.lane == "Image" and rollouts.governing(fleet) is policy
        if image or (split.lane == "Candidate" and key in carried):
            found[key] = split
    return found


def _guards(
    rollouts: Rollouts,
    providers: list[LLMProvider],
    accounts: list[SubscriptionAccount],
    served: Snapshot | None,
) -> dict[tuple[str, str], Guard]:
    if not rollouts.policies and not rollouts.histories:
        return {}
    members: dict[tuple[str, str], list[SubscriptionAccount]] = {}
    for account in accounts:
        members.setdefault((account.metadata.namespace, account.spec.provider_ref.name), []).append(account)
    return {p.key: rollouts.of_provider(p, members.get(p.key, ()), (served,)) for p in providers}
