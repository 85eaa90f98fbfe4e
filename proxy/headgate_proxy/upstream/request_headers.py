"""The headers of an upstream request, built anew from the client's for every attempt.

Nothing of one mode can so survive into the next (S1.3). The client's identity (``user-agent``, ``x-app``, ``x-stainless-*``)
and its betas pass through: Headgate neither forges nor hides who asks (B11).
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from multidict import CIMultiDict

from headgate_proxy.upstream.sensitive import may_clients_send, may_go_upstream

_CONNECTION: Final = "connection"


@lru_cache(maxsize=4096)
def _passes(name: str, beta_header: str | None) -> bool:
    """Tell whether a client's header goes on as it is: one look-up for each, since requests carry many."""
    return may_clients_send(name) and name.lower() != beta_header


def upstream_headers(
    client: Iterable[tuple[str, str]],
    *,
    extra: Mapping[str, str],
    credential: tuple[str, str],
    account: tuple[str, str] | None,
    beta_header: str | None,
    betas: Iterable[str],
    traceparent: str | None,
) -> CIMultiDict[str]:
    """Return the headers to send.

    ``client`` are the caller's (name, value) pairs; ``extra`` the provider's own, which replace the caller's of the same
    name; ``credential``, ``account`` (the vendor's id of it) and ``betas`` are the mode's. ``beta_header`` is the protocol's own,
    lower case: everybody's values of it are merged. ``accept-encoding: identity`` always: usage is read from the bytes on
    their way, and a compressed stream would hold events back.
    """
    kept: list[tuple[str, str]] = []
    asked: list[str] = []
    one_hop: set[str] = set()
    for pair in client:
        if _passes(pair[0], beta_header):
            kept.append(pair)
        elif (name := pair[0].lower()) == beta_header:
            asked.append(pair[1])
        elif name == _CONNECTION:
            one_hop.update(option.strip().lower() for option in pair[1].split(","))
    headers = CIMultiDict(kept)
    for name in one_hop:
        headers.popall(name, None)
    for name, value in extra.items():
        if name.lower() == beta_header:
            asked.append(value)
        elif may_go_upstream(name):
            headers[name] = value
    if beta_header is not None and (merged := _merge(asked, betas)):
        headers[beta_header] = merged
    headers["accept-encoding"] = "identity"
    if traceparent is not None:
        headers["traceparent"] = traceparent
    if account is not None:
        headers[account[0]] = account[1]
    headers[credential[0]] = credential[1]
    return headers


def _merge(asked: Iterable[str], betas: Iterable[str]) -> str:
    """Return the comma list of all betas: the client's in its own order first, each once."""
    named = [beta.strip() for value in asked for beta in value.split(",")]
    return ",".join(dict.fromkeys([*(beta for beta in named if beta), *betas]))
