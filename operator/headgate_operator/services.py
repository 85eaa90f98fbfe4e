"""What every reconciler works with, put together once in ``main``."""

from dataclasses import dataclass

from headgate_api.clock import Clock
from headgate_api.redaction import Redactor
from headgate_operator.broker.reports import Reports
from headgate_operator.delivery.published import Published
from headgate_operator.events import Events
from headgate_runtime.kube import Kube
from headgate_runtime.vault import Vault


@dataclass(frozen=True, slots=True)
class Services:
    """The adapters and the leader's memory; ``namespace`` is the operator's own."""

    kube: Kube
    vault: Vault
    clock: Clock
    events: Events
    reports: Reports
    published: Published
    redactor: Redactor
    namespace: str
