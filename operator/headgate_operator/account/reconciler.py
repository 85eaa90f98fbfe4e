"""Reads everything a SubscriptionAccount's plan depends on, and has the plan carried out."""

from dataclasses import replace
from datetime import datetime
from functools import partial

from headgate_api.redaction import Redactor
from headgate_api.resources import LLMProvider, SubscriptionAccount
from headgate_api.resources.limits import LimitObservation
from headgate_api.vault import access_path
from headgate_operator.account.observed import ObservedAccount
from headgate_operator.account.plan import plan
from headgate_operator.account.queues import AccountQueues
from headgate_operator.account.refreshing import refreshing
from headgate_operator.account.revoking import due as is_due
from headgate_operator.account.revoking import waiting
from headgate_operator.credentials.executor import Executor
from headgate_operator.credentials.observe import remember, secret_view
from headgate_operator.credentials.plan import Plan, soonest
from headgate_operator.credentials.seams import Edge
from headgate_operator.credentials.store import Store
from headgate_operator.engine.keys import Key
from headgate_operator.limits.asking import asked_about
from headgate_operator.limits.shown import as_told
from headgate_operator.reading import Unreadable, read, readable
from headgate_operator.revisions.guard import UNGUARDED, Guard
from headgate_operator.revisions.guards import Guards
from headgate_runtime.kube import Kube
from headgate_runtime.kube_kinds import LLM_PROVIDER, SUBSCRIPTION_ACCOUNT
from headgate_runtime.vault import VaultError


class AccountReconciler:
    """Reconciles SubscriptionAccounts."""

    def __init__(
        self,
        kube: Kube,
        store: Store,
        executor: Executor,
        edge: Edge,
        redactor: Redactor,
        guards: Guards,
        queues: AccountQueues | None = None,
    ) -> None:
        self._queues = queues or AccountQueues()
        self._kube = kube
        self._store = store
        self._executor = executor
        self._edge = edge
        self._redactor = redactor
        self._guards = guards

    async def reconcile(self, key: Key) -> float | None:
        """Bring one account's grant and status up to date. Raises KubeError, KubeUnavailable, Unsettled."""
        try:
            return await self._executor.settle(lambda trouble: self._observe(key, trouble), self._plan)
        except Unreadable as unreadable:
            await self._executor.refuse(unreadable)
            return None

    def _plan(self, seen: ObservedAccount, now: datetime) -> Plan:
        step = plan(seen, now)
        due = refreshing(seen, now).due_at_origin if step.action is None else None
        if due is not None:
            expires = seen.grant.record.expires_at if seen.grant.record is not None else None
            self._queues.refreshes.due(Key.of(seen.body), due, expires)
        untold = waiting(seen.grant.record or seen.grant.forgotten)
        if step.action is None and any(is_due(item, now) for item in untold):
            self._queues.revocations.due(Key.of(seen.body))
        usage = asked_about(seen.account, seen.provider) if step.action is None and seen.access.record else None
        if usage is None:
            return step
        heard = seen.limits.at if seen.limits is not None else None
        return replace(step, requeue=soonest(step.requeue, self._queues.polls.look(Key.of(seen.body), usage, heard)))

    async def _observe(self, key: Key, trouble: VaultError | None) -> ObservedAccount | None:
        body = await self._kube.get(SUBSCRIPTION_ACCOUNT, key.namespace, key.name)
        if body is None:
            return None
        account = read(SubscriptionAccount, body)
        found = await self._kube.get(LLM_PROVIDER, key.namespace, account.spec.provider_ref.name)
        provider = next(iter(readable(LLMProvider, [found])), None) if found is not None else None
        leaving = account.metadata.deletion_timestamp is not None
        ref = None if leaving else account.spec.credential.import_secret_ref
        secret = await secret_view(self._kube, self._redactor, key.namespace, ref)
        seen = partial(
            ObservedAccount,
            body,
            account,
            provider,
            partial(self._edge.programmed, key),
            secret,
            provider_unreadable=found is not None and provider is None,
            guard=UNGUARDED if provider is None or leaving else await self._guard(provider),
        )
        if trouble is not None:
            return seen(trouble=trouble)
        try:
            grant = await self._store.grant(*account.key)
            access = await self._store.access(*account.key)
            needs_hash = secret is not None and secret.content is not None
            hash_key = await self._store.hash_key() if needs_hash else None
        except VaultError as error:
            self._executor.note_trouble(error)
            return seen(trouble=error)
        for stored in (grant, access):
            remember(self._redactor, stored)
        verdict = self._edge.verdict(access_path(*account.key), access.version) if access.version else None
        limits = self._limits(account, grant.record.grant_id) if grant.record is not None else None
        return seen(hash_key=hash_key, grant=grant, access=access, verdict=verdict, limits=limits)

    def _limits(self, account: SubscriptionAccount, grant: str) -> LimitObservation | None:
        known = self._edge.limits(access_path(*account.key), grant)
        if known is None and (told := as_told(account, grant)) is not None:
            self._edge.remember(told)
            return told
        return known

    async def _guard(self, provider: LLMProvider) -> Guard:
        """Return the guard of the account's provider; what it holds depends on the accounts beside this one too."""
        leaving = provider.metadata.deletion_timestamp is not None
        if leaving or not await self._guards.concerned(provider):
            return UNGUARDED  # and the accounts beside it, a thousand maybe, need not be read
        bodies = await self._kube.list(SUBSCRIPTION_ACCOUNT, provider.metadata.namespace)
        return await self._guards.of_provider(provider, readable(SubscriptionAccount, bodies))
