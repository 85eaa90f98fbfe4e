"""The live content of an object, as one bundle: what is a change of it, and what takes effect at once.

Suspension, acknowledgement and deletion policy of an account are no content: they are laid over whatever form is served. Nor is how
its tokens are renewed, which the control plane does by the live object, nor the version of a grant's access token or of a federated
one: a renewal is no change.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from headgate_api import vault
from headgate_api.reasons import AuthMode
from headgate_api.resources import LLMProvider, ProxyFleet, SubscriptionAccount
from headgate_api.revisions import Bundle, FleetBundle, ProviderBundle
from headgate_api.snapshot import AccountForm, CredentialPointer, ProviderForm, content_revision
from headgate_operator.account.acknowledged import is_acknowledged
from headgate_operator.federation.settings import pointer_for

AT_ONCE: Final[Mapping[str, object]] = {
    "suspend": False,
    "acknowledgement": None,
    "deletion_policy": "Retain",
    "oauth": None,
}
"""The fields of an account's spec that are no content, and what stands for them in one."""


def provider_form(provider: LLMProvider) -> ProviderForm:
    """Return the form of a provider as its spec and status stand."""
    auth, known = provider.spec.auth, provider.status.api_key
    pointer = None
    if AuthMode.API_KEY in auth.modes and known is not None and known.version is not None:
        pinned = auth.api_key.version if auth.api_key is not None else None
        pointer = CredentialPointer(path=vault.api_key_path(*provider.key), version=pinned or known.version)
    version = pointer.version if pointer is not None else None
    revision = content_revision(provider.spec.to_wire(), version)
    return ProviderForm(
        revision=revision,
        spec=provider.spec,
        api_key=pointer,
        workload_identity=pointer_for(provider, provider.spec),
    )


def with_token(form: ProviderForm, provider: LLMProvider) -> ProviderForm:
    """Return a kept form of a provider with the newest token of the settings it was kept with."""
    return form.model_copy(update={"workload_identity": pointer_for(provider, form.spec)})


def account_form(account: SubscriptionAccount) -> AccountForm:
    """Return the form of an account as its spec and status stand, what takes effect at once included."""
    known = account.status.credential
    pointer = None
    if known is not None and known.version is not None:
        pointer = CredentialPointer(path=vault.access_path(*account.key), version=known.version)
    grant = known.grant_id if known is not None else None
    labels = account.metadata.labels
    return AccountForm(
        revision=content_revision(account.spec.model_copy(update=dict(AT_ONCE)).to_wire(), labels, grant),
        spec=account.spec,
        labels=labels,
        acknowledged=is_acknowledged(account),
        grant_id=grant,
        access=pointer,
        revoked=known is not None and known.version is None and bool(known.revoked_grants),
    )


def content_of(form: AccountForm) -> AccountForm:
    """Return an account's form without what takes effect at once."""
    spec = form.spec.model_copy(update=dict(AT_ONCE))
    return form.model_copy(update={"spec": spec, "acknowledged": False, "revoked": False})


def laid_over(form: AccountForm, account: SubscriptionAccount) -> AccountForm:
    """Return a kept form of an account with what takes effect at once, as the live object has it.

    The same grant is used in its newest version; a grant that was replaced in the last version that proxies used of it.
    """
    now = account_form(account)
    at_once = {name: getattr(account.spec, name) for name in AT_ONCE}
    update: dict[str, object] = {"spec": form.spec.model_copy(update=at_once), "acknowledged": now.acknowledged}
    credential = account.status.credential
    if credential is None or form.grant_id in credential.revoked_grants:
        update |= {"access": None, "revoked": credential is not None}  # no form goes on with it
    elif form.grant_id == now.grant_id:
        update |= {"access": now.access, "revoked": now.revoked}
    elif form.access is not None:
        former = {grant.grant_id: grant.version for grant in credential.former_grants}
        version = former.get(form.grant_id or "", form.access.version)
        update["access"] = form.access.model_copy(update={"version": version})
    return form.model_copy(update=update)


def provider_bundle(provider: LLMProvider, accounts: Iterable[SubscriptionAccount]) -> ProviderBundle:
    """Return the content of a provider with those of ``accounts`` that name it and are not being deleted."""
    members = members_of(provider, accounts)
    form = provider_form(provider).model_copy(update={"workload_identity": None})
    return ProviderBundle(provider=form, accounts={a.metadata.name: content_of(account_form(a)) for a in members})


def members_of(provider: LLMProvider, accounts: Iterable[SubscriptionAccount]) -> list[SubscriptionAccount]:
    """Return the accounts that belong to a provider, by name; those being deleted belong to it no more."""
    namespace, name = provider.key
    found = [
        a
        for a in accounts
        if a.metadata.namespace == namespace
        and a.spec.provider_ref.name == name
        and a.metadata.deletion_timestamp is None
    ]
    return sorted(found, key=lambda a: a.metadata.name)


def fleet_bundle(fleet: ProxyFleet) -> FleetBundle:
    """Return what of a fleet is guarded."""
    return FleetBundle(image=fleet.spec.image, pod_template=fleet.spec.pod_template)


@dataclass(frozen=True, slots=True)
class Form:
    """A bundle under the revision it was kept by: a later build may hash the same content otherwise."""

    revision: str
    bundle: Bundle


def recognised(live: Bundle, known: Iterable[Form]) -> str:
    """Return the revision of the first known form whose content is that of ``live``, or the revision of ``live`` itself.

    An account that is deleted goes at once, from every form: one that differs by such accounts alone is the same.
    """
    return next((form.revision for form in known if _same(form.bundle, live)), live.revision)


def _same(kept: Bundle, live: Bundle) -> bool:
    if isinstance(kept, FleetBundle) or isinstance(live, FleetBundle):
        return kept == live
    one, other = kept.provider, live.provider
    if (
        one.spec != other.spec
        or _version(one.api_key) != _version(other.api_key)
        or live.accounts.keys() - kept.accounts.keys()
    ):
        return False
    return all(same_account(kept.accounts[name], form) for name, form in live.accounts.items())


def same_account(kept: AccountForm, live: AccountForm) -> bool:
    """Tell whether two forms of an account have the same content."""
    return (content_of(kept).spec, kept.labels, kept.grant_id) == (content_of(live).spec, live.labels, live.grant_id)


def _version(pointer: CredentialPointer | None) -> int | None:
    return pointer.version if pointer is not None else None
