"""Everything the control plane asks of vendors, put together once per process: what has begun must end, whoever leads.

Tokens are renewed, grants revoked and plans asked about on the leader alone; sign-ins are served by every replica.
"""

import asyncio
from collections.abc import Callable, Iterable

from aiohttp import web
from prometheus_client import CollectorRegistry

from headgate_api.redaction import Redactor
from headgate_api.refresh import REFRESH_PATH
from headgate_operator.account.queues import AccountQueues
from headgate_operator.broker.authentication import Authenticator
from headgate_operator.broker.refreshing import RefreshEndpoint
from headgate_operator.credentials.store import Store
from headgate_operator.engine.keys import Key
from headgate_operator.federation.memory import Memory
from headgate_operator.limits.assembly import new_poller
from headgate_operator.refresh.assembly import new_refresher
from headgate_operator.revoke.assembly import Revoking
from headgate_operator.services import Services
from headgate_operator.signin.assembly import SigningIn
from headgate_runtime.vault import Vault


class Vendors:
    """``federation`` is what is known of the exchanges of workload identities; ``queues`` take what accounts need."""

    def __init__(
        self,
        services: Services,
        vault: Vault,
        *,
        holder: str,
        redactor: Redactor,
        registry: CollectorRegistry,
        leads: Callable[[], bool],
        touched: Callable[[Iterable[Key]], None],
    ) -> None:
        """``holder`` names this process in claims; ``touched`` is told the accounts and providers that are to be looked at."""
        self._services = services
        self._vault = vault
        self._leads = leads
        kube, namespace, clock = services.kube, services.namespace, services.clock
        self.federation = Memory()
        self.refresher = new_refresher(
            kube,
            vault,
            self.federation,
            namespace=namespace,
            holder=holder,
            clock=clock,
            redactor=redactor,
            registry=registry,
            fence=services.fence,
            settled=lambda key: touched({key}),
        )
        self.poller = new_poller(
            kube,
            vault,
            services.reports.limits,
            namespace=namespace,
            clock=clock,
            redactor=redactor,
            registry=registry,
            touched=touched,
        )
        self._revoking = Revoking(
            kube,
            vault,
            services.events,
            namespace=namespace,
            clock=clock,
            redactor=redactor,
            registry=registry,
            fence=services.fence,
            leads=leads,
            settled=lambda key: touched({key}),
        )
        self._signing_in = SigningIn(
            kube,
            vault,
            services.events,
            namespace=namespace,
            clock=clock,
            redactor=redactor,
            registry=registry,
            leads=leads,
        )
        self.queues = AccountQueues(self.refresher, self._revoking.revoker, self.poller)

    def routes(self, authenticator: Authenticator) -> list[web.RouteDef]:
        """Return what to mount on the broker: refreshes that proxies ask for, and sign-ins."""
        refreshing = RefreshEndpoint(
            self._services.kube,
            Store(self._vault),
            self.refresher,
            authenticator,
            self.federation,
            namespace=self._services.namespace,
            leads=self._leads,
            clock=self._services.clock,
        )
        return [web.post(REFRESH_PATH, refreshing.handle), *self._signing_in.routes()]

    async def run(self) -> None:
        """Work until cancelled; the poller runs with each term instead, since it leaves nothing half done."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.refresher.run())
            group.create_task(self._signing_in.run())
            group.create_task(self._revoking.run())
