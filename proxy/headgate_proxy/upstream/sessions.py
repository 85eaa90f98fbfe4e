"""The client sessions towards upstreams: pooled, without cookies, and never following a redirect.

Two kinds for two questions: may this fleet reach private addresses, and is this request traced. Tracing costs more than the
rest of a request together, so the sessions of requests that are not sampled know nothing of it (speed budget).
"""

import hashlib
import ssl
from collections.abc import Sequence
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver

from headgate_proxy.routing.provider import Provider
from headgate_proxy.upstream.connector import Connector
from headgate_runtime.public_resolver import PublicResolver

_POOL: Final = 4096
_KEEPALIVE_SECONDS: Final = 15.0
"""Shorter than vendors keep an idle connection, so that a request seldom meets one that is just being closed."""
_DNS_SECONDS: Final = 10
_CONTEXTS: Final = 256
_MAX_HEADER_BYTES: Final = 32 * 1024


class Sessions:
    """Opens its sessions as they are first needed; ``close`` ends them all."""

    def __init__(
        self, trace_configs: Sequence[aiohttp.TraceConfig] = (), resolver: AbstractResolver | None = None
    ) -> None:
        self._trace_configs = list(trace_configs)
        self._resolver = resolver
        self._sessions: dict[tuple[bool, bool], aiohttp.ClientSession] = {}
        self._contexts: dict[bytes, ssl.SSLContext] = {}

    def session(self, *, private_addresses: bool, sampled: bool) -> aiohttp.ClientSession:
        """Return the session for a request."""
        key = (private_addresses, sampled)
        session = self._sessions.get(key)
        if session is None:
            session = self._sessions[key] = self._open(private_addresses, sampled)
        return session

    def tls(self, provider: Provider) -> ssl.SSLContext | bool:
        """Return whom to trust for a provider: its ``tls.caBundle``, or True for the system's authorities.

        Raises ssl.SSLError when the bundle holds no usable certificate.
        """
        bundle = provider.spec.tls.ca_bundle if provider.spec.tls is not None else None
        if bundle is None:
            return True
        digest = hashlib.sha256(bundle.encode()).digest()
        context = self._contexts.get(digest)
        if context is None:
            if len(self._contexts) >= _CONTEXTS:
                self._contexts.pop(next(iter(self._contexts)))
            context = self._contexts[digest] = ssl.create_default_context(cadata=bundle)
        return context

    def _open(self, private_addresses: bool, sampled: bool) -> aiohttp.ClientSession:
        resolver = self._resolver if private_addresses else PublicResolver(self._resolver)
        connector = Connector(
            limit=_POOL, resolver=resolver, ttl_dns_cache=_DNS_SECONDS, keepalive_timeout=_KEEPALIVE_SECONDS
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None),
            trace_configs=self._trace_configs if sampled else None,
            skip_auto_headers=("User-Agent", "Accept", "Content-Type"),
            trust_env=False,
            max_line_size=_MAX_HEADER_BYTES,
            max_field_size=_MAX_HEADER_BYTES,
        )

    async def close(self) -> None:
        """Close every session and its connections."""
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()
