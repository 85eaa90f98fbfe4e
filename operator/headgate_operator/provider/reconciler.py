"""Reads everything an LLMProvider's plan depends on, and has the plan carried out."""

from dataclasses import replace
from datetime import datetime
from functools import partial

from headgate_api.reasons import AuthMode
from headgate_api.redaction import Redactor
from headgate_api.resources import LLMProvider, ProxyFleet, SubscriptionAccount
from headgate_api.vault import api_key_path
from headgate_operator.credentials.executor import Executor
from headgate_operator.credentials.observe import remember, secret_view
from headgate_operator.credentials.plan import Plan
from headgate_operator.credentials.seams import Edge, NoRefreshes, RefreshQueue
from headgate_operator.credentials.store import Store
from headgate_operator.engine.keys import Key
from headgate_operator.federation.memory import Memory
from headgate_operator.federation.observe import observe_tokens, wanted_tokens
from headgate_operator.federation.settings import Federation
from headgate_operator.federation.standing import ObservedTokens, tokens_plan
from headgate_operator.provider.observed import ObservedKey, ObservedProvider
from headgate_operator.provider.plan import plan
from headgate_operator.reading import Unreadable, read, readable
from headgate_operator.revisions.guard import UNGUARDED
from headgate_operator.revisions.guards import Guards
from headgate_operator.revisions.held import Held
from headgate_runtime.kube import Kube
from headgate_runtime.kube_kinds import LLM_PROVIDER, PROXY_FLEET, SUBSCRIPTION_ACCOUNT
from headgate_runtime.vault import VaultError


class ProviderReconciler:
    """Reconciles LLMProviders. ``fleet_namespace`` is the operator's own: ProxyFleets count only there."""

    def __init__(
        self,
        kube: Kube,
        store: Store,
        executor: Executor,
        edge: Edge,
        redactor: Redactor,
        guards: Guards,
        held: Held,
        *,
        fleet_namespace: str,
        refreshes: RefreshQueue | None = None,
        memory: Memory | None = None,
    ) -> None:
        """``refreshes`` takes tokens that are due; ``memory`` is what it remembers of them."""
        self._refreshes = refreshes or NoRefreshes()
        self._memory = memory or Memory()
        self._kube = kube
        self._store = store
        self._executor = executor
        self._edge = edge
        self._redactor = redactor
        self._guards = guards
        self._held = held
        self._fleet_namespace = fleet_namespace

    async def reconcile(self, key: Key) -> float | None:
        """Bring one provider's credentials and status up to date. Raises KubeError, KubeUnavailable, Unsettled."""
        try:
            again = await self._executor.settle(lambda trouble: self._observe(key, trouble), self._plan)
            await self._held.release_provider(key)
            return again
        except Unreadable as unreadable:
            await self._executor.refuse(unreadable)
            return None

    def _plan(self, seen: ObservedProvider, now: datetime) -> Plan:
        step = plan(seen, now)
        if step.action is None and seen.provider.metadata.deletion_timestamp is None:
            for federation in tokens_plan(seen.tokens, seen.provider.spec.auth.modes, now).due:
                stored = seen.tokens.records.get(federation.grant_id)
                expires = stored.record.expires_at if stored is not None and stored.record is not None else None
                self._refreshes.due(federation.key, federation.token_origin, expires)
        return step

    async def _observe(self, key: Key, trouble: VaultError | None) -> ObservedProvider | None:
        body = await self._kube.get(LLM_PROVIDER, key.namespace, key.name)
        if body is None:
            self._memory.want(key, ())
            return None
        provider = read(LLMProvider, body)
        leaving = provider.metadata.deletion_timestamp is not None
        uses_key = AuthMode.API_KEY in provider.spec.auth.modes
        observed = await self._observe_key(provider, trouble) if uses_key or leaving else ObservedKey()
        pin = provider.spec.auth.api_key.version if provider.spec.auth.api_key else None
        version = pin or observed.latest.version
        accounts = () if leaving else await self._accounts(key)
        guard = UNGUARDED if leaving else await self._guards.of_provider(provider, accounts)
        wanted = () if leaving else wanted_tokens(provider, guard)
        self._memory.want(key, wanted)
        return ObservedProvider(
            body=body,
            provider=provider,
            fleets=() if leaving else await self._fleets(),
            accounts=accounts,
            key=observed,
            tokens=await self._tokens(provider, wanted, trouble),
            programmed=partial(self._edge.programmed, key),
            fallbacks=tuple(self._edge.fallbacks(key)),
            verdict=self._edge.verdict(api_key_path(*provider.key), version) if version else None,
            guard=guard,
        )

    async def _tokens(
        self, provider: LLMProvider, wanted: tuple[Federation, ...], trouble: VaultError | None
    ) -> ObservedTokens:
        seen = await observe_tokens(self._store, self._memory, provider, wanted, trouble)
        if seen.trouble is not None and trouble is None:
            self._executor.note_trouble(seen.trouble)
        for stored in seen.records.values():
            remember(self._redactor, stored)
        latest = seen.records.get(seen.live.grant_id) if seen.live is not None else None
        if seen.live is None or latest is None or not latest.version:
            return seen
        return replace(seen, verdict=self._edge.verdict(seen.live.path, latest.version))

    async def _observe_key(self, provider: LLMProvider, trouble: VaultError | None) -> ObservedKey:
        auth = provider.spec.auth.api_key
        ref = auth.import_secret_ref if auth else None
        leaving = provider.metadata.deletion_timestamp is not None
        # A deletion needs no Secret, so it must not fail for want of one that may be read.
        secret = None if leaving else await secret_view(self._kube, self._redactor, provider.metadata.namespace, ref)
        if trouble is not None:
            return ObservedKey(secret=secret, trouble=trouble)
        try:
            latest = await self._store.api_key(*provider.key)
            pinned = None
            if auth is not None and auth.version is not None:
                pinned = await self._store.api_key_version(*provider.key, auth.version)
            needs_hash = secret is not None and secret.content is not None
            hash_key = await self._store.hash_key() if needs_hash else None
        except VaultError as error:
            self._executor.note_trouble(error)
            return ObservedKey(secret=secret, trouble=error)
        remember(self._redactor, latest)
        if pinned is not None:
            remember(self._redactor, pinned)
        return ObservedKey(secret=secret, hash_key=hash_key, latest=latest, pinned=pinned)

    async def _fleets(self) -> tuple[ProxyFleet, ...]:
        bodies = await self._kube.list(PROXY_FLEET, self._fleet_namespace)
        return tuple(fleet for fleet in readable(ProxyFleet, bodies) if fleet.metadata.deletion_timestamp is None)

    async def _accounts(self, key: Key) -> tuple[SubscriptionAccount, ...]:
        bodies = await self._kube.list(SUBSCRIPTION_ACCOUNT, key.namespace)
        return tuple(
            a
            for a in readable(SubscriptionAccount, bodies)
            if a.spec.provider_ref.name == key.name and a.metadata.deletion_timestamp is None
        )
