"""Reads what is known of a provider's federated tokens: those that any of its forms wants, and those that its status names."""

from headgate_api.resources import LLMProvider
from headgate_api.revisions import ProviderBundle
from headgate_api.vault import federated_path
from headgate_operator.credentials.store import Store
from headgate_operator.engine.keys import Key
from headgate_operator.federation.memory import Memory
from headgate_operator.federation.settings import Federation, federation_of, versions_in
from headgate_operator.federation.standing import ObservedTokens
from headgate_operator.revisions.guard import Guard
from headgate_runtime.vault import VaultError


def wanted_tokens(provider: LLMProvider, guard: Guard) -> tuple[Federation, ...]:
    """Return the settings of every form that may serve: live, stable and candidate, each once."""
    forms = (form.bundle for form in (guard.stable, guard.candidate) if form is not None)
    specs = [provider.spec, *(bundle.provider.spec for bundle in forms if isinstance(bundle, ProviderBundle))]
    found: dict[str, Federation] = {}
    for spec in specs:
        federation = federation_of(*provider.key, spec)
        if federation is not None:
            found.setdefault(federation.grant_id, federation)
    return tuple(found.values())


async def observe_tokens(
    store: Store,
    memory: Memory,
    provider: LLMProvider,
    wanted: tuple[Federation, ...],
    trouble: VaultError | None,
) -> ObservedTokens:
    """Return the tokens as they stand; ``trouble``: Vault has just refused something, so it is not asked."""
    known = provider.status.workload_identity
    leaving = provider.metadata.deletion_timestamp is not None
    live = federation_of(*provider.key, provider.spec)
    grants = dict.fromkeys((*(f.grant_id for f in wanted), *versions_in(known)))
    if leaving and live is not None:
        grants[live.grant_id] = None
    key = Key(LLMProvider.KIND, *provider.key)
    troubles = {f.key: found for f in wanted if (found := memory.trouble(f.key)) is not None}
    try:
        if trouble is not None and grants:
            raise trouble
        records = {grant: await store.federated(federated_path(*provider.key, grant)) for grant in grants}
    except VaultError as error:
        return ObservedTokens(key, live, wanted, troubles=troubles, known=known, trouble=error)
    return ObservedTokens(key, live, wanted, records, troubles, known)
