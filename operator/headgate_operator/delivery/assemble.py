"""What a fleet runs on, as a pure function of the resources: no I/O, equal input gives equal content."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from headgate_api import vault
from headgate_api.reasons import AuthMode
from headgate_api.resources import LLMProvider, ProxyFleet, SubscriptionAccount
from headgate_api.snapshot import (
    AccountEntry,
    AccountForm,
    CredentialPointer,
    FleetSettings,
    ProviderEntry,
    ProviderForm,
    Snapshot,
    content_revision,
)
from headgate_operator.account.acknowledged import is_acknowledged
from headgate_operator.provider.acceptance import refusal


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
) -> Snapshot:
    """Return the fleet's snapshot: the providers it serves and their accounts, each in its stable form.

    Objects being deleted are left out. A provider or account whose credential is not in Vault yet is in, without a
    pointer, so that proxies can tell callers what is missing.
    """
    served = [p for p in providers if p.metadata.deletion_timestamp is None and refusal(p, fleet) is None]
    names = {p.key for p in served}
    members = [
        a
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
        providers=tuple(provider_entry(p) for p in sorted(served, key=lambda p: p.key)),
        accounts=tuple(account_entry(a) for a in sorted(members, key=lambda a: a.key)),
    )


def provider_entry(provider: LLMProvider) -> ProviderEntry:
    """Return the entry of a provider as its spec and status stand; an unguarded object has its stable form alone."""
    namespace, name = provider.key
    auth, known = provider.spec.auth, provider.status.api_key
    pointer = None
    if AuthMode.API_KEY in auth.modes and known is not None and known.version is not None:
        pinned = auth.api_key.version if auth.api_key is not None else None
        pointer = CredentialPointer(path=vault.api_key_path(namespace, name), version=pinned or known.version)
    version = pointer.version if pointer is not None else None
    return ProviderEntry(
        namespace=namespace,
        name=name,
        generation=provider.metadata.generation,
        stable=ProviderForm(
            revision=content_revision(provider.spec.to_wire(), version), spec=provider.spec, api_key=pointer
        ),
    )


def account_entry(account: SubscriptionAccount) -> AccountEntry:
    """Return the entry of an account as its spec and status stand."""
    namespace, name = account.key
    known = account.status.credential
    pointer = None
    if known is not None and known.version is not None:
        pointer = CredentialPointer(path=vault.access_path(namespace, name), version=known.version)
    return AccountEntry(
        namespace=namespace,
        name=name,
        generation=account.metadata.generation,
        stable=AccountForm(
            revision=content_revision(account.spec.to_wire()),
            spec=account.spec,
            labels=account.metadata.labels,
            acknowledged=is_acknowledged(account),
            access=pointer,
        ),
    )
