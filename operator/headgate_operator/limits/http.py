"""Carries one question to a usage endpoint: an origin that the token is bound to, no redirects, one deadline, a bounded answer."""

import asyncio
import ssl
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.resolver import DefaultResolver

from headgate_api.origins import is_private_host, origin_of
from headgate_api.secret import Secret
from headgate_runtime.public_resolver import AddressNotAllowedError, PublicResolver

DEADLINE_SECONDS: Final = 15.0
MAX_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Question:
    """One GET. Headers hold the token and do not show when printed."""

    url: str
    headers: dict[str, Secret] = field(repr=False)
    ca_bundle: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; ``retry_after`` as the vendor wrote it."""

    status: int
    content: bytes = field(repr=False)
    retry_after: str | None = None


class NotAsked(Exception):  # noqa: N818 - what happened
    """No answer came, or the question may not be sent at all: the message says why, and what to mend."""


class UsageHttp:
    """The adapter. ``resolver`` stands in for DNS in tests."""

    def __init__(self, *, deadline_seconds: float = DEADLINE_SECONDS, resolver: AbstractResolver | None = None) -> None:
        self._deadline = deadline_seconds
        self._resolver = resolver

    async def ask(self, question: Question, *, origins: Collection[str], private_addresses: bool) -> Answer:
        """Return the vendor's answer. Raises NotAsked."""
        context = _context(question, origins, private_addresses)
        try:
            async with asyncio.timeout(self._deadline):
                return await self._exchange(question, context, private_addresses)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            why = _explained(error, self._deadline)
        raise NotAsked(why)  # outside the handler, so that no error that knows the request hangs on ours

    async def _exchange(self, question: Question, context: ssl.SSLContext, private_addresses: bool) -> Answer:
        inner = self._resolver or DefaultResolver()
        connector = aiohttp.TCPConnector(
            ssl=context, force_close=True, resolver=inner if private_addresses else PublicResolver(inner)
        )
        headers = {name: value.reveal() for name, value in question.headers.items()} | {"accept-encoding": "identity"}
        async with (
            aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.get(question.url, headers=headers, allow_redirects=False) as response,
        ):
            content = bytearray()
            async for piece in response.content.iter_chunked(16 * 1024):
                content += piece
                if len(content) > MAX_BYTES:
                    raise ValueError("too long")
            return Answer(response.status, bytes(content), response.headers.get("retry-after"))


def _context(question: Question, origins: Collection[str], private_addresses: bool) -> ssl.SSLContext:
    try:
        origin = origin_of(question.url)
    except ValueError:
        raise NotAsked("the endpoint is no usable URL") from None
    if not question.url.startswith("https://"):
        raise NotAsked(f"{origin} is plain HTTP; write an https:// endpoint")
    if origin not in origins:
        raise NotAsked(f"the account's token is not bound to {origin}")
    if is_private_host(question.url) and not private_addresses:
        raise NotAsked(f"{origin} is on a private address or an in-cluster name, and no ProxyFleet here allows those")
    try:
        return ssl.create_default_context(cadata=question.ca_bundle)
    except ssl.SSLError:
        raise NotAsked("the provider's spec.tls.caBundle holds no readable certificate") from None


def _explained(error: BaseException, deadline: float) -> str:
    match error:
        case AddressNotAllowedError():
            return str(error)
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            return "the vendor's certificate is not trusted; name its authority in the provider's spec.tls.caBundle"
        case TimeoutError():
            return f"the vendor did not answer within {deadline:.0f} s"
        case aiohttp.ClientConnectorError():
            return "the vendor cannot be reached"
        case ValueError():
            return f"the vendor's answer is longer than {MAX_BYTES} bytes"
        case _:
            return "the connection to the vendor broke off"
