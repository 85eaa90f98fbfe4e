"""One upstream call: sends the client's body with one credential and returns the response's head, or how it failed."""

import io
import ssl
from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from headgate_api.reasons import AuthMode
from headgate_proxy.identity.requests import Dressed
from headgate_proxy.protocols.dialect import Dialect
from headgate_proxy.protocols.modes import ModeRule
from headgate_proxy.routing.provider import Provider
from headgate_proxy.selection.states import Held, Selection
from headgate_proxy.upstream.connector import LINE, past_stale
from headgate_proxy.upstream.modes import credential_header, rule_of
from headgate_proxy.upstream.request_headers import upstream_headers
from headgate_proxy.upstream.sessions import Sessions
from headgate_proxy.upstream.target import Place, target_url

WHOLE: Final = 512 * 1024
"""Larger bodies are handed to the transport piece by piece, so that the event loop is not held up by one copy."""


@dataclass(frozen=True, slots=True)
class Call:
    """What stays the same over the attempts of one request.

    ``unfit`` are the modes that cannot take the request, and why.
    """

    dialect: Dialect
    provider: Provider
    place: Place
    query: str
    headers: Iterable[tuple[str, str]]
    body: bytes
    private_addresses: bool
    unfit: Mapping[AuthMode, str]


class UpstreamError(Exception):
    """No response came; ``timed_out`` tells whether the wait was too long. The message is for people and holds no secret."""

    def __init__(self, message: str, *, timed_out: bool = False) -> None:
        super().__init__(message)
        self.timed_out = timed_out


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request ready to be sent."""

    url: URL
    origin: str
    headers: CIMultiDict[str]
    body: bytes


def prepare(call: Call, selection: Selection, dressed: Dressed, traceparent: str | None) -> Prepared:
    """Build one attempt from the client's own request; nothing is carried over from an earlier attempt. Raises UpstreamError.

    ``dressed`` is the body as the mode presents it, and the headers that belong to that.
    """
    try:
        url = target_url(call.provider, selection.mode, call.place, call.query)
    except ValueError:
        raise UpstreamError(
            "spec.endpoint is no URL that HTTP can use; write scheme and host only, as in https://api.anthropic.com"
        ) from None
    rule = rule_of(call.provider, selection.mode)
    headers = upstream_headers(
        call.headers,
        extra={**call.provider.spec.headers, **dressed.headers},
        credential=credential_header(selection.mode, selection.held, call.provider),
        account=_account(rule, selection.held),
        beta_header=call.dialect.beta_header,
        betas=rule.betas,
        traceparent=traceparent,
    )
    return Prepared(url, call.provider.at(selection.mode).origin, headers, dressed.body)


def _account(rule: ModeRule, held: Held) -> tuple[str, str] | None:
    return None if rule.account_header is None or held.account_id is None else (rule.account_header, held.account_id)


async def send(
    sessions: Sessions, call: Call, prepared: Prepared, *, sampled: bool, limit: AbstractAsyncContextManager[object]
) -> aiohttp.ClientResponse:
    """Return the upstream's response once its head is there; the caller closes it. Raises UpstreamError.

    ``limit`` bounds the wait with a TimeoutError of its own: it is the caller's, so that stopping the proxy can cut it short.
    """
    timeouts = call.provider.spec.timeouts
    where = prepared.origin
    try:
        async with limit:
            response = await _post(sessions, call, prepared, sampled)
    except aiohttp.ConnectionTimeoutError as error:
        raise UpstreamError(
            f"{where} did not accept a connection within {timeouts.connect_seconds} s", timed_out=True
        ) from error
    except TimeoutError as error:
        raise UpstreamError(f"{where} did not answer within {timeouts.first_byte_seconds} s", timed_out=True) from error
    except (aiohttp.ClientError, OSError, ssl.SSLError) as error:
        raise UpstreamError(_sentence(where, error)) from error
    except ValueError:  # aiohttp's last check of what it is to send; its words quote nothing, but may one day
        raise UpstreamError("a header cannot be sent; look for line breaks in the provider's spec.headers") from None
    if not 200 <= response.status < 600:
        response.close()
        raise UpstreamError(f"{where} answered with status {response.status}, which is no answer to a request")
    if (line := LINE.get()) is not None:
        line.content = response.content
    return response


async def _post(sessions: Sessions, call: Call, prepared: Prepared, sampled: bool) -> aiohttp.ClientResponse:
    session = sessions.session(private_addresses=call.private_addresses, sampled=sampled)
    timeout = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=call.provider.spec.timeouts.connect_seconds)
    tls = sessions.tls(call.provider)
    return await past_stale(
        lambda: session.post(
            prepared.url,
            data=prepared.body if len(prepared.body) <= WHOLE else io.BytesIO(prepared.body),
            headers=prepared.headers,
            allow_redirects=False,
            ssl=tls,
            timeout=timeout,
        )
    )


def _sentence(where: str, error: Exception) -> str:
    """Say what went wrong without the library's own words, which may quote what was sent or received."""
    match error:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError() | ssl.SSLError():
            return f"{where}: the TLS handshake failed; check the endpoint and spec.tls.caBundle"
        case aiohttp.ClientConnectorDNSError() | aiohttp.ClientConnectorError():
            return f"{where}: no connection ({error.os_error.strerror or type(error.os_error).__name__})"
        case aiohttp.ClientResponseError():
            return f"{where}: the answer was no valid HTTP/1.1"
        case aiohttp.ClientPayloadError() | aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError():
            return f"{where}: the connection broke off before an answer came"
        case _:
            return f"{where}: {type(error).__name__}"
