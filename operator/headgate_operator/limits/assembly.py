"""Puts the poller together, once per process."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry

from headgate_api.clock import Clock
from headgate_api.redaction import Redactor
from headgate_operator.credentials.store import KeyValue, Store
from headgate_operator.engine.keys import Key
from headgate_operator.limits.asking import UsageAsker
from headgate_operator.limits.http import UsageHttp
from headgate_operator.limits.known import KnownLimits
from headgate_operator.limits.poller import UsagePoller
from headgate_operator.refresh.subject import Subjects
from headgate_runtime.kube import Kube


def new_poller(
    kube: Kube,
    vault: KeyValue,
    limits: KnownLimits,
    *,
    namespace: str,
    clock: Clock,
    redactor: Redactor,
    registry: CollectorRegistry,
    touched: Callable[[set[Key]], None],
) -> UsagePoller:
    """Return a poller. ``touched`` is told the accounts whose status is to show something new."""
    asker = UsageAsker(
        kube,
        Subjects(kube, redactor, fleet_namespace=namespace),
        Store(vault),
        UsageHttp(),
        known=limits.of,
        clock=clock,
        redactor=redactor,
    )
    return UsagePoller(asker, clock=clock, observed=limits.observe, touched=touched, registry=registry)
