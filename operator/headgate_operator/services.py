"""What the reconcilers of fleets and rollouts work with, put together once when the operator starts."""

from collections.abc import Callable
from dataclasses import dataclass

from headgate_api.clock import Clock
from headgate_api.reasons import ConditionReason
from headgate_operator.broker.reports import Reports
from headgate_operator.delivery.published import Published
from headgate_operator.events import Events
from headgate_operator.reading import Unreadable, say_so
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

    async def refuse(self, unreadable: Unreadable) -> None:
        """Say on an object that cannot be read what is wrong with it. Raises KubeError, KubeUnavailable, NotLeading."""
        self.fence()
        if await say_so(self.kube, unreadable, self.clock.now().replace(microsecond=0)):
            await self.events.emit(
                unreadable.body, "Warning", ConditionReason.SPEC_INVALID, "Reconcile", str(unreadable)
            )
