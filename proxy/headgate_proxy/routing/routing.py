"""The routing table of one snapshot: built once, then two dictionary look-ups per request.

A caller's own namespace comes first, then providers of other namespaces that grant theirs; ties go by name, so that
every proxy answers alike. Nothing a refusal says names a provider or model the caller may not use (B13).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Self

from headgate_api.snapshot import AccountEntry, FleetSettings, Snapshot
from headgate_proxy.anthropic.errors import ErrorType, Refusal, shown
from headgate_proxy.routing.provider import Provider, Route, compile_provider

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

    @classmethod
    def build(cls, snapshot: Snapshot) -> Self:
        """Return the routing table of a snapshot."""
        accounts: dict[tuple[str, str], list[AccountEntry]] = {}
        for account in snapshot.accounts:
            if account.stable is not None:
                key = (account.namespace, account.stable.spec.provider_ref.name)
                accounts.setdefault(key, []).append(account)
        providers: dict[str, Provider] = {}
        for entry in sorted(snapshot.providers, key=lambda e: (e.name, e.namespace)):
            if entry.stable is not None:
                mine = accounts.get((entry.namespace, entry.name), ())
                provider = compile_provider(entry, entry.stable, mine, snapshot.fleet.allowances)
                providers[provider.label] = provider
        return cls(
            fleet=snapshot.fleet,
            providers=providers,
            _own=_tabulate((p.namespace, p) for p in providers.values()),
            _granted=_tabulate((ns, p) for p in providers.values() for ns in dict.fromkeys(p.spec.allowed_namespaces)),
        )

    def resolve(self, namespace: str, model: str, hint: str | None = None) -> Route | Refusal:
        """Return where a request for ``model`` by a workload of ``namespace`` goes, or the refusal to answer with."""
        routes = self._routes(namespace, model)
        if hint is None:
            return routes[0] if routes else self._unknown(namespace, model)
        for route in routes:
            if hint in (route.provider.name, route.provider.label):
                return route
        if not routes:
            return self._unknown(namespace, model)
        usable = ", ".join(route.provider.label for route in routes[:_LISTED])
        return Refusal(
            404,
            ErrorType.NOT_FOUND,
            f"{HEADER_HINT}: no provider {shown(hint)} serves model {shown(model)} to namespace {namespace!r}; use one of "
            f"{usable}, or leave the header out",
        )

    def models(self, namespace: str) -> tuple[str, ...]:
        """Return the names (no aliases) of the models that workloads of a namespace may use, sorted."""
        tables = (self._own.get(namespace, {}), self._granted.get(namespace, {}), self._granted.get(_EVERYONE, {}))
        return tuple(sorted({routes[0].model.name for table in tables for routes in table.values()}))

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

    def _unknown(self, namespace: str, model: str) -> Refusal:
        known = self.models(namespace)
        if not known:
            mend = f"no LLMProvider serves namespace {namespace!r} yet"
        else:
            more = f" and {len(known) - _LISTED} more" if len(known) > _LISTED else ""
            mend = f"available to namespace {namespace!r}: {', '.join(known[:_LISTED])}{more}"
        return Refusal(404, ErrorType.NOT_FOUND, f"model: {shown(model)} is not served here; {mend}")


def _tabulate(pairs: Iterable[tuple[str, Provider]]) -> dict[str, _Table]:
    tables: dict[str, dict[str, tuple[Route, ...]]] = {}
    for namespace, provider in pairs:
        table = tables.setdefault(namespace, {})
        for model in provider.spec.models:
            for asked in dict.fromkeys((model.name, *model.aliases)):
                earlier = table.get(asked, ())
                if all(route.provider is not provider for route in earlier):  # within a provider, the first one wins
                    table[asked] = (*earlier, Route(provider, model, asked))
    return dict(tables)
