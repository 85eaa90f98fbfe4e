"""Free ports and readiness checks on the loopback interface."""

import socket
import ssl
from contextlib import ExitStack
from pathlib import Path

import httpx


def free_ports(count: int) -> list[int]:
    """Return ``count`` different TCP ports of 127.0.0.1 nobody listens on now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for bound in sockets:
            bound.bind(("127.0.0.1", 0))
        return [bound.getsockname()[1] for bound in sockets]


def answers(url: str, *, ca_file: Path | None = None, statuses: frozenset[int] = frozenset({200})) -> bool:
    """Tell whether a GET of ``url`` answers with one of ``statuses`` within two seconds."""
    verify: ssl.SSLContext | bool = ssl.create_default_context(cafile=ca_file) if ca_file else False
    try:
        return httpx.get(url, verify=verify, timeout=2.0, trust_env=False).status_code in statuses
    except (httpx.HTTPError, OSError):
        return False
