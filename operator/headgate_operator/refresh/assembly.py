"""Puts the refresher together, once per process: a refresh that has begun must end whatever becomes of the term."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry

from headgate_api.clock import Clock
from headgate_api.redaction import Redactor
from headgate_operator.credentials.store import KeyValue, Store
from headgate_operator.engine.keys import Key
from headgate_operator.oauth.http import OAuthHttp
from headgate_operator.refresh.executor import RefreshExecutor
from headgate_operator.refresh.ledger import Ledger
from headgate_operator.refresh.metrics import RefreshMetrics
from headgate_operator.refresh.refresher import Refresher
from headgate_operator.refresh.subject import Subjects
from headgate_runtime.kube import Kube


def new_refresher(
    kube: Kube,
    vault: KeyValue,
    *,
    namespace: str,
    holder: str,
    clock: Clock,
    redactor: Redactor,
    registry: CollectorRegistry,
    fence: Callable[[], None],
    settled: Callable[[Key], None],
) -> Refresher:
    """Return a refresher. ``holder`` names this process in claims; ``settled`` is told each account that was looked at."""
    metrics = RefreshMetrics(registry)
    executor = RefreshExecutor(
        Subjects(kube, redactor, fleet_namespace=namespace),
        Ledger(Store(vault), redactor),
        OAuthHttp(),
        clock=clock,
        holder=holder,
        fence=fence,
        metrics=metrics,
        redactor=redactor,
    )
    return Refresher(executor, clock=clock, settled=settled, metrics=metrics)
