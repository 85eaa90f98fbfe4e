"""Carries out the plan for authority and leaves on the real Secrets; the leader alone, and by resourceVersion.

What is trusted is written before anything is signed by it; a crash in between is repaired by the next look.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from prometheus_client import Gauge

from headgate_api import names
from headgate_api.clock import Clock, rfc3339
from headgate_api.reasons import ConditionReason, ConditionType
from headgate_api.resources import ProxyFleet
from headgate_api.resources.base import Observation
from headgate_operator.fleet.certificates import FleetCertificate
from headgate_operator.fleet.manifests import common_labels, owner_of
from headgate_operator.leadership_lease import NotLeading
from headgate_operator.pki import kept as secrets
from headgate_operator.pki.given import judge
from headgate_operator.pki.issue import broker_names, issue, make_authority, proxy_names
from headgate_operator.pki.kept import Kept, certificates_in, found_in, kept_in, ours
from headgate_operator.pki.plan import (
    Authorities,
    Found,
    Leaf,
    Step,
    Timing,
    Trusted,
    Work,
    bundle,
    explain,
    next_step,
    renewal,
    work_on,
)
from headgate_operator.pki.store import LABELS, SecretStore
from headgate_operator.reading import readable
from headgate_runtime.certificates import AUTHORITY_KEY
from headgate_runtime.kube import Kube, KubeError, KubeUnavailable, Object
from headgate_runtime.kube_kinds import PROXY_FLEET

LOOK_SECONDS: Final = 10.0
_AUTHORITY: Final = "authority"
_BROKER: Final = "broker"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A leaf that is wanted, and the Secret it stands in."""

    what: str
    leaf: Leaf
    body: Object | None
    labels: Mapping[str, str]
    owner: Mapping[str, object] | None = None


