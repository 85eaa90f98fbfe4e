"""What the fleets make of a policy: whether heads carry what its status says, who has taken that up, and the canaries there are."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from headgate_api import names
from headgate_api.resources import LLMProvider, ProxyFleet, RolloutPolicy
from headgate_api.snapshot import AccountEntry, Head, ProviderEntry, Snapshot
from headgate_operator.broker.reports import Heard
from headgate_operator.delivery.assemble import account_entry, allowed, provider_entry
from headgate_operator.delivery.publish import head_in
from headgate_operator.fleet.canary import canary_of, is_ready, usable
from headgate_operator.fleet.manifests import form_in
from headgate_operator.fleet.rollout import unfinished
from headgate_operator.revisions.guards import Rollouts
from headgate_operator.rollout.observed import Capacity, Delivery
from headgate_operator.rollout.quorum import proxies_in, waiting
from headgate_operator.rollout.targets import Content
from headgate_operator.services import Services
from headgate_runtime.kube import Object


@dataclass(frozen=True, slots=True)
class FleetSeen:
    """A fleet that a policy concerns, with its pods and its Deployment as JSON."""

    fleet: ProxyFleet
    head: Head | None
    snapshot: Snapshot | None
    deployment: Object | None
    pods: tuple[Object, ...]
    heard: dict[str, Heard]

    @classmethod
    async def of(
        cls,
        fleet: ProxyFleet,
        head: Object | None,
        deployment: Object | None,
        pods: Iterable[Object],
        services: Services,
    ) -> "FleetSeen":
        """Return the fleet with the snapshot that its head names. Raises KubeError, KubeUnavailable."""
        name, found = fleet.metadata.name, head_in(head)
        snapshot = await services.standing.of(name, found) if found is not None else None
        return cls(fleet, found, snapshot, deployment, tuple(pods), services.reports.heard(name))

    def on(self, track: str) -> list[Object]:
        """Return the pods of a track."""
        return [p for p in self.pods if (p["metadata"].get("labels") or {}).get(names.LABEL_TRACK) == track]


def delivery(
    policy: RolloutPolicy,
    rollouts: Rollouts,
    contents: Iterable[Content],
    fleets: Sequence[FleetSeen],
    *,
    now: datetime,
    term_seconds: float,
) -> Delivery:
    """Return how far the proxies of the policy's fleets have taken up what its status says."""
    there = [content for content in contents if content.seen.exists]
    published = all(_carries(policy, rollouts, there, seen) for seen in fleets)
    behind: list[str] = []
    for seen in fleets:
        digest = seen.head.digest if seen.head is not None else ""
        behind += waiting(proxies_in(seen.pods), seen.heard, digest, now, term_seconds)
    return Delivery(waiting=tuple(sorted(behind)), published=published)


def capacity(fleets: Sequence[FleetSeen], rollouts: Rollouts) -> Capacity:
    """Return the ready proxies of the fleet whose canary is the scarcest: a weight must be covered in each."""
    found = []
    for seen in fleets:
        guard = rollouts.of_fleet(seen.fleet, form_in(seen.deployment))
        canaries = len(usable(seen.on("canary"), canary_of(seen.fleet, guard, rollouts)))
        found.append((sum(map(is_ready, seen.on("stable"))), canaries))
    scarcest = min(found, key=lambda pair: pair[1] / max(1, pair[0]), default=(0, 0))
    return Capacity(stable_ready=scarcest[0], canary_ready=scarcest[1], lane=None)


def surge(contents: Iterable[Content], fleets: Sequence[FleetSeen]) -> str | None:
    """Return how far the stable pods of a guarded fleet are from its stable form; None: all run it, or none is guarded."""
    by_name = {seen.fleet.metadata.name: seen for seen in fleets}
    for content in contents:
        stable, seen = content.history.stable, by_name.get(content.seen.target.name)
        if content.seen.target.kind != ProxyFleet.KIND or stable is None or seen is None:
            continue
        applied = form_in(seen.deployment)
        if applied is None or applied.revision != stable.revision:
            return "the Deployment does not have the promoted form yet"
        return unfinished(seen.deployment, seen.on("stable"), seen.fleet.spec.replicas)
    return None


def _carries(policy: RolloutPolicy, rollouts: Rollouts, contents: Sequence[Content], seen: FleetSeen) -> bool:
    """Tell whether a fleet's head says of the policy what its status says, with the forms that are kept now."""
    if seen.head is None:
        return False
    split, key = rollouts.split(policy), "/".join(policy.key)
    shown = False
    for content in contents:
        if content.seen.target.kind == ProxyFleet.KIND:
            shown |= content.seen.target.name == seen.fleet.metadata.name
        elif isinstance(content.item, LLMProvider):
            entry = allowed(provider_entry(content.item, content.guard), seen.fleet)
            if not _as_told(entry, content, seen.snapshot):
                return False
            shown |= entry is not None and entry.candidate is not None
    return seen.head.rollouts.get(key) == (split if shown else None)


def _as_told(entry: ProviderEntry | None, content: Content, snapshot: Snapshot | None) -> bool:
    place = content.item.key if content.item is not None else ("", "")
    there = (
        next((e for e in snapshot.providers if (e.namespace, e.name) == place), None) if snapshot is not None else None
    )
    if _revisions(entry) != _revisions(there):
        return False
    if entry is None or snapshot is None:
        return True
    told = {(e.namespace, e.name): e for e in snapshot.accounts}
    return all(_revisions(account_entry(a, content.guard)) == _revisions(told.get(a.key)) for a in content.accounts)


def _revisions(entry: ProviderEntry | AccountEntry | None) -> tuple[str | None, str | None]:
    if entry is None:
        return None, None
    stable, candidate = entry.stable, entry.candidate
    return stable.revision if stable is not None else None, candidate.revision if candidate is not None else None
