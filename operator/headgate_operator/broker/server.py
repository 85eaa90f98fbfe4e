"""The broker's HTTP server: takes proxies' reports while this process leads, and answers every error in one JSON form.

``{"error": {"reason": CamelCase, "message": sentence}}``. A process that does not lead answers 503 NotLeader; the head of
the snapshot names the leader's broker.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Final, Self

from aiohttp import web
from pydantic import ValidationError

from headgate_api.clock import Clock
from headgate_api.report import REPORT_PATH, ProxyReport
from headgate_operator.broker.authentication import Authenticator, Refused, authorize
from headgate_operator.broker.reports import Reports
from headgate_operator.engine.keys import Key
from headgate_operator.metrics import Metrics
from headgate_runtime.kube import KubeError, KubeUnavailable
from headgate_runtime.listening import listening_socket, port_of
from headgate_runtime.serving_tls import ServingTLS, plain_http_answer

MAX_REPORT_BYTES: Final = 512 * 1024
_READ_SECONDS: Final = 5.0
_SHUTDOWN_SECONDS: Final = 1.0
_log = logging.getLogger(__name__)


def broker_tls(clock: Clock) -> ServingTLS:
    """Return the broker's side of TLS, which still lacks its certificate."""
    message = "the broker speaks TLS; use https://"
    body = json.dumps({"error": {"reason": "TLSRequired", "message": message}}).encode()
    return ServingTLS(clock, plain_answer=lambda: plain_http_answer("application/json", body))


class Broker:
    """The server, by TLS alone; an asynchronous context manager. ``touched`` is told which objects a report concerns.

    It listens before ``tls`` has a certificate: handshakes fail until then, and the port is there for probes.
    ``routes``: what else is answered.
    """

    def __init__(
        self,
        port: int,
        *,
        namespace: str,
        authenticator: Authenticator,
        reports: Reports,
        leads: Callable[[], bool],
        touched: Callable[[set[Key]], None],
        metrics: Metrics,
        tls: ServingTLS,
        routes: Iterable[web.RouteDef] = (),
        host: str | None = None,
    ) -> None:
        self._port = port
        self._host = host
        self._namespace = namespace
        self._authenticator = authenticator
        self._reports = reports
        self._leads = leads
        self._touched = touched
        self._metrics = metrics
        self._tls = tls
        self._routes = tuple(routes)
        self._runner: web.AppRunner | None = None

    @property
    def port(self) -> int:
        """Return the port in use (the one asked for, before it listens)."""
        return self._port

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=MAX_REPORT_BYTES)
        app.router.add_get("/livez", self._livez)
        app.router.add_post(REPORT_PATH, self._report)
        app.router.add_routes(self._routes)
        listening = listening_socket(self._port, self._host)
        self._port = port_of(listening)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=_SHUTDOWN_SECONDS)
        await self._runner.setup()
        await web.SockSite(self._runner, listening, ssl_context=self._tls.context).start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _livez(self, _: web.Request) -> web.Response:
        return web.json_response({"live": True})

    async def _report(self, request: web.Request) -> web.Response:
        try:
            report, touched = await self._take(request)
        except Refused as refused:
            return self._refuse(refused)
        except KubeUnavailable as error:
            return self._refuse(Refused(503, "Unavailable", f"the token cannot be reviewed now: {error}"))
        except KubeError as error:
            _log.error("TokenReview is refused; check the operator's ClusterRole", extra={"error": str(error)})
            return self._refuse(Refused(503, "Unavailable", "the token cannot be reviewed; see the operator's log"))
        self._metrics.reports.labels("accepted").inc()
        if touched:
            self._touched(touched)
        if report.limits_cursor is None:
            return web.Response(status=204)
        return web.json_response(self._reports.limits.answer(report).to_wire())

    async def _take(self, request: web.Request) -> tuple[ProxyReport, set[Key]]:
        if not self._leads():
            raise Refused(503, "NotLeader", "this operator does not lead; report to the broker that the head names")
        caller = await self._authenticator.caller(request.headers.get("authorization", ""))
        report = await _read(request)
        authorize(caller, namespace=self._namespace, fleet=report.fleet, pod=report.pod)
        if not self._leads():
            raise Refused(503, "NotLeader", "this operator leads no more; report to the broker that the head names")
        return report, self._reports.accept(report, self._namespace)

    def _refuse(self, refused: Refused) -> web.Response:
        self._metrics.reports.labels(str(refused.status)).inc()
        body = {"error": {"reason": refused.reason, "message": refused.message}}
        headers = {"www-authenticate": "Bearer"} if refused.status == 401 else None
        return web.json_response(body, status=refused.status, headers=headers)


async def _read(request: web.Request) -> ProxyReport:
    try:
        async with asyncio.timeout(_READ_SECONDS):
            content = await request.read()
        return ProxyReport.model_validate(json.loads(content))
    except TimeoutError:
        raise Refused(408, "TooSlow", f"the body did not arrive within {_READ_SECONDS:.0f} s") from None
    except web.HTTPRequestEntityTooLarge:
        raise Refused(413, "TooLarge", f"a report holds at most {MAX_REPORT_BYTES} bytes") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "the body"
        raise Refused(400, "Invalid", f"{field}: {first['msg']}") from None
    except (ValueError, RecursionError):
        raise Refused(400, "Invalid", "the body is not JSON") from None