class OwnCertificates:
    """The ``Certificates`` of one term as leader; ``expiry`` is a gauge labelled with what expires."""

    def __init__(
        self,
        kube: Kube,
        clock: Clock,
        *,
        namespace: str,
        fence: Callable[[], None],
        acknowledged: Callable[[str, str], Awaitable[bool]],
        expiry: Gauge,
        timing: Timing | None = None,
    ) -> None:
        """``acknowledged`` tells of (fleet, certificate as PEM) whether every live proxy runs on a head that trusts it."""
        self._kube = kube
        self._clock = clock
        self._namespace = namespace
        self._store = SecretStore(kube, namespace, fence)
        self._acknowledged = acknowledged
        self._expiry = expiry
        self._timing = timing or Timing()
        self._lock = asyncio.Lock()
        self._problem: str | None = None
        self._foreign: dict[str, str] = {}
        """What vouches for the certificates of others, by their Secret; the last that was of use outlives a mishap."""

    async def keep(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            try:
                await self.look()
            except (KubeError, KubeUnavailable, NotLeading) as error:
                _log.warning("The certificates could not be looked after", extra={"error": str(error)})
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """See to the authority, the broker's certificate, and the fleets' that are not given.

        Raises KubeError, KubeUnavailable, Conflict and NotLeading.
        """
        async with self._lock:
            await self._look()

    async def ensure(self, fleet: ProxyFleet, body: Object) -> FleetCertificate:
        """Return the fleet's certificate, made or renewed if need be; ``body`` is the fleet as JSON.

        Raises KubeError, KubeUnavailable, Conflict and NotLeading.
        """
        async with self._lock:
            kept = kept_in(await self._store.get(names.CA_SECRET))
            if _signer(kept.state) is None or names.BROKER_TLS_SECRET not in self._foreign:
                kept = await self._look()
            if fleet.spec.tls.secret_name is not None:
                return await self._given(fleet, fleet.spec.tls.secret_name, kept)
            return await self._own(await self._fleet_wanted(body, kept), kept)

    async def _look(self) -> Kept:
        now = self._clock.now()
        kept = kept_in(await self._store.get(names.CA_SECRET))
        if kept.problem is not None and kept.problem != self._problem:
            _log.error(
                "A part of the Secret of the certificate authority cannot be used; another authority takes over",
                extra={"secret": names.CA_SECRET, "problem": kept.problem},
            )
        self._problem = kept.problem
        listed = await self._kube.list(PROXY_FLEET, self._namespace)
        bodies = {b["metadata"]["name"]: b for b in listed if not b["metadata"].get("deletionTimestamp")}
        fleets = readable(ProxyFleet, bodies.values())
        wanted = [
            await self._fleet_wanted(bodies[fleet.metadata.name], kept)
            for fleet in fleets
            if fleet.spec.tls.secret_name is None
        ]
        broker = await self._store.get(names.BROKER_TLS_SECRET)
        if ours(broker):
            wanted.append(self._wanted(_BROKER, names.BROKER_TLS_SECRET, broker_names(self._namespace), broker, kept))
            self._foreign[names.BROKER_TLS_SECRET] = ""
        else:
            given = judge(names.BROKER_TLS_SECRET, broker, names.broker_server_name(self._namespace), now)
            self._told(_BROKER, given.leaf.not_after if given.leaf else None)
            self._foreign[names.BROKER_TLS_SECRET] = given.authority
        wanted = [each for each in wanted if ours(each.body)]
        if _signer(kept.state) is None:
            kept = _recovered(kept, wanted)
        kept = await self._advance(kept, wanted, [fleet.metadata.name for fleet in fleets])
        for each in wanted:
            await self._see_to(replace(each, leaf=self._leaf(each, kept)), kept)
        await self._store.publish(self._trusted(kept) or "")
        return kept

    async def _advance(self, kept: Kept, wanted: list[_Wanted], fleets: list[str]) -> Kept:
        """Take every step that is due, and write what has become of the authorities."""
        now, before = self._clock.now(), kept
        coming = kept.state.coming
        acknowledged = coming is not None and all([await self._acknowledged(fleet, coming.pem) for fleet in fleets])
        while True:
            leaves = [self._leaf(each, kept) for each in wanted]
            step = next_step(kept.state, leaves, acknowledged=acknowledged, now=now, timing=self._timing)
            if step is None:
                break
            kept = self._after(step, kept, now)
            acknowledged = acknowledged and step is not Step.BEGIN
            _log.info("Certificate authority: %s", step.value, extra={"step": step.name})
        trusted = bundle(kept.state, now)
        if kept is not before or kept.body is None or secrets.text(kept.body, AUTHORITY_KEY) != trusted:
            data = secrets.authority_data(kept, trusted)
            if kept.body is None:
                written = await self._store.create(names.CA_SECRET, "Opaque", data)
            else:
                written = await self._store.change(kept.body, data)
            kept = replace(kept, body=written)
        current = kept.state.current
        self._told(_AUTHORITY, current.not_after if current else None)
        return kept

    def _after(self, step: Step, kept: Kept, now: datetime) -> Kept:
        state = kept.state
        if step in (Step.CREATE, Step.BEGIN):
            kept, made = kept.holding(make_authority(self._namespace, now, self._timing.authority))
            if step is Step.CREATE:
                return replace(kept, state=replace(state, current=made, answered=state.requested))
            return replace(kept, state=replace(state, coming=made, announced=None, answered=state.requested))
        if step is Step.ANNOUNCED:
            return replace(kept, state=replace(state, announced=now))
        if step is Step.SWITCH:
            former = state.former if state.current is None else (*state.former, state.current)
            moved = replace(state, current=state.coming, coming=None, former=former, announced=None, moved=None)
            return replace(kept, state=moved)
        if step is Step.MOVED:
            return replace(kept, state=replace(state, moved=now))
        return replace(kept, state=replace(state, former=(), moved=None))

    async def _own(self, wanted: _Wanted, kept: Kept) -> FleetCertificate:
        secret, trusted = wanted.leaf.secret, self._trusted(kept)
        if not ours(wanted.body):
            problem = f"Secret {secret} exists and is not the operator's; name it in spec.tls.secretName to use it, or delete it"
            return FleetCertificate(secret, trusted, _invalid(problem))
        found = await self._see_to(wanted, kept)
        message = (
            f"Secret {secret} is valid until {rfc3339(found.not_after)}, and renewed from "
            f"{rfc3339(renewal(found, self._timing))}{explain(kept.state, self._timing)}"
        )
        return FleetCertificate(
            secret, trusted, Observation(ConditionType.CERTIFICATES_READY, True, ConditionReason.ISSUED, message)
        )

    async def _given(self, fleet: ProxyFleet, secret: str, kept: Kept) -> FleetCertificate:
        dns_name = names.proxy_server_name(fleet.metadata.name, self._namespace)
        given = judge(secret, await self._store.get(secret), dns_name, self._clock.now())
        self._told(f"fleet/{fleet.metadata.name}", given.leaf.not_after if given.leaf else None)
        authority = self._foreign[secret] = given.authority or self._foreign.get(secret, "")
        trusted = self._trusted(kept, authority)
        if given.leaf is None:
            return FleetCertificate(secret, trusted, _invalid(f"spec.tls.secretName: {given.problem}"))
        message = f"Secret {secret} is valid until {rfc3339(given.leaf.not_after)}; whoever made it renews it"
        return FleetCertificate(
            secret, trusted, Observation(ConditionType.CERTIFICATES_READY, True, ConditionReason.READY, message)
        )

    def _trusted(self, kept: Kept, authority: str = "") -> str | None:
        """Return everything a proxy is to trust: the operator's own authorities, and what vouches for given certificates."""
        now = self._clock.now()
        foreign = [c.pem for c in certificates_in(self._foreign.get(names.BROKER_TLS_SECRET, "") + "\n" + authority)]
        own = bundle(kept.state, now)
        return own + "".join(pem for pem in dict.fromkeys(foreign) if pem not in own) or None

    async def _fleet_wanted(self, body: Object, kept: Kept) -> _Wanted:
        fleet = body["metadata"]["name"]
        secret = names.tls_secret(fleet)
        found, dns_names = await self._store.get(secret), proxy_names(fleet, self._namespace)
        wanted = self._wanted(f"fleet/{fleet}", secret, dns_names, found, kept)
        return replace(wanted, labels=common_labels(body), owner=owner_of(body))

    def _wanted(self, what: str, secret: str, dns_names: tuple[str, ...], body: Object | None, kept: Kept) -> _Wanted:
        leaf = Leaf(secret, dns_names, found_in(body, kept.state, self._clock.now()))
        return _Wanted(what, leaf, body, LABELS)

    def _leaf(self, wanted: _Wanted, kept: Kept) -> Leaf:
        return replace(wanted.leaf, found=found_in(wanted.body, kept.state, self._clock.now()))

    async def _see_to(self, wanted: _Wanted, kept: Kept) -> Found:
        """Write what the plan says of a leaf, and return the certificate that now stands there."""
        now, leaf = self._clock.now(), wanted.leaf
        work, body = work_on(leaf, kept.state, now, self._timing), wanted.body
        if work is not None:
            signer = _signer(kept.state)
            assert signer is not None  # noqa: S101 - a look makes one before it comes here
            pair = (
                issue(kept.authority(signer), leaf.dns_names, now, self._timing.leaf)
                if work is Work.ISSUE or body is None
                else secrets.pair_in(body)
            )
            data = secrets.leaf_data(pair, bundle(kept.state, now))
            if body is None:
                kind = "kubernetes.io/tls"
                body = await self._store.create(leaf.secret, kind, data, wanted.labels, wanted.owner)
            else:
                body = await self._store.change(body, data)
            _log.info("A certificate is written", extra={"secret": leaf.secret, "work": work.value})
        found = found_in(body, kept.state, now)
        assert found is not None  # noqa: S101 - either the plan left it as it is, or it was just issued
        self._told(wanted.what, found.not_after)
        return found

    def _told(self, what: str, not_after: datetime | None) -> None:
        self._expiry.labels(what).set(0 if not_after is None else not_after.timestamp())


def _signer(state: Authorities) -> Trusted | None:
    return state.current or state.coming


def _recovered(kept: Kept, wanted: list[_Wanted]) -> Kept:
    """Return the authorities with those added that the leaves' own bundles name: their Secret, and so their key, is lost."""
    found = {one.pem: one for one in kept.state.former}
    for each in wanted:
        if each.body is not None:
            found |= {one.pem: one for one in certificates_in(secrets.text(each.body, AUTHORITY_KEY))}
    return replace(kept, state=replace(kept.state, former=tuple(found.values())))


def _invalid(problem: str) -> Observation:
    return Observation(ConditionType.CERTIFICATES_READY, False, ConditionReason.CERTIFICATE_INVALID, problem)
