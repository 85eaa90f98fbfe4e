"""Carries one request to an authorization server: its origin only, no redirects, one deadline, a bound on the answer.

Each request has a connection of its own: they are few, and nothing of one account's is left for the next.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Collection
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.resolver import DefaultResolver

from headgate_api.origins import is_private_host
from headgate_api.secret import Secret
from headgate_operator.oauth.answers import MAX_BYTES, HttpAnswer
from headgate_operator.oauth.requests import OAuthRequest
from headgate_runtime.public_resolver import AddressNotAllowedError, PublicResolver

DEADLINE_SECONDS: Final = 30.0
CONNECT_SECONDS: Final = 10.0


class NotSent(Exception):  # noqa: N818 - what happened
    """Nothing was sent: the server cannot have acted. The message says why, and what to mend."""


class AnswerLost(Exception):  # noqa: N818 - what happened
    """The request was sent and no whole answer came: the server may have acted on it."""


class OAuthHttp:
    """The adapter. ``resolver`` stands in for DNS in tests."""

    def __init__(self, *, deadline_seconds: float = DEADLINE_SECONDS, resolver: AbstractResolver | None = None) -> None:
        self._deadline = deadline_seconds
        self._resolver = resolver

    async def send(
        self,
        request: OAuthRequest,
        *,
        origins: Collection[str],
        private_addresses: bool = False,
        last_check: Callable[[], None] = lambda: None,
    ) -> HttpAnswer:
        """Return the server's answer. ``last_check`` runs right before the body leaves; what it raises stops that.

        Raises NotSent or AnswerLost, or what ``last_check`` raised.
        """
        context = _context(request, origins, private_addresses)
        flight = _Flight(request.body, last_check)
        try:
            async with asyncio.timeout(self._deadline):
                return await self._exchange(request, context, flight, private_addresses)
        except BaseException as error:
            if flight.stopped is not None:
                raise flight.stopped from None
            if not isinstance(error, (aiohttp.ClientError, OSError, TimeoutError, _TooLong)):
                raise
            what = _explained(error, self._deadline, request)
        # Outside the handler, so that no error that knows the request hangs on ours.
        raise (AnswerLost if flight.sent else NotSent)(what)

    async def _exchange(
        self, request: OAuthRequest, context: ssl.SSLContext, flight: "_Flight", private_addresses: bool
    ) -> HttpAnswer:
        inner = self._resolver or DefaultResolver()
        connector = aiohttp.TCPConnector(
            ssl=context, force_close=True, resolver=inner if private_addresses else PublicResolver(inner)
        )
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
        headers = {name: value.reveal() for name, value in request.headers.items()}
        headers |= {"content-length": str(len(request.body.reveal().encode())), "accept-encoding": "identity"}
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.post(request.url, data=flight.body(), headers=headers, allow_redirects=False) as response,
        ):
            content = bytearray()
            async for piece in response.content.iter_chunked(16 * 1024):
                content += piece
                if len(content) > MAX_BYTES:
                    raise _TooLong
            found = {name.lower(): value for name, value in response.headers.items()}
            return HttpAnswer(response.status, found, Secret(content.decode("utf-8", "replace")))


class _TooLong(Exception):  # noqa: N818
    pass


class _Flight:
    """One request's body on its way: whether it left, or what stopped it at the last moment."""

    def __init__(self, content: Secret, last_check: Callable[[], None]) -> None:
        self._content = content
        self._last_check = last_check
        self.sent = False
        self.stopped: BaseException | None = None

    async def body(self) -> AsyncIterator[bytes]:
        try:
            self._last_check()
        except BaseException as error:
            self.stopped = error
            raise
        self.sent = True
        yield self._content.reveal().encode()


def _context(request: OAuthRequest, origins: Collection[str], private_addresses: bool) -> ssl.SSLContext:
    try:
        origin = request.origin
    except ValueError:
        raise NotSent(f"the endpoint is no usable URL; correct {request.endpoint_field}") from None
    if not request.url.startswith("https://"):
        raise NotSent(f"{origin} is plain HTTP; write an https:// endpoint")
    if origin not in origins:
        raise NotSent(f"the credential is not bound to {origin}")
    if is_private_host(request.url) and not private_addresses:
        raise NotSent(
            f"{origin} is on a private address or an in-cluster name; use a public host, or set "
            "spec.allowances.privateAddresses on the ProxyFleet"
        )
    try:
        return ssl.create_default_context(cadata=request.ca_bundle)
    except ssl.SSLError:
        raise NotSent(f"{request.ca_field} holds no readable certificate; write PEM certificates") from None


def _explained(error: BaseException, deadline: float, request: OAuthRequest) -> str:
    match error:
        case AddressNotAllowedError():
            return str(error)
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            return f"the vendor's certificate is not trusted; name its authority in {request.ca_field}"
        case aiohttp.ClientConnectorDNSError():
            return "the vendor's host name cannot be resolved"
        case aiohttp.ClientConnectorError():
            return "the vendor cannot be reached"
        case TimeoutError():
            return f"the vendor did not answer within {deadline:.0f} s"
        case _TooLong():
            return f"the vendor's answer is longer than {MAX_BYTES} bytes"
        case _:
            return "the connection to the vendor broke off"
