"""Which headers of an upstream's response reach the client: the end-to-end ones, unchanged and in order."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from multidict import CIMultiDict

from headgate_api import names
from headgate_api.secret import Secret
from headgate_proxy.upstream.masking import masked_text
from headgate_proxy.upstream.sensitive import HOP_BY_HOP

NOT_FOR_CLIENTS: Final = frozenset(
    {
        "content-length",  # set anew where the upstream told it
        "set-cookie",
        "set-cookie2",
        "alt-svc",  # would lead the client past the gate, straight to the vendor
        "strict-transport-security",
        "clear-site-data",
        "location",
        "refresh",
        "www-authenticate",
    }
)


@lru_cache(maxsize=4096)
def _may_come_back(name: str) -> bool:
    lower = name.lower()
    return lower not in HOP_BY_HOP and lower not in NOT_FOR_CLIENTS and not lower.startswith(names.HEADER_PREFIX)


def client_headers(upstream: Iterable[tuple[str, str]], secret: Secret) -> CIMultiDict[str]:
    """Return what passes on of the upstream's (name, value) pairs; should one repeat the credential, it is masked."""
    headers: CIMultiDict[str] = CIMultiDict()
    one_hop: set[str] = set()
    hidden = secret.reveal()
    for name, value in upstream:
        if _may_come_back(name):
            headers.add(name, masked_text(value, secret) if hidden in value else value)
        elif name.lower() == "connection":
            one_hop.update(option.strip().lower() for option in value.split(","))
    for name in one_hop:
        headers.popall(name, None)
    return headers
