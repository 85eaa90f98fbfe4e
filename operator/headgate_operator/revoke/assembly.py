"""Puts the revoker together, once per process: it acts while this process leads."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry

from headgate_api.clock import Clock
from headgate_api.redaction import Redactor
from headgate_operator.credentials.seams import EventSink
from headgate_operator.credentials.store import KeyValue, Store
from headgate_operator.engine.keys import Key
from headgate_operator.engine.work import Work
from headgate_operator.oauth.http import OAuthHttp
from headgate_operator.refresh.subject import Subjects
from headgate_operator.revoke.executor import RevokeExecutor
from headgate_operator.revoke.metrics import RevokeMetrics
from headgate_operator.revoke.revoker import Revoker
from headgate_runtime.kube import Kube


class Revoking:
    """Everything of revocations: ``revoker`` for the account's reconciler, ``run`` for the operator."""

    def __init__(
        self,
        kube: Kube,
        vault: KeyValue,
        events: EventSink,
        *,
        namespace: str,
        clock: Clock,
        redactor: Redactor,
        registry: CollectorRegistry,
        fence: Callable[[], None],
        leads: Callable[[], bool],
        settled: Callable[[Key], None],
    ) -> None:
        self._work = Work()
        executor = RevokeExecutor(
            Subjects(kube, redactor, fleet_namespace=namespace),
            Store(vault),
            OAuthHttp(),
            events,
            clock=clock,
            fence=fence,
            metrics=RevokeMetrics(registry),
            redactor=redactor,
        )
        self.revoker = Revoker(executor, self._work, leads=leads, settled=settled)

    async def run(self) -> None:
        """Work until cancelled."""
        await self._work.run()
