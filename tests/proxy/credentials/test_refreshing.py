"""Who meets a refused token asks the broker, once for all who meet it, over TLS that the head vouches for and no other way."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from headgate_api.clock import SystemClock
from headgate_api.redaction import Redactor
from headgate_api.refresh import REFRESH_PATH, RefreshRequest
from headgate_operator.pki.issue import broker_names, issue, make_authority
from headgate_proxy.credentials.refreshing import Refreshing, RefreshOutcome
from headgate_proxy.report.broker import Broker
from headgate_runtime.listening import listening_socket, port_of
from headgate_runtime.serving_tls import server_context

NOW = SystemClock().now()
AUTHORITY, OTHER = (make_authority("headgate-system", NOW, timedelta(days=1)) for _ in range(2))
PATH = "team/subscriptionaccounts/ada/access"


@dataclass
class Answering:
    """A real HTTPS server in the broker's place; ``hold``: it answers once this is set."""

    status: int = 200
    version: int = 8
    body: dict[str, Any] | None = None
    hold: asyncio.Event | None = None
    asked: list[tuple[str, RefreshRequest]] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        app = web.Application()
        app.router.add_post(REFRESH_PATH, self._answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        listening = listening_socket(0, "127.0.0.1")
        self.url = f"https://127.0.0.1:{port_of(listening)}"
        pair = issue(AUTHORITY, broker_names("headgate-system"), NOW, timedelta(days=1))
        await web.SockSite(runner, listening, ssl_context=server_context(pair)).start()
        try:
            yield
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        self.asked.append((request.headers["authorization"], RefreshRequest.model_validate_json(await request.read())))
        self.arrived.set()
        if self.hold is not None:
            await self.hold.wait()
        good = {"path": PATH, "version": self.version, "generation": 3}
        bad = {"error": {"reason": "Because", "message": f"echo of {request.headers['authorization']}"}}
        return web.json_response(self.body or (good if self.status == 200 else bad), status=self.status)


@dataclass
class Pod:
    broker: Answering
    token_file: Path
    trust_bundle: str | None = AUTHORITY.certificate
    counted: Counter[RefreshOutcome] = field(default_factory=Counter)

    def refreshing(self, deadline_seconds: float = 5.0) -> Refreshing:
        return Refreshing(
            lambda: Broker.of(self.broker.url or None, self.trust_bundle, "headgate-system"),
            self.token_file,
            Redactor(),
            fleet="edge",
            pod="proxy-0",
            asked=lambda outcome: self.counted.update([outcome]),
            deadline_seconds=deadline_seconds,
        )


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    token = tmp_path / "token"
    token.write_text("pod-token-one\n")
    return Pod(Answering(), token)


async def test_the_broker_is_told_who_asks_and_which_version_was_refused(pod: Pod) -> None:
    async with pod.broker.listening():
        assert await pod.refreshing().ask(PATH, 7) is RefreshOutcome.RENEWED
    ((bearer, question),) = pod.broker.asked
    assert bearer == "Bearer pod-token-one"
    assert question == RefreshRequest(fleet="edge", pod="proxy-0", path=PATH, version=7)
    assert pod.counted == {RefreshOutcome.RENEWED: 1}


async def test_all_who_meet_one_version_at_once_ask_once(pod: Pod) -> None:
    pod.broker.hold = asyncio.Event()
    async with pod.broker.listening(), asyncio.timeout(10), asyncio.TaskGroup() as group:
        refreshing = pod.refreshing()
        asking = [group.create_task(refreshing.ask(PATH, 7)) for _ in range(20)]
        await pod.broker.arrived.wait()
        pod.broker.hold.set()
        assert {await task for task in asking} == {RefreshOutcome.RENEWED}
    assert len(pod.broker.asked) == 1
    assert pod.counted == {RefreshOutcome.RENEWED: 1}


async def test_when_the_one_that_asked_leaves_another_one_asks_for_the_rest(pod: Pod) -> None:
    pod.broker.hold = asyncio.Event()
    async with pod.broker.listening(), asyncio.timeout(10), asyncio.TaskGroup() as group:
        refreshing = pod.refreshing()
        leaves = group.create_task(refreshing.ask(PATH, 7))
        await pod.broker.arrived.wait()
        stays = [group.create_task(refreshing.ask(PATH, 7)) for _ in range(2)]
        await asyncio.sleep(0)
        pod.broker.arrived.clear()
        leaves.cancel()
        await pod.broker.arrived.wait()
        pod.broker.hold.set()
        assert {await task for task in stays} == {RefreshOutcome.RENEWED}
    assert len(pod.broker.asked) == 2


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (409, RefreshOutcome.REFUSED),
        (403, RefreshOutcome.REFUSED),
        (503, RefreshOutcome.LATER),
        (429, RefreshOutcome.LATER),
        (302, RefreshOutcome.LATER),
    ],
)
async def test_an_answer_without_a_token_is_an_outcome_and_shows_no_credential(
    pod: Pod, status: int, outcome: RefreshOutcome, caplog: pytest.LogCaptureFixture
) -> None:
    pod.broker.status = status
    async with pod.broker.listening():
        assert await pod.refreshing().ask(PATH, 7) is outcome
    assert pod.counted == {outcome: 1}
    assert "pod-token" not in str([vars(record) for record in caplog.records])


