"""Which objects need a look after an event: pure bookkeeping of who refers to whom.

An object's conditions and a fleet's snapshot depend on its neighbours, so an event touches these too. Touching too much
costs a read; touching too little would leave a stale condition until the next resync.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from headgate_api.resources import LLMProvider, ProxyFleet, SubscriptionAccount
from headgate_operator.engine.keys import Key


class Neighbours:
    """Knows the objects seen so far and which provider each account names."""

    def __init__(self) -> None:
        self._provider_of: dict[Key, Key] = {}
        self._providers: set[Key] = set()
        self._fleets: set[Key] = set()

    def seen(self, body: Mapping[str, Any], *, gone: bool = False) -> set[Key]:
        """Take note of an object (``gone``: it was deleted) and return the keys that an event about it touches."""
        key = Key.of(body)
        if key.kind == ProxyFleet.KIND:
            _note(self._fleets, key, gone)
            return {key} | self._providers
        if key.kind == LLMProvider.KIND:
            _note(self._providers, key, gone)
            accounts = {account for account, provider in self._provider_of.items() if provider == key}
            return {key} | accounts | self._fleets
        provider = Key(LLMProvider.KIND, key.namespace, body["spec"]["providerRef"]["name"])
        if gone:
            self._provider_of.pop(key, None)
        else:
            self._provider_of[key] = provider
        return {key, provider} | self._fleets

    def listed(self, bodies: Iterable[Mapping[str, Any]]) -> set[Key]:
        """Replace everything known by a fresh list of all objects, and return their keys."""
        self._provider_of, self._providers, self._fleets = {}, set(), set()
        keys = set()
        for body in bodies:
            self.seen(body)
            keys.add(Key.of(body))
        return keys

    @property
    def served(self) -> frozenset[Key]:
        """Return the providers and accounts known now: what a fleet's proxies serve."""
        return frozenset(self._providers | self._provider_of.keys())

    @property
    def fleets(self) -> frozenset[Key]:
        """Return the fleets known now."""
        return frozenset(self._fleets)


def _note(keys: set[Key], key: Key, gone: bool) -> None:
    if gone:
        keys.discard(key)
    else:
        keys.add(key)


WATCHED = (LLMProvider, SubscriptionAccount, ProxyFleet)
"""The custom resources whose events reach ``Neighbours``."""
