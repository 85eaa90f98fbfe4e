"""What the reconcilers of fleets and rollouts work with, put together once when the operator starts."""

from collections.abc import Callable
from dataclasses import dataclass

from headgate_api.clock import Clock
from headgate_operator.broker.reports import Reports
from headgate_operator.delivery.published import Published
from headgate_operator.events import Events
from headgate_operator.revisions.guards import Guards
from headgate_operator.revisions.standing import Standing
from headgate_operator.revisions.store import RevisionStore
from headgate_runtime.kube import Kube


@dataclass(frozen=True, slots=True)
class Services:
    """The adapters and the leader's memory; ``namespace`` is the operator's own."""

    kube: Kube
    clock: Clock
    events: Events
    reports: Reports
    published: Published
    namespace: str
    fence: Callable[[], None]
    """Raises NotLeading where this process may not write any more."""
    revisions: RevisionStore
    standing: Standing
    guards: Guards
