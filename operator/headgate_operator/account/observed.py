"""What the plan of a SubscriptionAccount depends on, read afresh for every step."""

from collections.abc import Callable
from dataclasses import dataclass

from headgate_api.report import CredentialObservation
from headgate_api.resources import LLMProvider, SubscriptionAccount
from headgate_api.resources.base import Observation
from headgate_api.resources.limits import LimitObservation
from headgate_api.secret import Secret
from headgate_api.snapshot import AccountEntry
from headgate_api.vault import AccessRecord, GrantRecord
from headgate_operator.credentials.secretview import SecretView
from headgate_operator.credentials.store import Stored
from headgate_operator.revisions.guard import UNGUARDED, Guard
from headgate_runtime.kube import Object
from headgate_runtime.vault_errors import VaultError


@dataclass(frozen=True, slots=True)
class ObservedAccount:
    """One SubscriptionAccount and everything around it. ``trouble``: why Vault could not be asked."""

    body: Object
    account: SubscriptionAccount
    provider: LLMProvider | None
    programmed: Callable[[AccountEntry], Observation]
    """Do all live proxies serve what this entry says? Asked about the status that the plan arrives at."""
    secret: SecretView | None = None
    hash_key: Secret | None = None
    grant: Stored[GrantRecord] = Stored(None, 0)  # noqa: RUF009 - frozen
    access: Stored[AccessRecord] = Stored(None, 0)  # noqa: RUF009 - frozen
    trouble: VaultError | None = None
    provider_unreadable: bool = False
    """There is a provider of that name, but its own spec cannot be read."""
    verdict: CredentialObservation | None = None
    """What the upstream last said of the access token's version in use."""
    limits: LimitObservation | None = None
    """What is known of the limits of the grant in use."""
    guard: Guard = UNGUARDED
    """That of the account's provider."""
