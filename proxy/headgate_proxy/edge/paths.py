"""The paths this server answers: the vendor's own, also under ``/claude``, for clients that keep several vendors apart."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from headgate_proxy.upstream.modes import Operation


@dataclass(frozen=True, slots=True)
class Served:
    """One path: the method it takes, and the operation behind it (None: about models, which asks no upstream).

    ``label`` names it to telemetry; ``model`` is the one asked about, None for all of them.
    """

    label: str
    method: str
    operation: Operation | None
    model: str | None = None


_PREFIXES: Final = ("", "/claude")
_PATHS: Final = {
    "/v1/messages": ("POST", Operation.MESSAGES),
    "/v1/messages/count_tokens": ("POST", Operation.COUNT_TOKENS),
    "/v1/models": ("GET", None),
}
SERVED: Final = {
    prefix + path: Served(prefix + path, method, operation)
    for prefix in _PREFIXES
    for path, (method, operation) in _PATHS.items()
}

UNKNOWN: Final = "unknown"
"""What telemetry calls every path that is not served."""
LISTED: Final = ", ".join((*SERVED, *(f"{prefix}/v1/models/{{model}}" for prefix in _PREFIXES)))
"""The paths served, for people."""
_ABSOLUTE: Final = re.compile(r"\Ahttps?://[^/?#]*", re.IGNORECASE)
_MODEL: Final = re.compile(r"((?:/claude)?/v1/models/)([^/]+)")


def path_of(target: str) -> str:
    """Return a request target without scheme and host, which it has in absolute form."""
    return _ABSOLUTE.sub("", target, count=1)


def served_at(target: str) -> Served | None:
    """Return what is served at a path that is not in ``SERVED`` as it stands.

    That is a request target in absolute form, which every server must understand (RFC 9112, section 3.2.2), and one
    model. Paths are taken as they are: no dots, double slashes or escapes lead anywhere else.
    """
    path = path_of(target)
    served = SERVED.get(path)
    if served is None and (match := _MODEL.fullmatch(path)) is not None:
        return Served(match[1] + "{model}", "GET", None, unquote(match[2]))
    return served