async def test_an_owner_who_has_to_sign_in_again_is_told_apart(pod: Pod) -> None:
    pod.broker.status = 409
    async with pod.broker.listening():
        for body, outcome in (
            (
                {"error": {"reason": "ReauthenticationRequired", "message": "m"}},
                RefreshOutcome.REAUTHENTICATION_REQUIRED,
            ),
            ({"error": "ReauthenticationRequired"}, RefreshOutcome.REFUSED),
        ):
            pod.broker.body = body
            assert await pod.refreshing().ask(PATH, 7) is outcome


async def test_a_version_that_is_not_newer_is_none(pod: Pod) -> None:
    pod.broker.version = 7
    async with pod.broker.listening():
        assert await pod.refreshing().ask(PATH, 7) is RefreshOutcome.LATER


async def test_a_broker_that_thinks_for_long_is_not_waited_for(pod: Pod) -> None:
    pod.broker.hold = asyncio.Event()
    async with pod.broker.listening(), asyncio.timeout(10):
        assert await pod.refreshing(deadline_seconds=0.2).ask(PATH, 7) is RefreshOutcome.TIMED_OUT
        pod.broker.hold.set()


@pytest.mark.parametrize("trouble", ["nobody listens", "no token", "no sense"])
async def test_a_broker_that_is_away_is_an_outcome(pod: Pod, trouble: str) -> None:
    if trouble == "no token":
        pod.token_file.unlink()
    if trouble == "no sense":
        pod.broker.body = {"version": "many"}
    async with pod.broker.listening():
        if trouble != "nobody listens":
            assert await pod.refreshing().ask(PATH, 7) is RefreshOutcome.UNAVAILABLE
    if trouble == "nobody listens":
        assert await pod.refreshing().ask(PATH, 7) is RefreshOutcome.UNAVAILABLE
    assert pod.counted == {RefreshOutcome.UNAVAILABLE: 1}


@pytest.mark.parametrize("stranger", ["another authority's", "no bundle", "plain HTTP"])
async def test_a_broker_that_nobody_vouches_for_gets_no_token(pod: Pod, stranger: str) -> None:
    if stranger != "plain HTTP":
        pod.trust_bundle = OTHER.certificate if stranger == "another authority's" else None
    async with pod.broker.listening():
        if stranger == "plain HTTP":
            pod.broker.url = pod.broker.url.replace("https", "http")
        assert await pod.refreshing().ask(PATH, 7) is RefreshOutcome.UNTRUSTED
    assert pod.broker.asked == []


async def test_without_a_broker_there_is_nobody_to_ask(pod: Pod) -> None:
    assert await pod.refreshing().ask(PATH, 7) is RefreshOutcome.NO_BROKER
