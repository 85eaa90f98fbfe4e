"""What a fleet runs on, as a pure function of the resources and their guards: equal input gives equal content."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from headgate_api.resources import LLMProvider, ProxyFleet, SubscriptionAccount
from headgate_api.revisions import ProviderBundle
from headgate_api.snapshot import AccountEntry, AccountForm, FleetSettings, ProviderEntry, ProviderForm, Snapshot
from headgate_operator.provider.acceptance import refusal
from headgate_operator.revisions.bundles import Form, account_form, laid_over, provider_form, with_token
from headgate_operator.revisions.guard import UNGUARDED, Guard, State
from headgate_operator.revisions.shown import account_in


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """How callers' ServiceAccount tokens are verified offline: the issuer's name and its keys (RFC 7517)."""

    issuer: str
    jwks: Mapping[str, Any]


def assemble(
    fleet: ProxyFleet,
    providers: Iterable[LLMProvider],
    accounts: Iterable[SubscriptionAccount],
    keys: SigningKeys,
    guards: Mapping[tuple[str, str], Guard] | None = None,
) -> Snapshot:
    """Return the fleet's snapshot: the providers it serves and their accounts, each in its stable and candidate form.

    Objects being deleted are left out, guarded or not. A provider or account whose credential is not in Vault yet is in,
    without a pointer, so that proxies can tell callers what is missing. ``guards``: by the provider's (namespace, name);
    those that are not in it are unguarded.
    """
    guards = guards or {}
    here = [p for p in providers if p.metadata.deletion_timestamp is None]
    served = [
        e for e in (allowed(provider_entry(p, guards.get(p.key, UNGUARDED)), fleet) for p in here) if e is not None
    ]
    names = {(e.namespace, e.name) for e in served}
    members = [
        account_entry(a, guards.get((a.metadata.namespace, a.spec.provider_ref.name), UNGUARDED))
        for a in accounts
        if a.metadata.deletion_timestamp is None and (a.metadata.namespace, a.spec.provider_ref.name) in names
    ]
    return Snapshot(
        fleet=FleetSettings(
            allowed_namespaces=tuple(sorted(fleet.spec.allowed_namespaces)),
            allowances=fleet.spec.allowances,
            caller_tokens=fleet.spec.caller_tokens,
            limits=fleet.spec.limits,
            issuer=keys.issuer,
            jwks=dict(keys.jwks),
        ),
        providers=tuple(sorted(served, key=_place)),
        accounts=tuple(sorted((e for e in members if e.stable is not None or e.candidate is not None), key=_place)),
    )


def provider_entry(provider: LLMProvider, guard: Guard = UNGUARDED) -> ProviderEntry:
    """Return the entry of a provider; an unguarded one has the form of its spec and status alone."""
    namespace, name = provider.key
    stable: ProviderForm | None = provider_form(provider)
    candidate: ProviderForm | None = None
    if guard.state is not State.UNGUARDED:
        stable, candidate = (_provider_in(form, provider) for form in (guard.stable, guard.candidate))
    return ProviderEntry(
        namespace=namespace,
        name=name,
        generation=provider.metadata.generation,
        stable=stable,
        candidate=candidate,
        policy=guard.policy_key,
    )


def account_entry(account: SubscriptionAccount, guard: Guard = UNGUARDED) -> AccountEntry:
    """Return the entry of an account; ``guard`` is its provider's. What takes effect at once is the live object's."""
    namespace, name = account.key
    stable: AccountForm | None = account_form(account)
    candidate: AccountForm | None = None
    if guard.state is not State.UNGUARDED:
        stable, candidate = (_account_in(form, account) for form in (guard.stable, guard.candidate))
    return AccountEntry(
        namespace=namespace,
        name=name,
        generation=account.metadata.generation,
        stable=stable,
        candidate=candidate,
        policy=guard.policy_key,
    )


def allowed(entry: ProviderEntry, fleet: ProxyFleet) -> ProviderEntry | None:
    """Return the entry with those forms that the fleet may carry, or None without any."""
    stable, candidate = (
        form if form is not None and refusal(entry.namespace, form.spec, fleet) is None else None
        for form in (entry.stable, entry.candidate)
    )
    if stable is None and candidate is None:
        return None
    return entry.model_copy(update={"stable": stable, "candidate": candidate})


def _provider_in(form: Form | None, provider: LLMProvider) -> ProviderForm | None:
    kept = form.bundle if form is not None else None
    return with_token(kept.provider, provider) if isinstance(kept, ProviderBundle) else None


def _account_in(form: Form | None, account: SubscriptionAccount) -> AccountForm | None:
    kept = account_in(form, account)
    return laid_over(kept, account) if kept is not None else None


def _place(entry: ProviderEntry | AccountEntry) -> tuple[str, str]:
    return entry.namespace, entry.name
