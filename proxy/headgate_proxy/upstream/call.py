"""One upstream call: sends the client's body with one credential and returns the response's head, or how it failed."""

import io
import ssl
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from headgate_proxy.routing.provider import Provider
from headgate_proxy.selection.states import Selection
from headgate_proxy.upstream.modes import MODES, Operation, credential_header
from headgate_proxy.upstream.request_headers import upstream_headers
from headgate_proxy.upstream.sessions import Sessions
from headgate_proxy.upstream.target import target_url

_WHOLE: Final = 512 * 1024
"""Larger bodies are handed to the transport piece by piece, so that the event loop is not held up by one copy."""


@dataclass(frozen=True, slots=True)
class Call:
    """What stays the same over the attempts of one request."""

    provider: Provider
    operation: Operation
    query: str
    headers: Iterable[tuple[str, str]]
    body: bytes
    private_addresses: bool


class UpstreamError(Exception):
    """No response came; ``timed_out`` tells whether the wait was too long. The message is for people and holds no secret."""

    def __init__(self, message: str, *, timed_out: bool = False) -> None:
        super().__init__(message)
        self.timed_out = timed_out


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request ready to be sent."""

    url: URL
    headers: CIMultiDict[str]


def prepare(call: Call, selection: Selection, traceparent: str | None) -> Prepared:
    """Build one attempt from the client's own request; nothing is carried over from an earlier attempt."""
    return Prepared(
        target_url(call.provider, selection.mode, call.operation, call.query),
        upstream_headers(
            call.headers,
            extra=call.provider.spec.headers,
            credential=credential_header(selection.mode, selection.held, call.provider),
            betas=MODES[selection.mode].betas,
            traceparent=traceparent,
        ),
    )


async def send(
    sessions: Sessions, call: Call, prepared: Prepared, *, sampled: bool, limit: AbstractAsyncContextManager[object]
) -> aiohttp.ClientResponse:
    """Return the upstream's response once its head is there; the caller closes it. Raises UpstreamError.

    ``limit`` bounds the wait with a TimeoutError of its own: it is the caller's, so that stopping the proxy can cut it short.
    """
    timeouts = call.provider.spec.timeouts
    session = sessions.session(private_addresses=call.private_addresses, sampled=sampled)
    body: bytes | io.BytesIO = call.body if len(call.body) <= _WHOLE else io.BytesIO(call.body)
    where = call.provider.origin
    try:
        async with limit:
            return await session.post(
                prepared.url,
                data=body,
                headers=prepared.headers,
                allow_redirects=False,
                ssl=sessions.tls(call.provider),
                timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_connect=timeouts.connect_seconds),
            )
    except aiohttp.ConnectionTimeoutError as error:
        raise UpstreamError(
            f"{where} did not accept a connection within {timeouts.connect_seconds} s", timed_out=True
        ) from error
    except TimeoutError as error:
        raise UpstreamError(f"{where} did not answer within {timeouts.first_byte_seconds} s", timed_out=True) from error
    except (aiohttp.ClientError, OSError, ssl.SSLError) as error:
        raise UpstreamError(_sentence(where, error)) from error


def _sentence(where: str, error: Exception) -> str:
    """Say what went wrong without the library's own words, which may quote what was sent or received."""
    match error:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError() | ssl.SSLError():
            return f"{where}: the TLS handshake failed; check the endpoint and spec.tls.caBundle"
        case aiohttp.ClientConnectorDNSError() | aiohttp.ClientConnectorError():
            return f"{where}: no connection ({error.os_error.strerror or type(error.os_error).__name__})"
        case aiohttp.ClientPayloadError() | aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError():
            return f"{where}: the connection broke off before an answer came"
        case _:
            return f"{where}: {type(error).__name__}"
