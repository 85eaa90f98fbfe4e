"""Which addresses a real node uses: chosen apart from what the machine already routes, so that several can run at once."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

CLUSTER_DNS: Final = "10.0.0.10"
"""The Service address of CoreDNS, in the service range of the control plane (10.0.0.0/24, inside the node only)."""

_CANDIDATES: Final = range(100, 250)


@dataclass(frozen=True)
class Addresses:
    """A link between the machine (``host``) and the node, and the pods' subnet behind the node. CIDRs as text."""

    host: str
    node: str
    link_prefix: int
    pods: str


def choose(routed: Iterable[str]) -> Addresses:
    """Return addresses of the first 10.N.0.0/16 that overlaps none of ``routed`` (CIDRs; other words are ignored).

    Raises LookupError when all are taken.
    """
    taken = [network for each in routed if (network := _network(each)) is not None]
    for second in _CANDIDATES:
        block = ipaddress.IPv4Network(f"10.{second}.0.0/16")
        if not any(block.overlaps(network) for network in taken):
            return Addresses(f"10.{second}.0.1", f"10.{second}.0.2", 30, f"10.{second}.1.0/24")
    raise LookupError(f"every network from 10.{_CANDIDATES[0]}.0.0/16 to 10.{_CANDIDATES[-1]}.0.0/16 is routed already")


def _network(text: str) -> ipaddress.IPv4Network | None:
    try:
        network = ipaddress.IPv4Network(text, strict=False)
    except ValueError:
        return None
    # The default route overlaps everything and forbids nothing.
    return network if network.prefixlen else None
