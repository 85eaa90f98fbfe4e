"""What the plan of an LLMProvider depends on, read afresh for every step."""

from collections.abc import Callable
from dataclasses import dataclass

from headgate_api.report import CredentialObservation, FallbackObservation
from headgate_api.resources import LLMProvider, ProxyFleet, SubscriptionAccount
from headgate_api.resources.base import Observation
from headgate_api.secret import Secret
from headgate_api.snapshot import ProviderEntry
from headgate_api.vault import APIKeyRecord
from headgate_operator.credentials.secretview import SecretView
from headgate_operator.credentials.store import Stored
from headgate_operator.federation.standing import ObservedTokens
from headgate_operator.revisions.guard import UNGUARDED, Guard
from headgate_runtime.kube import Object
from headgate_runtime.vault_errors import VaultError


@dataclass(frozen=True, slots=True)
class ObservedKey:
    """The API key: its Secret, and what Vault holds. ``trouble``: why Vault could not be asked (the rest is then unknown)."""

    secret: SecretView | None = None
    hash_key: Secret | None = None
    latest: Stored[APIKeyRecord] = Stored(None, 0)  # noqa: RUF009 - frozen
    pinned: Stored[APIKeyRecord] | None = None
    """The version that spec pins, where it pins one."""
    trouble: VaultError | None = None


@dataclass(frozen=True, slots=True)
class ObservedProvider:
    """One LLMProvider and everything around it. ``accounts`` are those of its namespace that name it."""

    body: Object
    provider: LLMProvider
    fleets: tuple[ProxyFleet, ...]
    accounts: tuple[SubscriptionAccount, ...]
    key: ObservedKey
    tokens: ObservedTokens
    """What the provider's workload identity was exchanged for."""
    programmed: Callable[[ProviderEntry], Observation]
    """Do all live proxies serve what this entry says? Asked about the status that the plan arrives at."""
    fallbacks: tuple[FallbackObservation, ...] = ()
    verdict: CredentialObservation | None = None
    """What the upstream last said of the API key version in use."""
    guard: Guard = UNGUARDED
