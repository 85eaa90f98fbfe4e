"""The paths this server answers: the vendors' own, also below a prefix each, for clients that keep several vendors apart."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from headgate_proxy.anthropic.dialect import ANTHROPIC
from headgate_proxy.protocols.dialect import Dialect
from headgate_proxy.protocols.operation import PATHS, Operation


@dataclass(frozen=True, slots=True)
class Served:
    """One path: the method it takes, the protocol spoken there, and the operation behind it.

    ``operation`` None: about models, which asks no upstream. ``label`` names the path to telemetry; ``model`` is the one in the
    path, None where there is none.
    """

    label: str
    method: str
    dialect: Dialect
    operation: Operation | None
    model: str | None = None

    @property
    def wants(self) -> str:
        """Return what a provider must answer to serve this: the operation, or the protocol alone."""
        return self.dialect.protocol if self.operation is None else self.operation


_ANTHROPIC: Final = ("", "/claude")
_MODELS: Final = "/v1/models"
SERVED: Final[Mapping[str, Served]] = {
    **{
        prefix + PATHS[operation]: Served(prefix + PATHS[operation], "POST", ANTHROPIC, operation)
        for prefix in _ANTHROPIC
        for operation in (Operation.MESSAGES, Operation.COUNT_TOKENS)
    },
    **{prefix + _MODELS: Served(prefix + _MODELS, "GET", ANTHROPIC, None) for prefix in _ANTHROPIC},
}

UNKNOWN: Final = "unknown"
"""What telemetry calls every path that is not served."""
LISTED: Final = ", ".join((*SERVED, *(f"{prefix}{_MODELS}/{{model}}" for prefix in _ANTHROPIC)))
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
        return Served(match[1] + "{model}", "GET", ANTHROPIC, None, unquote(match[2]))
    return served
