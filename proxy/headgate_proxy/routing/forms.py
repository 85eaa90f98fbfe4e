"""Which form of every object applies, to everyone or under one RolloutPolicy: decided once per snapshot."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from headgate_api.snapshot import AccountEntry, AccountForm, ProviderEntry, Snapshot
from headgate_proxy.routing.provider import Provider, compile_provider


def policies(snapshot: Snapshot) -> tuple[str, ...]:
    """Return the policies (namespace/name) that have a candidate anywhere, sorted."""
    entries: tuple[ProviderEntry | AccountEntry, ...] = (*snapshot.providers, *snapshot.accounts)
    return tuple(sorted({e.policy for e in entries if e.policy is not None and e.candidate is not None}))


def compiled(snapshot: Snapshot) -> Mapping[str, Provider]:
    """Return every provider that has a stable form by ``namespace/name``, in the order of names."""
    return _compiled(snapshot, None, {}, None)


def overlaid(snapshot: Snapshot, policy: str, stable: Mapping[str, Provider]) -> Mapping[str, Provider]:
    """Return the same with the candidates of one policy; what they leave as it is, is the very object of ``stable``."""
    touched = {(e.namespace, e.name) for e in snapshot.providers if _governed(e, policy)}
    for account in snapshot.accounts:
        if _governed(account, policy):
            forms = (form for form in (account.stable, account.candidate) if form is not None)
            touched.update((account.namespace, form.spec.provider_ref.name) for form in forms)
    return _compiled(snapshot, policy, stable, touched)


def _compiled(
    snapshot: Snapshot, policy: str | None, known: Mapping[str, Provider], touched: AbstractSet[tuple[str, str]] | None
) -> Mapping[str, Provider]:
    accounts: dict[tuple[str, str], list[tuple[AccountEntry, AccountForm]]] = {}
    for account in snapshot.accounts:
        form = account.candidate if _governed(account, policy) else account.stable
        if form is not None:
            accounts.setdefault((account.namespace, form.spec.provider_ref.name), []).append((account, form))
    providers: dict[str, Provider] = {}
    for entry in sorted(snapshot.providers, key=lambda e: (e.name, e.namespace)):
        label = f"{entry.namespace}/{entry.name}"
        chosen = entry.candidate if _governed(entry, policy) else entry.stable
        if chosen is None:
            continue
        before = known.get(label)
        if before is not None and touched is not None and (entry.namespace, entry.name) not in touched:
            providers[label] = before
            continue
        mine = accounts.get((entry.namespace, entry.name), ())
        provider = compile_provider(entry, chosen, mine, snapshot.fleet.allowances)
        providers[label] = before if before is not None and before == provider else provider
    return providers


def _governed(entry: ProviderEntry | AccountEntry, policy: str | None) -> bool:
    return policy is not None and entry.policy == policy and entry.candidate is not None
