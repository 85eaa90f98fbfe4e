"""Reports arrive at once after a change, carry the pod's own token, and cost nothing but a metric when nobody takes them.

They go to the broker that the head's certificates vouch for, and to nobody else: the token would go with them.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web

from headgate_api.clock import SystemClock
from headgate_api.redaction import Redactor
from headgate_api.report import REPORT_PATH, ProxyReport, ReportAnswer, RolloutObservation, TrackCounts
from headgate_operator.pki.issue import broker_names, issue, make_authority
from headgate_proxy.report import broker as brokers
from headgate_proxy.report.reporter import Reporter
from headgate_runtime.listening import listening_socket, port_of
from headgate_runtime.serving_tls import server_context

NOW = SystemClock().now()
AUTHORITY, OTHER = (make_authority("headgate-system", NOW, timedelta(days=1)) for _ in range(2))


@dataclass
class Broker:
    """A real HTTP server in the broker's place."""

    status: int = 204
    answer: str | None = None
    reports: asyncio.Queue[tuple[str, ProxyReport]] = field(default_factory=asyncio.Queue)
    url: str = ""
    namespace: str = "headgate-system"
    """The one its certificate is for."""

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        app = web.Application()
        app.router.add_post(REPORT_PATH, self._take)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        listening = listening_socket(0, "127.0.0.1")
        self.url = f"https://127.0.0.1:{port_of(listening)}"
        pair = issue(AUTHORITY, broker_names(self.namespace), NOW, timedelta(days=1))
        await web.SockSite(runner, listening, ssl_context=server_context(pair)).start()
        try:
            yield
        finally:
            await runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        report = ProxyReport.model_validate_json(await request.read())
        await self.reports.put((request.headers["authorization"], report))
        if self.answer is not None:
            return web.Response(text=self.answer)
        text = f"echo of {request.headers['authorization']}" if self.status >= 300 else None
        return web.Response(status=self.status, text=text)

    async def next(self) -> tuple[str, ProxyReport]:
        async with asyncio.timeout(5):
            return await self.reports.get()


@dataclass
class Pod:
    """A reporter and what it reports."""

    broker: Broker
    token_file: Path
    revision: str | None = "one"
    errors: int | None = None
    """Counted of a rollout's canary; None: no rollout is exposed."""
    trust_bundle: str | None = AUTHORITY.certificate
    failures: Counter[str] = field(default_factory=Counter)
    failed: asyncio.Event = field(default_factory=asyncio.Event)
    answers: list[tuple[ProxyReport, ReportAnswer]] = field(default_factory=list)

    @asynccontextmanager
    async def reporting(self, interval: float = 60, counts: float = 60) -> AsyncIterator[Reporter]:
        reporter = Reporter(
            self._report,
            lambda: brokers.Broker.of(self.broker.url or None, self.trust_bundle, "headgate-system"),
            self.token_file,
            Redactor(),
            failed=self._note,
            interval_seconds=interval,
            counts_seconds=counts,
            answered=lambda report, answer: self.answers.append((report, answer)),
        )
        async with asyncio.TaskGroup() as group:
            task = group.create_task(reporter.run())
            yield reporter
            task.cancel()

    def _report(self) -> ProxyReport:
        rollouts: tuple[RolloutObservation, ...] = ()
        if self.errors is not None:
            canary = TrackCounts(requests=self.errors, errors=self.errors)
            rollouts = (RolloutObservation(policy="team/careful", revision="r-1", step=0, canary=canary),)
        return ProxyReport(fleet="edge", pod="proxy-0", revision=self.revision, rollouts=rollouts)

    def _note(self, reason: str) -> None:
        self.failures[reason] += 1
        self.failed.set()


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    token = tmp_path / "token"
    token.write_text("pod-token-one\n")
    return Pod(Broker(), token)


async def test_a_change_is_reported_at_once_with_the_token_of_now(pod: Pod) -> None:
    async with pod.broker.listening(), pod.reporting() as reporter:
        bearer, report = await pod.broker.next()
        assert (bearer, report.revision) == ("Bearer pod-token-one", "one")
        pod.token_file.write_text("pod-token-two")
        pod.revision = "two"
        reporter.changed()
        bearer, report = await pod.broker.next()
        assert (bearer, report.revision) == ("Bearer pod-token-two", "two")
        assert reporter.problem is None


