"""Posts this proxy's whole state to the broker: at once after a change, else every few seconds; the last one counts.

Nothing waits for it. A broker that is away costs a metric and one line in the log per outage.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp

from headgate_api import names
from headgate_api.redaction import Redactor
from headgate_api.report import REPORT_INTERVAL_SECONDS, REPORT_PATH, ProxyReport
from headgate_api.secret import Secret
from headgate_proxy.backoff import Backoff
from headgate_proxy.tls.trust import client_context
from headgate_runtime.logs import describe

_DEADLINE: Final = aiohttp.ClientTimeout(total=5.0)
_FIRST_RETRY_SECONDS: Final = 0.5
_SETTLE_SECONDS: Final = 0.05
"""Changes come in bursts (a new snapshot and its credentials): they share a report."""

_log = logging.getLogger(__name__)


class Untrusted(Exception):  # noqa: N818 - reads as what it is
    """There is a broker, but no way to know it for what it is."""


class ReportRefused(Exception):  # noqa: N818 - reads as what happened
    """The broker answered, and did not take the report."""


@dataclass(frozen=True, slots=True)
class Broker:
    """Where to report, and by which name and certificates (PEM) the broker is known."""

    url: str
    trust_bundle: str | None
    server_name: str

    @classmethod
    def of(cls, url: str | None, trust_bundle: str | None, namespace: str) -> "Broker | None":
        """Return the broker of the fleet's namespace, or None while the head names none."""
        return None if url is None else cls(url, trust_bundle, names.broker_server_name(namespace))

    def trusted(self) -> ssl.SSLContext:
        """Return what its connections are secured by. Raises Untrusted when nothing says whom to believe."""
        if not self.url.startswith("https://"):
            raise Untrusted(f"the head names a broker without TLS ({self.url}); tokens are not sent there")
        if self.trust_bundle is None:
            raise Untrusted("the head carries no trust bundle; see condition CertificatesReady of the ProxyFleet")
        try:
            return client_context(self.trust_bundle)
        except ValueError as error:
            raise Untrusted(str(error)) from None


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
    ) -> None:
        """``report`` returns the present state; ``failed`` is called with a CamelCase reason (a metric)."""
        self._report = report
        self._broker = broker
        self._known: tuple[Broker, ssl.SSLContext] | None = None
        self._token_file = token_file
        self._redactor = redactor
        self._failed = failed
        self._interval = interval_seconds
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
        try:
            async with asyncio.timeout(self._interval):
                await self._changed.wait()
        except TimeoutError:
            return
        await asyncio.sleep(_SETTLE_SECONDS)

    async def _post(self, session: aiohttp.ClientSession, broker: Broker) -> bool:
        try:
            context = self._context(broker)
            token = _read(self._token_file)
            self._redactor.remember(token)
            headers = {"authorization": f"Bearer {token.reveal()}", "content-type": "application/json"}
            body = self._report().model_dump_json(by_alias=True)
            async with session.post(
                broker.url + REPORT_PATH,
                data=body,
                headers=headers,
                allow_redirects=False,
                ssl=context,
                server_hostname=broker.server_name,  # a leader is reached by its address
            ) as answer:
                if answer.status >= 300:
                    text = (await answer.content.read(500)).decode(errors="replace")
                    raise ReportRefused(f"the broker answers {answer.status}: {text}")
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


def _reason(error: Exception) -> str:
    if isinstance(error, ReportRefused):
        return "ReportRefused"
    # A certificate that the bundle does not vouch for is not an outage: somebody else may be answering there.
    unknown = isinstance(error, Untrusted | aiohttp.ClientConnectorCertificateError)
    return "BrokerUntrusted" if unknown else "BrokerUnavailable"


def _read(token_file: Path) -> Secret:
    """Read the projected token each time, since it rotates. Raises OSError."""
    return Secret(token_file.read_text(encoding="ascii").strip())
