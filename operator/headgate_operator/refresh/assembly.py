"""Puts the refresher together, once per process: a refresh that has begun must end whatever becomes of the term.

Accounts and federated tokens take their turns together: a vendor has one lane, whatever is asked of it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from headgate_api.clock import Clock
from headgate_api.redaction import Redactor
from headgate_api.resources import SubscriptionAccount
from headgate_operator.credentials.store import KeyValue, Store
from headgate_operator.engine.keys import Key
from headgate_operator.federation.assertion import Assertions
from headgate_operator.federation.executor import FederationExecutor
from headgate_operator.federation.memory import Memory
from headgate_operator.federation.metrics import FederationMetrics
from headgate_operator.federation.settings import FEDERATED, provider_of
from headgate_operator.oauth.http import OAuthHttp
from headgate_operator.refresh.executor import RefreshExecutor, Result
from headgate_operator.refresh.ledger import Ledger
from headgate_operator.refresh.metrics import RefreshMetrics
from headgate_operator.refresh.refresher import Refresher, Refreshes
from headgate_operator.refresh.subject import Subjects
from headgate_runtime.kube import Kube


@dataclass(frozen=True, slots=True)
class ByKind:
    """Renews what a key is about, by the key's kind."""

    executors: Mapping[str, Refreshes]

    async def refresh(self, key: Key, refused: int | None = None) -> Result:
        """Renew where that is due."""
        return await self.executors[key.kind].refresh(key, refused)


def new_refresher(
    kube: Kube,
    vault: KeyValue,
    memory: Memory,
    *,
    namespace: str,
    holder: str,
    clock: Clock,
    redactor: Redactor,
    registry: CollectorRegistry,
    fence: Callable[[], None],
    settled: Callable[[Key], None],
) -> Refresher:
    """Return a refresher of accounts and of federated tokens.

    ``holder`` names this process in claims; ``settled`` is told each account or provider that was looked at.
    """
    metrics = RefreshMetrics(registry)
    accounts = RefreshExecutor(
        Subjects(kube, redactor, fleet_namespace=namespace),
        Ledger(Store(vault), redactor),
        OAuthHttp(),
        clock=clock,
        holder=holder,
        fence=fence,
        metrics=metrics,
        redactor=redactor,
    )
    federated = FederationExecutor(
        kube,
        Store(vault),
        Assertions(kube, redactor, operator=f"system:serviceaccount:{namespace}:headgate-operator"),
        OAuthHttp(),
        memory,
        fleet_namespace=namespace,
        clock=clock,
        fence=fence,
        metrics=FederationMetrics(registry),
        redactor=redactor,
    )
    return Refresher(
        ByKind({SubscriptionAccount.KIND: accounts, FEDERATED: federated}),
        clock=clock,
        settled=lambda key: settled(provider_of(key)),
        metrics=metrics,
    )