async def test_what_the_broker_answers_is_handed_on_and_nonsense_is_a_failure(pod: Pod) -> None:
    pod.broker.answer = '{"limitsCursor": "t:3", "limits": []}'
    async with pod.broker.listening(), pod.reporting() as reporter:
        await pod.broker.next()
        pod.broker.answer = "<html>"
        reporter.changed()
        await pod.broker.next()
        await pod.failed.wait()
    ((report, answer),) = pod.answers
    assert (report.revision, answer.limits_cursor) == ("one", "t:3")
    assert pod.failures == {"BrokerUnavailable": 1}


async def test_without_a_change_it_repeats_itself(pod: Pod) -> None:
    async with pod.broker.listening(), pod.reporting(interval=0.05):
        assert [(await pod.broker.next())[1].revision for _ in range(3)] == ["one"] * 3


async def test_what_a_rollout_counts_is_reported_soon_and_only_when_it_is_new(pod: Pod) -> None:
    pod.errors = 0
    async with pod.broker.listening(), pod.reporting(counts=0.02):
        await pod.broker.next()
        pod.errors = 1
        assert (await pod.broker.next())[1].rollouts[0].canary.errors == 1
        pod.errors = 2
        assert (await pod.broker.next())[1].rollouts[0].canary.errors == 2
        await asyncio.sleep(0.2)  # ten times the interval of counts
        assert pod.broker.reports.empty()


async def test_a_refusal_is_told_once_without_the_token(pod: Pod, caplog: pytest.LogCaptureFixture) -> None:
    pod.broker.status = 403
    with caplog.at_level(logging.INFO):
        async with pod.broker.listening(), pod.reporting(interval=0.05) as reporter:
            for _ in range(3):
                await pod.broker.next()
            problem = reporter.problem or ""
            pod.broker.status = 204
            for _ in range(2):
                await pod.broker.next()
            assert reporter.problem is None
    assert problem.startswith("ReportRefused: ")
    assert "403" in problem
    assert "pod-token" not in problem + caplog.text
    assert pod.failures.keys() == {"ReportRefused"}
    assert [record.message for record in caplog.records] == [
        "reports do not reach the broker",
        "reports reach the broker again",
    ]


@pytest.mark.parametrize("trouble", ["nobody listens", "no token"])
async def test_a_broker_that_is_away_is_a_metric(pod: Pod, trouble: str) -> None:
    if trouble == "no token":
        pod.token_file.unlink()
    async with pod.broker.listening():
        pass
    async with pod.reporting() as reporter, asyncio.timeout(5):
        await pod.failed.wait()
        assert (reporter.problem or "").startswith("BrokerUnavailable: ")


@pytest.mark.parametrize("stranger", ["another authority's", "another namespace's", "no bundle", "plain HTTP"])
async def test_a_broker_that_nobody_vouches_for_gets_no_token(pod: Pod, stranger: str) -> None:
    if stranger == "another authority's":
        pod.trust_bundle = OTHER.certificate
    elif stranger == "no bundle":
        pod.trust_bundle = None
    elif stranger == "another namespace's":
        pod.broker.namespace = "somewhere-else"
    async with pod.broker.listening():
        if stranger == "plain HTTP":
            pod.broker.url = pod.broker.url.replace("https", "http")
        async with pod.reporting(interval=60) as reporter, asyncio.timeout(5):
            await pod.failed.wait()
            assert (reporter.problem or "").startswith("BrokerUntrusted: ")
    assert pod.broker.reports.empty()


async def test_a_bundle_that_the_head_brings_later_is_used_at_once(pod: Pod) -> None:
    pod.trust_bundle = OTHER.certificate
    async with pod.broker.listening(), pod.reporting(interval=60):
        async with asyncio.timeout(5):
            await pod.failed.wait()
        pod.trust_bundle = OTHER.certificate + AUTHORITY.certificate
        assert (await pod.broker.next())[1].pod == "proxy-0"


async def test_nothing_is_sent_before_a_broker_is_known(pod: Pod) -> None:
    async with pod.reporting(interval=0.02) as reporter:
        await asyncio.sleep(0)
        async with pod.broker.listening():
            reporter.changed()
            assert (await pod.broker.next())[1].pod == "proxy-0"
            pod.broker.url = ""
    assert not pod.failures
