"""The broker's endpoint and a refresher behind it, on loopback, as proxies meet them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import aiohttp
from aiohttp import web
from prometheus_client import CollectorRegistry

from headgate_api.clock import Clock, SystemClock
from headgate_api.refresh import REFRESH_PATH
from headgate_operator.broker.authentication import Authenticator
from headgate_operator.broker.refreshing import RefreshEndpoint
from headgate_operator.credentials.store import KeyValue, Store
from headgate_operator.engine.keys import Key
from headgate_operator.federation.memory import Memory
from headgate_operator.refresh.metrics import RefreshMetrics
from headgate_operator.refresh.refresher import Refresher, Refreshes

if TYPE_CHECKING:
    from headgate_runtime.kube import Kube


class Reviews:
    """An API server that knows each token as the pod of that name."""

    async def token_review(self, token: str, audiences: Sequence[str]) -> dict[str, Any]:
        user = {
            "username": "system:serviceaccount:headgate-system:headgate-proxy-default",
            "extra": {"authentication.kubernetes.io/pod-name": [token]},
        }
        return {"authenticated": True, "audiences": list(audiences), "user": user}


@asynccontextmanager
async def broker(
    executor: Refreshes,
    kube: Any,
    kv: KeyValue,
    clock: Clock,
    memory: Memory | None = None,
    settled: Callable[[Key], None] = lambda _: None,
) -> AsyncIterator[aiohttp.ClientSession]:
    """Serve the endpoint; the session's base URL is the broker's."""
    refresher = Refresher(executor, clock=clock, settled=settled, metrics=RefreshMetrics(CollectorRegistry()))
    endpoint = RefreshEndpoint(
        cast("Kube", kube),
        Store(kv),
        refresher,
        Authenticator(cast("Kube", Reviews()), SystemClock()),
        memory or Memory(),
        namespace="headgate-system",
        leads=lambda: True,
        clock=clock,
    )
    app = web.Application()
    app.router.add_post(REFRESH_PATH, endpoint.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with asyncio.TaskGroup() as group:
        running = group.create_task(refresher.run())
        await asyncio.sleep(0)
        refresher.begin_term()
        async with aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(limit=0)) as http:
            yield http
        running.cancel()
    await runner.cleanup()


async def ask(http: aiohttp.ClientSession, proxy: int, path: str, version: int) -> tuple[int, dict[str, Any]]:
    """Ask as one of twenty pods."""
    pod = f"p{proxy % 20}"
    body = {"fleet": "default", "pod": pod, "path": path, "version": version}
    async with http.post(REFRESH_PATH, json=body, headers={"authorization": f"Bearer {pod}"}) as answer:
        return answer.status, await answer.json()
