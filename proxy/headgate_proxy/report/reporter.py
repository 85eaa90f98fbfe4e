"""Posts this proxy's whole state to the broker: at once after a change, soon after a rollout counted something, else every
few seconds; the last one counts.

Nothing waits for it. A broker that is away costs a metric and one line in the log per outage.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Final

import aiohttp

from headgate_api.redaction import Redactor
from headgate_api.report import (
    COUNTS_INTERVAL_SECONDS,
    REPORT_INTERVAL_SECONDS,
    REPORT_PATH,
    ProxyReport,
    ReportAnswer,
    RolloutObservation,
)
from headgate_proxy.backoff import Backoff
from headgate_proxy.report.broker import Broker, Untrusted, broker_token
from headgate_runtime.logs import describe

_DEADLINE: Final = aiohttp.ClientTimeout(total=5.0)
_FIRST_RETRY_SECONDS: Final = 0.5
_MOST_BYTES: Final = 512 * 1024
_SETTLE_SECONDS: Final = 0.05
"""Changes come in bursts (a new snapshot and its credentials): they share a report."""

_log = logging.getLogger(__name__)


class ReportRefused(Exception):  # noqa: N818 - reads as what happened
    """The broker answered, and did not take the report."""


class Reporter:
    """``changed`` may be called from anywhere on the event loop; ``run`` posts for ever."""

    def __init__(
        self,
        report: Callable[[], ProxyReport],
        broker: Callable[[], Broker | None],
        token_file: Path,
        redactor: Redactor,
        *,
        failed: Callable[[str], None],
        interval_seconds: float = REPORT_INTERVAL_SECONDS,
        counts_seconds: float = COUNTS_INTERVAL_SECONDS,
        answered: Callable[[ProxyReport, ReportAnswer], None] = lambda _report, _answer: None,
    ) -> None:
        """``report`` returns the present state; ``failed`` is called with a CamelCase reason (a metric).

        ``answered`` is told what the broker answered to a report that it took.
        """
        self._answered = answered
        self._report = report
        self._broker = broker
        self._known: tuple[Broker, ssl.SSLContext] | None = None
        self._token_file = token_file
        self._redactor = redactor
        self._failed = failed
        self._interval = interval_seconds
        self._counts_interval = counts_seconds
        self._counted: tuple[RolloutObservation, ...] = ()
        self._changed = asyncio.Event()
        self._problem: str | None = None

    @property
    def problem(self) -> str | None:
        """Return why the last report did not arrive, as ``Reason: sentence``; None when it did."""
        return self._problem

    def changed(self) -> None:
        """Have a report posted at once."""
        self._changed.set()

    async def run(self) -> None:
        """Post until cancelled."""
        backoff = Backoff(_FIRST_RETRY_SECONDS, self._interval)
        async with aiohttp.ClientSession(
            timeout=_DEADLINE, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
        ) as session:
            while True:
                self._changed.clear()
                broker = self._broker()
                if broker is not None and not await self._post(session, broker):
                    await asyncio.sleep(backoff.delay())
                    continue
                backoff.reset()
                await self._wait()

    async def _wait(self) -> None:
        """Wait for a change, for new counts of a rollout, or for the interval to pass."""
        loop = asyncio.get_running_loop()
        due = loop.time() + self._interval
        while (left := due - loop.time()) > 0:
            try:
                async with asyncio.timeout(min(left, self._counts_interval)):
                    await self._changed.wait()
            except TimeoutError:
                if self._report().rollouts != self._counted:
                    return
            else:
                await asyncio.sleep(_SETTLE_SECONDS)
                return

    async def _post(self, session: aiohttp.ClientSession, broker: Broker) -> bool:
        try:
            context = self._context(broker)
            token = broker_token(self._token_file)
            self._redactor.remember(token)
            headers = {"authorization": f"Bearer {token.reveal()}", "content-type": "application/json"}
            report = self._report()
            async with session.post(
                broker.url + REPORT_PATH,
                data=report.model_dump_json(by_alias=True),
                headers=headers,
                allow_redirects=False,
                ssl=context,
                server_hostname=broker.server_name,  # a leader is reached by its address
            ) as answer:
                if answer.status >= 300:
                    text = (await answer.content.read(500)).decode(errors="replace")
                    raise ReportRefused(f"the broker answers {answer.status}: {text}")
                told = await _told(answer)
        except (
            ReportRefused,
            Untrusted,
            aiohttp.ClientError,
            OSError,
            ValueError,
        ) as error:  # OSError includes TimeoutError
            self._trouble(error)
            return False
        if self._problem is not None:
            _log.info("reports reach the broker again")
        self._problem = None
        self._counted = report.rollouts
        if told is not None:
            self._answered(report, told)
        return True

    def _context(self, broker: Broker) -> ssl.SSLContext:
        """Return the same context for the same trust, so that connections are kept alive."""
        if self._known is None or self._known[0] != broker:
            self._known = (broker, broker.trusted())
        return self._known[1]

    def _trouble(self, error: Exception) -> None:
        reason = _reason(error)
        self._failed(reason)
        problem = f"{reason}: {describe(self._redactor, error)}"
        if self._problem is None or self._problem.partition(":")[0] != reason:
            _log.warning("reports do not reach the broker", extra={"reason": reason, "problem": problem})
        self._problem = problem


async def _told(answer: aiohttp.ClientResponse) -> ReportAnswer | None:
    """Return what an answer tells, or None where it has no body. Raises ValueError for anything else."""
    if answer.status != 200:
        return None
    content = await answer.content.read(_MOST_BYTES + 1)
    while (piece := await answer.content.read(_MOST_BYTES + 1)) and len(content) <= _MOST_BYTES:
        content += piece
    if len(content) > _MOST_BYTES:
        raise ReportRefused(f"the broker's answer is longer than {_MOST_BYTES} bytes")
    return ReportAnswer.model_validate_json(content)


def _reason(error: Exception) -> str:
    if isinstance(error, ReportRefused):
        return "ReportRefused"
    # A certificate that the bundle does not vouch for is not an outage: somebody else may be answering there.
    unknown = isinstance(error, Untrusted | aiohttp.ClientConnectorCertificateError)
    return "BrokerUntrusted" if unknown else "BrokerUnavailable"
