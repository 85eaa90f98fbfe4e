"""An answer on its way to the client, wherever it comes from: the vendor, or a canary pod that asked the vendor."""

from dataclasses import dataclass

import aiohttp
from multidict import CIMultiDict

from headgate_api import names
from headgate_proxy.edge.attempts import Answered
from headgate_proxy.edge.exchange import SERVER, Exchange
from headgate_proxy.identity.responses import Reverser
from headgate_proxy.routing.provider import Provider
from headgate_proxy.selection.explain import fallback_header
from headgate_proxy.tracks.endpoints import Lease
from headgate_proxy.tracks.wire import passed_headers
from headgate_proxy.upstream.response_headers import client_headers


@dataclass(frozen=True, slots=True)
class Passing:
    """A response whose head is there. ``head`` is what was read of its body; ``lease`` the hold on a canary pod, if it is one's.

    ``reverser`` stands between the upstream's body and the client's where an identity profile is to be taken off.
    """

    response: aiohttp.ClientResponse
    headers: CIMultiDict[str]
    idle_seconds: float
    head: bytes = b""
    lease: Lease | None = None
    reverser: Reverser | None = None


def from_upstream(exchange: Exchange, answered: Answered, provider: Provider) -> Passing:
    """Return the vendor's answer with what Headgate says of it."""
    selection = answered.selection
    headers = client_headers(answered.response.headers.items(), selection.held.secret)
    headers.setdefault("server", SERVER)
    headers[names.HEADER_REQUEST_ID] = exchange.request_id
    headers[names.HEADER_PROVIDER] = provider.label
    headers[names.HEADER_AUTH_MODE] = selection.mode
    reasons = fallback_header(selection)
    if reasons:
        headers[names.HEADER_FALLBACK_REASON] = reasons
    if exchange.marks:
        headers.update(exchange.marks)
    idle = provider.spec.timeouts.idle_seconds
    return Passing(answered.response, headers, idle, answered.head, reverser=answered.reverser)


def from_canary(exchange: Exchange, response: aiohttp.ClientResponse, lease: Lease, idle_seconds: float) -> Passing:
    """Return a canary pod's answer as it is: it says of itself what there is to say."""
    headers = passed_headers(response.headers.items())
    headers[names.HEADER_REQUEST_ID] = exchange.request_id
    return Passing(response, headers, idle_seconds, lease=lease)
