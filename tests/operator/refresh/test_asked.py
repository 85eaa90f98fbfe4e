"""From the proxies' request to the vendor and back: endpoint, refresher and executor together."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import aiohttp
import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry

from headgate_api.clock import SystemClock
from headgate_api.refresh import REFRESH_PATH
from headgate_operator.broker.authentication import Authenticator
from headgate_operator.broker.refreshing import RefreshEndpoint
from headgate_operator.credentials.store import Store
from headgate_operator.federation.memory import Memory
from headgate_operator.refresh.metrics import RefreshMetrics
from headgate_operator.refresh.refresher import Refresher

from .world import World

if TYPE_CHECKING:
    from headgate_runtime.kube import Kube

PROXIES = 200


class Reviews:
    async def token_review(self, token: str, audiences: Sequence[str]) -> dict[str, Any]:
        user = {
            "username": "system:serviceaccount:headgate-system:headgate-proxy-default",
            "extra": {"authentication.kubernetes.io/pod-name": [token]},
        }
        return {"authenticated": True, "audiences": list(audiences), "user": user}


@asynccontextmanager
async def broker(world: World) -> AsyncIterator[aiohttp.ClientSession]:
    metrics = RefreshMetrics(CollectorRegistry())
    refresher = Refresher(world.operator(), clock=world.clock, settled=lambda _: None, metrics=metrics)
    endpoint = RefreshEndpoint(
        cast("Kube", world.kube),
        Store(world.kv),
        refresher,
        Authenticator(cast("Kube", Reviews()), SystemClock()),
        Memory(),
        namespace="headgate-system",
        leads=lambda: True,
        clock=world.clock,
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


async def _ask(http: aiohttp.ClientSession, proxy: int, version: int) -> tuple[int, dict[str, Any]]:
    body = {
        "fleet": "default",
        "pod": f"p{proxy % 20}",
        "path": "team/subscriptionaccounts/ada/access",
        "version": version,
    }
    async with http.post(REFRESH_PATH, json=body, headers={"authorization": f"Bearer p{proxy % 20}"}) as answer:
        return answer.status, await answer.json()


@pytest.mark.parametrize("revoked", [False, True])
async def test_two_hundred_simultaneous_refusals_are_one_refresh_and_all_learn_what_it_came_to(revoked: bool) -> None:
    world = World()
    await world.sign_in()
    world.server.grants.grants[0].revoked = revoked
    async with broker(world) as http:
        answers = await asyncio.gather(*(_ask(http, proxy, 1) for proxy in range(PROXIES)))
        late = await _ask(http, 0, 1)
    assert world.direct.asked == 1
    assert {status for status, _ in [*answers, late]} == {409 if revoked else 200}
    if revoked:
        assert {body["error"]["reason"] for _, body in answers} == {"ReauthenticationRequired"}
    else:
        assert {(body["version"], body["generation"]) for _, body in answers} == {(2, 2)}
        assert await world.works()


async def test_a_suspended_account_is_not_refreshed_for_any_number_of_proxies() -> None:
    world = World(spec={"suspend": True})
    await world.sign_in()
    async with broker(world) as http:
        answers = await asyncio.gather(*(_ask(http, proxy, 1) for proxy in range(20)))
    assert world.direct.asked == 0
    assert {(status, body["error"]["reason"]) for status, body in answers} == {(409, "Suspended")}
