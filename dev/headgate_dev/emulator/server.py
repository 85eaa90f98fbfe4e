"""The emulator as a server: receives, records, asks the vendor's semantics, applies the scripted fault, delivers."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from typing import Literal, Self

from aiohttp import web

from headgate_api.clock import Clock, SystemClock
from headgate_dev.emulator.anthropic.vendor import Anthropic
from headgate_dev.emulator.control import control_app
from headgate_dev.emulator.credentials import Credentials, TokenState
from headgate_dev.emulator.delivery import Pace, deliver, reshape
from headgate_dev.emulator.faults import Fault, FaultKind, FaultPlan
from headgate_dev.emulator.holds import Holds
from headgate_dev.emulator.journal import Journal, RecordedRequest
from headgate_dev.emulator.oauth.control import OAuthControl
from headgate_dev.emulator.oauth.federation_control import FederationControl
from headgate_dev.emulator.oauth.vendor import WithOAuth
from headgate_dev.emulator.tls import ServerTLS
from headgate_dev.emulator.together import Together
from headgate_dev.emulator.vendor import MAX_BODY_BYTES, Call, Vendor

_MAX_HEADER_BYTES = 256 * 1024


class Emulator:
    """An emulated vendor on a free port of 127.0.0.1 (or ``host``/``port``): ``async with Emulator(...) as emu: emu.url``.

    ``api_keys`` and ``oauth_tokens`` are the credentials it accepts; ``event_delay`` (seconds) paces every stream, for
    people who watch. With ``tls`` it speaks HTTPS. ``on_change`` is called after each change of the credentials
    over the control API.
    """

    def __init__(
        self,
        *,
        api_keys: Iterable[str] = (),
        oauth_tokens: Iterable[str] = (),
        revoked_status: Literal[401, 403] = 403,
        event_delay: float = 0.0,
        tls: ServerTLS | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        vendor: Vendor | None = None,
        clock: Clock | None = None,
        credentials: Credentials | None = None,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self.credentials = credentials or Credentials()
        self.credentials.api_keys.update(api_keys)
        self.credentials.oauth_tokens.update(dict.fromkeys(oauth_tokens, TokenState.VALID))
        if credentials is None:
            self.credentials.revoked_status = revoked_status
        self.tls = tls
        self.on_change = on_change
        self._pace = event_delay
        self._host, self._port = host, port
        self._vendor = vendor or Anthropic()
        self._clock = clock or SystemClock()
        self._received = 0
        self._journal = Journal()
        self._plan = FaultPlan()
        self._holds = Holds(self._journal)
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Return the origin to point a provider or an SDK at; no slash at its end."""
        return f"{'https' if self.tls else 'http'}://{self._host}:{self._port}"

    @property
    def api_keys(self) -> set[str]:
        """Return the API keys the vendor accepts; change it freely."""
        return self.credentials.api_keys

    @property
    def oauth_tokens(self) -> dict[str, TokenState]:
        """Return the OAuth access tokens the vendor knows and what it thinks of them; change it freely."""
        return self.credentials.oauth_tokens

    @property
    def requests(self) -> list[RecordedRequest]:
        """Return every vendor request received so far, oldest first (not those to the control API)."""
        return self._journal.requests

    @property
    def control_routes(self) -> list[web.RouteDef]:
        """Return what the control API offers for the vendor's own sign-in, where it has one; a Together has one per member."""
        members = self._vendor.members if isinstance(self._vendor, Together) else {"": self._vendor}
        routes: list[web.RouteDef] = []
        for name, member in members.items():
            if not isinstance(member, WithOAuth):
                continue
            prefix = f"/{name}" if name else ""
            routes += OAuthControl(member.oauth, self.credentials, self.requests, prefix).routes()
            if member.federation is not None:
                routes += FederationControl(member.federation, prefix).routes()
        return routes

    @property
    def pending_faults(self) -> list[dict[str, object]]:
        """Return the faults no request has used up yet."""
        return self._plan.pending()

    def add_fault(self, fault: Fault) -> str:
        """Script ``fault`` and return its id."""
        fault_id = self._plan.add(fault)
        if fault.kind is FaultKind.HOLD:
            self._holds.add(fault_id)
        return fault_id

    def clear_faults(self) -> None:
        """Forget the scripted faults and let held requests go on."""
        self._plan.clear()
        self._holds.release_all()

    def reset(self) -> None:
        """Forget faults, recorded requests and prompt cache; credentials stay."""
        self.clear_faults()
        self.requests.clear()
        self._vendor.forget()

    def release(self, fault_id: str) -> None:
        """Let the requests held by the Hold fault ``fault_id`` go on; KeyError when it is no hold."""
        self._holds.release(fault_id)

    async def wait_held(self, fault_id: str, count: int = 1, timeout: float = 10.0) -> None:  # noqa: ASYNC109
        """Return once ``count`` requests have arrived at that hold; TimeoutError after ``timeout`` seconds."""
        await self._holds.wait_held(fault_id, count, timeout)

    async def wait_until(self, predicate: Callable[[], bool], timeout: float = 10.0) -> None:  # noqa: ASYNC109
        """Return once ``predicate()`` is true, asked again whenever a request arrives, ends or is held."""
        await self._journal.wait_until(predicate, timeout)

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.add_subapp("/_emulator/", control_app(self))
        app.router.add_route("*", "/{path:.*}", self._handle)
        # A client that leaves must be noticed while the answer is held; bodies are recorded as they came, not inflated.
        self._runner = web.AppRunner(
            app,
            access_log=None,
            handler_cancellation=True,
            auto_decompress=False,
            shutdown_timeout=1.0,
            max_line_size=_MAX_HEADER_BYTES,
            max_field_size=_MAX_HEADER_BYTES,
        )
        await self._runner.setup()
        context = self.tls.server_context() if self.tls else None
        site = web.TCPSite(self._runner, self._host, self._port, ssl_context=context)
        try:
            await site.start()
        except BaseException:
            await self._runner.cleanup()
            raise
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._holds.release_all()
        if self._runner is not None:
            connections = self._runner.server.connections if self._runner.server else []
            transports = [each.transport for each in connections if each.transport is not None]
            await self._runner.cleanup()
            self._runner = None
            # A client that keeps its connection need not answer the TLS goodbye: the emulator does not wait for it.
            for transport in transports:
                transport.abort()
            for _turn in range(3):  # TLS ends in the loop's next turn, its socket in the one after
                await asyncio.sleep(0)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self._received += 1
        record = RecordedRequest(
            number=self._received,
            method=request.method,
            target=request.raw_path,
            headers=tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in request.raw_headers),
            received_at=self._clock.now(),
            began=self._journal.moment(),
        )
        self.requests.append(record)
        try:
            await self._journal.changed()
            return await self._exchange(request, record)
        except (asyncio.CancelledError, ConnectionError):
            record.disconnected = True
            raise
        finally:
            record.done, record.ended = True, self._journal.moment()
            with contextlib.suppress(asyncio.CancelledError):
                await self._journal.changed()

    async def _exchange(self, request: web.Request, record: RecordedRequest) -> web.StreamResponse:
        record.body, oversized = await _read(request)
        headers = {name.lower(): value for name, value in reversed(record.headers)}
        if who := self.credentials.identify(headers, dict(request.query)):
            record.credential_kind, record.credential = who
        call = Call(
            number=record.number,
            method=record.method,
            path=record.path,
            query=dict(request.query),
            headers=headers,
            body=record.body,
            at=record.received_at,
            credential_kind=record.credential_kind,
            oversized=oversized,
        )
        record.fault, fault = self._plan.take(record.credential, record.path) or (None, None)
        answer = self._vendor.refusal(call, fault) if fault else None
        answer = answer or self._vendor.answer(call, self.credentials)
        length = len(answer.body)
        if fault:
            answer = reshape(answer, fault, self._vendor.stream_error(call, fault))
            length = len(answer.body) if fault.kind is FaultKind.GZIP else length
        pace = (
            Pace(fault.seconds, fault.event_seconds) if fault and fault.kind is FaultKind.SLOW else Pace(0, self._pace)
        )
        return await deliver(request, record, answer, length, fault, pace, self._holds.gate(record.fault or ""))


async def _read(request: web.Request) -> tuple[bytes, bool]:
    """Return the body and whether it went over the vendor's limit (then only what was read until there)."""
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            return bytes(body), True
    return bytes(body), False
