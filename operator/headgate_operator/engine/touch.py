"""Which objects need a look after an event: pure bookkeeping of who refers to whom.

An object's conditions and a fleet's snapshot depend on its neighbours, so a change that these can see touches them too.
One that they cannot see (a condition, a time) does not: with a thousand objects that would be a million looks.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from headgate_api import names
from headgate_api.reasons import ConditionType
from headgate_api.resources import LLMProvider, ProxyFleet, RolloutPolicy, SubscriptionAccount
from headgate_operator.engine.keys import SNAPSHOT, Key

_ANNOTATIONS: Final = (names.ANNOTATION_RELEASE, names.ANNOTATION_AUTHORS)


class Neighbours:
    """Knows the objects seen so far and which provider each account names."""

    def __init__(self) -> None:
        self._provider_of: dict[Key, Key] = {}
        self._providers: set[Key] = set()
        self._fleets: set[Key] = set()
        self._targets_of: dict[Key, frozenset[Key]] = {}
        self._rolling: set[Key] = set()
        self._faces: dict[Key, object] = {}
        self._progress: dict[Key, object] = {}

    def seen(self, body: Mapping[str, Any], *, gone: bool = False) -> set[Key]:
        """Take note of an object (``gone``: it was deleted) and return the keys that an event about it touches."""
        key = Key.of(body)
        if not self._changed(key, body, gone):
            return {key} | self._rollouts_of(key, body)
        if key.kind == RolloutPolicy.KIND:
            return self._policy_seen(key, body, gone)
        if key.kind == ProxyFleet.KIND:
            _note(self._fleets, key, gone)
            return {key} | self._providers | self._policies_of(key) | self._rolling
        if key.kind == LLMProvider.KIND:
            _note(self._providers, key, gone)
            accounts = {account for account, provider in self._provider_of.items() if provider == key}
            return {key} | accounts | self._fleets | self._policies_of(key)
        named = _at(body, "spec", "providerRef", "name")
        provider = Key(LLMProvider.KIND, key.namespace, str(named))
        if gone or named is None:
            self._provider_of.pop(key, None)
        else:
            self._provider_of[key] = provider
        others = {provider} | self._policies_of(provider) if named is not None else set[Key]()
        return {key} | others | self._fleets

    def _policy_seen(self, key: Key, body: Mapping[str, Any], gone: bool) -> set[Key]:
        """Heads first among what a policy's change touches: a rollback is such a change."""
        before = self._targets_of.pop(key, frozenset())
        targets = frozenset() if gone else _targets(key.namespace, body)
        if targets:
            self._targets_of[key] = targets
        _note(self._rolling, key, gone or _at(body, "status", "rollout") is None)
        objects = before | targets
        accounts = {account for account, provider in self._provider_of.items() if provider in objects}
        rivals = {policy for target in objects for policy in self._policies_of(target)} | self._rolling
        return {key} | self.heads | self._fleets | objects | accounts | rivals

    def _rollouts_of(self, key: Key, body: Mapping[str, Any]) -> set[Key]:
        """Return the policies that see what others of an object do not see."""
        progress = _progress(body)
        before, self._progress[key] = self._progress.get(key), progress
        if before == progress or key.kind == RolloutPolicy.KIND:
            return set()
        if key.kind == ProxyFleet.KIND:
            return self._policies_of(key) | self._rolling
        return self._policies_of(self._provider_of.get(key, key))

    def _policies_of(self, target: Key) -> set[Key]:
        return {policy for policy, targets in self._targets_of.items() if target in targets}

    def listed(self, bodies: Sequence[Mapping[str, Any]]) -> set[Key]:
        """Replace everything known by a fresh list of all objects; return the keys that differences touch."""
        known = self._faces.keys() - {Key.of(body) for body in bodies}
        touched = set(known)
        for key in known:
            self._faces.pop(key)
            self._progress.pop(key, None)
            self._provider_of.pop(key, None)
            self._providers.discard(key)
            self._fleets.discard(key)
            self._targets_of.pop(key, None)
            self._rolling.discard(key)
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

    @property
    def heads(self) -> frozenset[Key]:
        """Return the keys of all fleets' heads."""
        return frozenset(Key(SNAPSHOT, fleet.namespace, fleet.name) for fleet in self._fleets)

    @property
    def rolling(self) -> frozenset[Key]:
        """Return the policies with a rollout under way: what proxies and pods do concerns them."""
        return frozenset(self._rolling)

    def _changed(self, key: Key, body: Mapping[str, Any], gone: bool) -> bool:
        """Tell whether what neighbours can see of an object differs from when it was last seen."""
        if gone:
            self._faces.pop(key, None)
            self._progress.pop(key, None)
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
    if body["kind"] == RolloutPolicy.KIND:
        return _policy_face(body)
    versions = (_at(body, "status", "apiKey", "version"), _at(body, "status", "credential", "version"))
    ready = _ready(body) if body["kind"] == SubscriptionAccount.KIND else None
    return (
        metadata.get("uid"),
        metadata.get("generation"),
        bool(metadata.get("deletionTimestamp")),
        tuple(sorted((metadata.get("labels") or {}).items())),
        versions,
        _at(body, "status", "credential", "grantId"),
        repr(_at(body, "status", "workloadIdentity")),
        ready,
    )


def _progress(body: Mapping[str, Any]) -> object:
    """Return what only the policies that name an object depend on: how far its status is, and who changed and released it."""
    metadata, canary = body["metadata"], _at(body, "status", "canary")
    return (
        _at(body, "status", "observedGeneration") == metadata.get("generation"),
        _accepted(body) if body["kind"] == LLMProvider.KIND else None,
        repr(sorted(canary.items())) if isinstance(canary, Mapping) else None,
        *((metadata.get("annotations") or {}).get(name) for name in _ANNOTATIONS),
    )


def _policy_face(body: Mapping[str, Any]) -> object:
    """Return what of a policy its targets, heads and rivals depend on; its conditions and verdicts are its own affair."""
    metadata, status = body["metadata"], body.get("status")
    status = status if isinstance(status, Mapping) else {}
    told = [
        _at(status, "rollout", "revision"),
        _at(status, "step", "index"),
        _at(status, "step", "reason"),
        status.get("weight"),
        status.get("stableRevision"),
        status.get("rejected"),
        repr(status.get("targets")),
    ]
    return (metadata.get("uid"), metadata.get("generation"), bool(metadata.get("deletionTimestamp")), *told)


def _targets(namespace: str, body: Mapping[str, Any]) -> frozenset[Key]:
    """Return the objects that a policy names, in its spec or its rollout."""
    found = set()
    for listed in (_at(body, "spec", "targets"), _at(body, "status", "rollout", "targets")):
        for target in listed if isinstance(listed, list) else ():
            kind, name = _at(target, "kind") or LLMProvider.KIND, _at(target, "name")
            if isinstance(kind, str) and isinstance(name, str):
                found.add(Key(kind, namespace, name))
    return frozenset(found)


def _accepted(body: Mapping[str, Any]) -> tuple[object, ...]:
    """Return those conditions of a provider that say whether its live form could serve."""
    wanted = (ConditionType.ACCEPTED, ConditionType.CREDENTIALS_READY)
    conditions = _at(body, "status", "conditions")
    return tuple(
        (_at(c, "type"), _at(c, "status"))
        for c in (conditions if isinstance(conditions, list) else ())
        if _at(c, "type") in wanted
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


WATCHED = (LLMProvider, SubscriptionAccount, ProxyFleet, RolloutPolicy)
"""The custom resources whose events reach ``Neighbours``."""
