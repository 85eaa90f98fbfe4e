"""The routing table of one snapshot: built once, then two dictionary look-ups per request.

A caller's own namespace comes first, then providers of other namespaces that grant theirs; ties go by name, so that
every proxy answers alike. Nothing a refusal says names a provider or model the caller may not use (B13).

The table holds stable forms: what has none is not there. Beside it stands an overlay for each RolloutPolicy with candidates,
in which exactly that policy's candidates take the place of the stable forms.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Self

from headgate_api.snapshot import CredentialPointer, FleetSettings, Snapshot
from headgate_proxy.protocols.operation import PATHS
from headgate_proxy.refusal import ErrorType, Refusal, shown
from headgate_proxy.routing.forms import compiled, overlaid, policies
from headgate_proxy.routing.provider import Provider, Route

HEADER_HINT: Final = "x-headgate-provider"
"""Request header by which a caller picks among several providers of a model: ``name`` or ``namespace/name``."""
_LISTED: Final = 20
_EVERYONE: Final = "*"

_Table = Mapping[str, tuple[Route, ...]]


@dataclass(frozen=True, slots=True)
class Routing:
    """Everything requests are answered from; immutable, and replaced as a whole."""

    fleet: FleetSettings
    providers: Mapping[str, Provider]
    _own: Mapping[str, _Table]
    _granted: Mapping[str, _Table]
    overlays: Mapping[str, "Routing"] = field(default_factory=dict)
    """By policy (namespace/name): those whose candidates differ from what is stable."""

    @classmethod
    def build(cls, snapshot: Snapshot) -> Self:
        """Return the routing table of a snapshot."""
        stable = compiled(snapshot)
        own, granted = _by_owner(stable.values()), _by_grant(stable.values())
        overlays: dict[str, Routing] = {}
        routing = cls(
            fleet=snapshot.fleet,
            providers=stable,
            _own={namespace: _table(providers) for namespace, providers in own.items()},
            _granted={namespace: _table(providers) for namespace, providers in granted.items()},
            overlays=overlays,
        )
        for policy in policies(snapshot):
            overlay = routing._overlay(overlaid(snapshot, policy, stable))
            if overlay is not None:
                overlays[policy] = overlay
        return routing

    def _overlay(self, providers: Mapping[str, Provider]) -> "Routing | None":
        """Return a table of these providers, sharing what they leave as it is; None when that is everything."""
        labels = [
            label for label in {**self.providers, **providers} if self.providers.get(label) is not providers.get(label)
        ]
        if not labels:
            return None
        changed = [p for label in labels for p in (self.providers.get(label), providers.get(label)) if p is not None]
        owners = {p.namespace for p in changed}
        grants = {namespace for p in changed for namespace in p.spec.allowed_namespaces}
        own, granted = _by_owner(providers.values()), _by_grant(providers.values())
        return Routing(
            fleet=self.fleet,
            providers=providers,
            _own={**self._own, **{namespace: _table(own.get(namespace, ())) for namespace in owners}},
            _granted={**self._granted, **{namespace: _table(granted.get(namespace, ())) for namespace in grants}},
        )

    @property
    def pointers(self) -> frozenset[CredentialPointer]:
        """Return every credential that requests may need, on either track."""
        found = {pointer for provider in self.providers.values() for pointer in provider.pointers}
        for overlay in self.overlays.values():
            for label, provider in overlay.providers.items():
                if self.providers.get(label) is not provider:
                    found.update(provider.pointers)
        return frozenset(found)

    def resolve(self, namespace: str, model: str, wants: str, hint: str | None = None) -> Route | Refusal:
        """Return where a request for ``model`` by a workload of ``namespace`` goes, or the refusal to answer with.

        ``wants`` is the operation, or the protocol alone where the request is about the model itself.
        """
        known = self._routes(namespace, model)
        routes = [route for route in known if wants in route.provider.answers]
        if not routes:
            return self._elsewhere(model, known) if known else self._unknown(namespace, model, wants)
        if hint is None:
            return routes[0]
        for route in routes:
            if hint in (route.provider.name, route.provider.label):
                return route
        usable = ", ".join(route.provider.label for route in routes[:_LISTED])
        return Refusal(
            404,
            ErrorType.NOT_FOUND,
            f"{HEADER_HINT}: no provider {shown(hint)} serves model {shown(model)} to namespace {namespace!r}; use one of "
            f"{usable}, or leave the header out",
        )

    def models(self, namespace: str, wants: str) -> tuple[str, ...]:
        """Return the names (no aliases) of the models that workloads of a namespace may use this way, sorted."""
        tables = (self._own.get(namespace, {}), self._granted.get(namespace, {}), self._granted.get(_EVERYONE, {}))
        found = (route for table in tables for routes in table.values() for route in routes)
        return tuple(sorted({route.model.name for route in found if wants in route.provider.answers}))

    def _routes(self, namespace: str, model: str) -> tuple[Route, ...]:
        own = self._own.get(namespace, {}).get(model, ())
        granted = (
            *self._granted.get(namespace, {}).get(model, ()),
            *self._granted.get(_EVERYONE, {}).get(model, ()),
        )
        if not granted:
            return own
        others = {r.provider.label: r for r in granted if r.provider.namespace != namespace}
        return (*own, *sorted(others.values(), key=lambda r: (r.provider.name, r.provider.namespace)))

    def _unknown(self, namespace: str, model: str, wants: str) -> Refusal:
        known = self.models(namespace, wants)
        if not known:
            mend = f"no LLMProvider serves namespace {namespace!r} yet"
        else:
            more = f" and {len(known) - _LISTED} more" if len(known) > _LISTED else ""
            mend = f"available to namespace {namespace!r}: {', '.join(known[:_LISTED])}{more}"
        return Refusal(404, ErrorType.NOT_FOUND, f"model: {shown(model)} is not served here; {mend}")

    def _elsewhere(self, model: str, known: Iterable[Route]) -> Refusal:
        """Say how a model can be asked that is served in another way than it was asked: bodies are not translated."""
        ways = dict.fromkeys(
            f"LLMProvider {route.provider.label} speaks {route.provider.spec.protocol}"
            + (f": POST {' or '.join(paths)}" if (paths := _paths(route.provider)) else "")
            for route in known
        )
        return Refusal(
            400,
            ErrorType.INVALID_REQUEST,
            f"model: {shown(model)} is served here, but not at this path, and requests are not translated; "
            f"{'; '.join(list(ways)[:_LISTED])}",
            retry=False,
        )


def _paths(provider: Provider) -> list[str]:
    return [path for operation, path in PATHS.items() if operation in provider.answers]


def _by_owner(providers: Iterable[Provider]) -> dict[str, list[Provider]]:
    found: dict[str, list[Provider]] = {}
    for provider in providers:
        found.setdefault(provider.namespace, []).append(provider)
    return found


def _by_grant(providers: Iterable[Provider]) -> dict[str, list[Provider]]:
    found: dict[str, list[Provider]] = {}
    for provider in providers:
        for namespace in dict.fromkeys(provider.spec.allowed_namespaces):
            found.setdefault(namespace, []).append(provider)
    return found


def _table(providers: Iterable[Provider]) -> _Table:
    table: dict[str, tuple[Route, ...]] = {}
    for provider in providers:
        for model in provider.spec.models:
            for asked in dict.fromkeys((model.name, *model.aliases)):
                earlier = table.get(asked, ())
                if all(route.provider is not provider for route in earlier):  # within a provider, the first one wins
                    table[asked] = (*earlier, Route(provider, model, asked))
    return table
