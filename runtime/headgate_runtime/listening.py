"""One way to open a listening socket: dual-stack where the machine has IPv6, plain IPv4 where it has not.

A wildcard host given to asyncio opens one socket per family, on different ports when the port is 0, and fails in
containers whose kernel has IPv6 compiled in but switched off.
"""

import contextlib
import socket
from typing import Final

BACKLOG: Final = 1024


def listening_socket(port: int, host: str | None = None) -> socket.socket:
    """Return a bound, listening, non-blocking TCP socket; ``host`` None means every address, ``port`` 0 a free one.

    Raises OSError naming host and port when the port is taken or may not be opened.
    """
    try:
        made = _open(port, host)
    except OSError as error:
        raise OSError(error.errno, f"cannot listen on {host or '*'}:{port}: {error.strerror}") from error
    made.setblocking(False)
    return made


def _open(port: int, host: str | None) -> socket.socket:
    if host is not None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    if socket.has_dualstack_ipv6():
        with contextlib.suppress(OSError):  # IPv6 switched off, or the port is taken: IPv4 tells which
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=BACKLOG)
    return socket.create_server(("", port), family=socket.AF_INET, backlog=BACKLOG)


def port_of(listening: socket.socket) -> int:
    """Return the port a socket is bound to."""
    return int(listening.getsockname()[1])
