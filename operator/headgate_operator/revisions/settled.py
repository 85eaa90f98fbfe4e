"""Whether an object's status speaks of its present spec: only then is its live content known, credentials included."""

from collections.abc import Iterable

from headgate_api.reasons import AuthMode
from headgate_api.resources import LLMProvider, SubscriptionAccount
from headgate_api.resources.base import SecretKeyRef
from headgate_api.resources.llmprovider import CredentialStatus
from headgate_operator.credentials.decide import source


def unsettled(provider: LLMProvider, accounts: Iterable[SubscriptionAccount]) -> str | None:
    """Return what has not caught up with its spec (a sentence), or None when the live content is known."""
    auth = provider.spec.auth
    named = f"LLMProvider {provider.metadata.name}"
    if provider.status.observed_generation < provider.metadata.generation:
        return f"{named}: its status is behind its spec"
    if AuthMode.API_KEY in auth.modes and auth.api_key is not None and auth.api_key.version is None:
        behind = _import_behind(auth.api_key.import_secret_ref, provider.status.api_key)
        if behind is not None:
            return f"{named}: {behind}"
    for account in accounts:
        named = f"SubscriptionAccount {account.metadata.name}"
        if account.status.observed_generation < account.metadata.generation:
            return f"{named}: its status is behind its spec"
        behind = _import_behind(account.spec.credential.import_secret_ref, account.status.credential)
        if behind is not None:
            return f"{named}: {behind}"
    return None


def _import_behind(ref: SecretKeyRef | None, known: CredentialStatus | None) -> str | None:
    """Tell that another Secret is named than the one in Vault; nothing imported at all is a content like any other."""
    if ref is None or known is None or known.imported_from in (None, source(ref)):
        return None
    return f"the credential of Secret key {source(ref)} is not in Vault yet (that of {known.imported_from} is)"
