"""Which objects need a look after an event: pure bookkeeping of who refers to whom.

An object's conditions and a fleet's snapshot depend on its neighbours, so a change that these can see touches them too.
One that they cannot see (a condition, a time) does not: with a thousand objects that would be a million looks.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from headgate_api.reasons import ConditionType
from headgate_api.resources import LLMProvider, ProxyFleet, SubscriptionAccount
from headgate_operator.engine.keys import Key


class Neighbours:
    """Knows the objects seen so far and which provider each account names."""

    def __init__(self) -> None:
        self._provider_of: dict[Key, Key] = {}
        self._providers: set[Key] = set()
        self._fleets: set[Key] = set()
        self._faces: dict[Key, object] = {}

    def seen(self, body: Mapping[str, Any], *, gone: bool = False) -> set[Key]:
        """Take note of an object (``gone``: it was deleted) and return the keys that an event about it touches."""
        key = Key.of(body)
        if not self._changed(key, body, gone):
            return {key}
        if key.kind == ProxyFleet.KIND:
            _note(self._fleets, key, gone)
            return {key} | self._providers
        if key.kind == LLMProvider.KIND:
            _note(self._providers, key, gone)
            accounts = {account for account, provider in self._provider_of.items() if provider == key}
            return {key} | accounts | self._fleets
        named = _at(body, "spec", "providerRef", "name")
        provider = Key(LLMProvider.KIND, key.namespace, str(named))
        if gone or named is None:
            self._provider_of.pop(key, None)
        else:
            self._provider_of[key] = provider
        return {key, provider} | self._fleets if named is not None else {key} | self._fleets

    def listed(self, bodies: Sequence[Mapping[str, Any]]) -> set[Key]:
        """Replace everything known by a fresh list of all objects; return the keys that differences touch."""
        known = self._faces.keys() - {Key.of(body) for body in bodies}
        touched = set(known)
        for key in known:
            self._faces.pop(key)
            self._provider_of.pop(key, None)
            self._providers.discard(key)
            self._fleets.discard(key)
        for body in bodies:
            before = self._faces.get(Key.of(body))
            keys = self.seen(body)
            if self._faces.get(Key.of(body)) != before:
                touched |= keys
        return touched

    @property
    def fleets(self) -> frozenset[Key]:
        """Return the fleets known now."""
        return frozenset(self._fleets)

    def _changed(self, key: Key, body: Mapping[str, Any], gone: bool) -> bool:
        """Tell whether what neighbours can see of an object differs from when it was last seen."""
        if gone:
            self._faces.pop(key, None)
            return True
        face = _face(body)
        before, self._faces[key] = self._faces.get(key), face
        return before != face


def needs_look(body: Mapping[str, Any]) -> bool:
    """Tell whether an object waits for something, or changed since its last look: its status says so itself."""
    if _at(body, "status", "observedGeneration") != _at(body, "metadata", "generation"):
        return True
    return _ready(body) != "True"


def _face(body: Mapping[str, Any]) -> object:
    """Return everything of an object that the plans of others, or a snapshot, depend on."""
    metadata = body["metadata"]
    versions = (_at(body, "status", "apiKey", "version"), _at(body, "status", "credential", "version"))
    ready = _ready(body) if body["kind"] == SubscriptionAccount.KIND else None
    return (
        metadata.get("uid"),
        metadata.get("generation"),
        bool(metadata.get("deletionTimestamp")),
        tuple(sorted((metadata.get("labels") or {}).items())),
        versions,
        ready,
    )


def _ready(body: Mapping[str, Any]) -> object:
    conditions = _at(body, "status", "conditions")
    for condition in conditions if isinstance(conditions, list) else ():
        if _at(condition, "type") == ConditionType.READY:
            return _at(condition, "status")
    return None


def _at(body: Any, *path: str) -> Any:
    """Return what stands at a path of keys, or None; nothing is taken for granted about objects nobody validated."""
    for part in path:
        body = body.get(part) if isinstance(body, Mapping) else None
    return body


def _note(keys: set[Key], key: Key, gone: bool) -> None:
    if gone:
        keys.discard(key)
    else:
        keys.add(key)


WATCHED = (LLMProvider, SubscriptionAccount, ProxyFleet)
"""The custom resources whose events reach ``Neighbours``."""
