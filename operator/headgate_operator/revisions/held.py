"""Lets go of objects that lost their guard: once the live form is the stable one, or was released, nothing need be kept."""

from pydantic import ValidationError

from headgate_api.resources import LLMProvider, ProxyFleet, SubscriptionAccount
from headgate_api.resources.base import Resource
from headgate_operator.engine.keys import Key
from headgate_operator.reading import readable
from headgate_operator.revisions.guard import Guard, State
from headgate_operator.revisions.guards import Guards, Rollouts
from headgate_operator.revisions.store import RevisionStore
from headgate_runtime.kube import Kube
from headgate_runtime.kube_kinds import LLM_PROVIDER, SUBSCRIPTION_ACCOUNT


class Held:
    """Deletes the kept revisions of objects that no policy names."""

    def __init__(self, kube: Kube, guards: Guards, store: RevisionStore) -> None:
        self._kube = kube
        self._guards = guards
        self._store = store

    async def release_provider(self, key: Key) -> None:
        """Delete what is kept of a provider that needs no holding any more. Raises KubeError, KubeUnavailable."""
        body = await self._kube.get(LLM_PROVIDER, key.namespace, key.name)
        if body is None:
            return
        try:
            provider = LLMProvider.from_wire(body)
        except ValidationError:
            return
        if not (await self._store.of(key, provider.metadata.uid)).kept:
            return
        accounts = readable(SubscriptionAccount, await self._kube.list(SUBSCRIPTION_ACCOUNT, key.namespace))
        rollouts = await self._guards.rollouts(key.namespace, (provider,))
        await self._release(provider, rollouts, rollouts.of_provider(provider, accounts))

    async def release_fleet(self, fleet: ProxyFleet, rollouts: Rollouts, guard: Guard) -> None:
        """Delete what is kept of a fleet that needs no holding any more."""
        await self._release(fleet, rollouts, guard)

    async def _release(self, item: Resource, rollouts: Rollouts, guard: Guard) -> None:
        if guard.state is not State.UNGUARDED:
            return
        # The stable one last: a crash in between must not leave an older one as the stable one.
        for kept in sorted(rollouts.history(item).kept, key=lambda k: k.number):
            await self._store.forget(item.metadata.namespace, kept)
