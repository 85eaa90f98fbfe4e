"""Origins (RFC 6454) of endpoints: what a credential is bound to, and which endpoints need a fleet's allowance."""

import ipaddress
from typing import Final
from urllib.parse import urlsplit

_DEFAULT_PORTS: Final = {"https": 443, "http": 80}
_WRAPPING: Final = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("::/96"))
"""NAT64 (RFC 6052) and IPv4-compatible addresses (RFC 4291): the last 32 bits are an IPv4 address."""
_LOCAL_SUFFIXES: Final = (".localhost", ".local", ".internal", ".svc", ".cluster.local")


def origin_of(endpoint: str) -> str:
    """Return ``scheme://host[:port]`` of an endpoint: lower case, without a default port.

    Raises ValueError naming what is wrong, when the endpoint is not an absolute http(s) URL without user info.
    """
    parts = urlsplit(endpoint)
    if parts.scheme not in _DEFAULT_PORTS:
        raise ValueError(f"{endpoint!r} must begin with https:// (or http:// where the ProxyFleet allows it)")
    if not parts.hostname:
        raise ValueError(f"{endpoint!r} names no host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("an endpoint must not carry user information; put credentials into a Secret")
    port = parts.port  # raises ValueError itself when out of range
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    suffix = "" if port is None or port == _DEFAULT_PORTS[parts.scheme] else f":{port}"
    return f"{parts.scheme}://{host}{suffix}"


def is_plain_http(endpoint: str) -> bool:
    """Tell whether requests to this endpoint would travel unencrypted."""
    return urlsplit(endpoint).scheme == "http"


def is_private_address(address: str) -> bool:
    """Tell whether a literal IP address is anything but a globally routable unicast one.

    IPv4 addresses wrapped in IPv6 (mapped, compatible, 6to4, NAT64) are judged by the wrapped address. Not an address: False.
    """
    try:
        ip = ipaddress.ip_address(address.split("%", 1)[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        wrapped = ip.ipv4_mapped or ip.sixtofour
        if wrapped is None and any(ip in network for network in _WRAPPING):
            wrapped = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if wrapped is not None:
            return is_private_address(str(wrapped))
    return not ip.is_global or ip.is_multicast


def is_private_host(endpoint: str) -> bool:
    """Tell whether the endpoint's host is, by its spelling alone, inside the cluster, the machine or a private network.

    Names that resolve to private addresses are caught when a proxy connects (``is_private_address``).
    """
    host = (urlsplit(endpoint).hostname or "").rstrip(".")
    return (
        host == "localhost"
        or ("." not in host.strip("[]") and ":" not in host)
        or host.endswith(_LOCAL_SUFFIXES)
        or is_private_address(host)
    )
