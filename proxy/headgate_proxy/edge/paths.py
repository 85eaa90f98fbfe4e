"""The paths this server answers: the vendors' own, also below a prefix each, for clients that keep several vendors apart."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from headgate_proxy.anthropic.dialect import ANTHROPIC
from headgate_proxy.openai.dialect import CHAT, OPENAI, RESPONSES
from headgate_proxy.protocols.dialect import Dialect
from headgate_proxy.protocols.operation import PATHS, Operation


@dataclass(frozen=True, slots=True)
class Served:
    """One path: the method it takes, the protocol spoken there, and the operation behind it.

    ``operation`` None: about models, which asks no upstream. ``label`` names the path to telemetry; ``model`` is the one in the
    path, None where there is none. ``versioned`` is what it is instead for clients that send ``anthropic-version``.
    """

    label: str
    method: str
    dialect: Dialect
    operation: Operation | None
    model: str | None = None
    versioned: "Served | None" = None

    @property
    def wants(self) -> str:
        """Return what a provider must answer to serve this: the operation, or the protocol alone."""
        return self.dialect.protocol if self.operation is None else self.operation


_CLAUDE: Final = ("", "/claude")
_OPENAI: Final = ("", "/openai")
_CODEX: Final = "/backend-api/codex/responses"
"""Where the plan's backend has it: for clients that are told to use another base URL than that one."""
_MODELS: Final = "/v1/models"


def _posts(dialect: Dialect, operation: Operation, prefixes: tuple[str, ...]) -> dict[str, Served]:
    return {p + PATHS[operation]: Served(p + PATHS[operation], "POST", dialect, operation) for p in prefixes}


def _models(path: str, label: str, model: str | None = None) -> Served:
    """Return what is served about models; where two vendors have one path, a client of Anthropic's names a version."""
    anthropic = Served(label, "GET", ANTHROPIC, None, model)
    if path.startswith("/claude/"):
        return anthropic
    return Served(label, "GET", OPENAI, None, model, None if path.startswith("/openai/") else anthropic)


SERVED: Final[Mapping[str, Served]] = {
    **_posts(ANTHROPIC, Operation.MESSAGES, _CLAUDE),
    **_posts(ANTHROPIC, Operation.COUNT_TOKENS, _CLAUDE),
    **_posts(CHAT, Operation.CHAT, _OPENAI),
    **_posts(RESPONSES, Operation.RESPONSES, _OPENAI),
    _CODEX: Served(_CODEX, "POST", RESPONSES, Operation.RESPONSES),
    **{p + _MODELS: _models(p + _MODELS, p + _MODELS) for p in ("", "/claude", "/openai")},
}

UNKNOWN: Final = "unknown"
"""What telemetry calls every path that is not served."""
LISTED: Final = ", ".join((*SERVED, *(f"{prefix}{_MODELS}/{{model}}" for prefix in ("", "/claude", "/openai"))))
"""The paths served, for people."""
_ABSOLUTE: Final = re.compile(r"\Ahttps?://[^/?#]*", re.IGNORECASE)
_MODEL: Final = re.compile(r"((?:/claude|/openai)?/v1/models/)([^/]+)")
_VERSION: Final = "anthropic-version"
_OF_OPENAI: Final = ("/openai/", "/backend-api/", "/v1/chat/", "/v1/responses/")


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
        return _models(path, match[1] + "{model}", unquote(match[2]))
    return served


def spoken(served: Served, headers: Mapping[str, str]) -> Served:
    """Return what is served to a client that sends these headers."""
    return served.versioned if served.versioned is not None and _VERSION in headers else served


def dialect_at(target: str, headers: Mapping[str, str]) -> Dialect:
    """Return the protocol that a client probably speaks which asks for what is not served."""
    path = path_of(target)
    if path.startswith("/claude/") or _VERSION in headers:
        return ANTHROPIC
    return (
        OPENAI
        if path.startswith(_OF_OPENAI) or (path.startswith("/v1/") and not path.startswith("/v1/messages"))
        else ANTHROPIC
    )
