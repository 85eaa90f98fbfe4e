"""Puts the sign-ins of a replica together, once per process: they are served whether it leads or not."""

import asyncio
from collections.abc import Callable

from aiohttp import web
from prometheus_client import CollectorRegistry

from headgate_api.clock import Clock
from headgate_api.redaction import Redactor
from headgate_operator.credentials.seams import EventSink
from headgate_operator.credentials.store import Store
from headgate_operator.oauth.http import OAuthHttp
from headgate_operator.refresh.executor import Sender
from headgate_operator.refresh.subject import Subjects
from headgate_operator.signin.asking import Asking
from headgate_operator.signin.browser import BrowserPages
from headgate_operator.signin.endpoint import SignInEndpoint
from headgate_operator.signin.flows import Flows, Listing
from headgate_operator.signin.janitor import Janitor
from headgate_operator.signin.metrics import SignInMetrics
from headgate_operator.signin.providers import Providers
from headgate_operator.signin.redeeming import Redeemer
from headgate_operator.signin.signins import SignIns
from headgate_operator.signin.telling import Telling
from headgate_runtime.kube import Kube


class SigningIn:
    """Everything of sign-ins: ``routes`` for the broker, ``run`` for the operator."""

    def __init__(
        self,
        kube: Kube,
        vault: Listing,
        events: EventSink,
        *,
        namespace: str,
        clock: Clock,
        redactor: Redactor,
        registry: CollectorRegistry,
        leads: Callable[[], bool],
        http: Sender | None = None,
    ) -> None:
        """``namespace`` is the operator's own, where its fleets are; ``http`` stands in for the vendor's side in tests."""
        flows, store, asking, sender = Flows(vault, redactor), Store(vault), Asking(kube, redactor), http or OAuthHttp()
        self.redeemer = Redeemer(
            asking,
            Subjects(kube, redactor, fleet_namespace=namespace),
            flows,
            store,
            sender,
            Telling(kube, events, clock),
            clock=clock,
            metrics=SignInMetrics(registry),
            redactor=redactor,
        )
        self.sign_ins = SignIns(asking, Providers(kube), flows, store, self.redeemer, sender, clock=clock)
        self.janitor = Janitor(flows, clock=clock, leads=leads)

    def routes(self) -> list[web.RouteDef]:
        """Return what to mount on the broker."""
        return [*SignInEndpoint(self.sign_ins).routes(), *BrowserPages(self.sign_ins).routes()]

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.sign_ins.run())
            group.create_task(self.janitor.run())
