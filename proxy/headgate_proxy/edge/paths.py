"""The paths this server answers: the vendors' own, also below a prefix each, for clients that keep several vendors apart.

Three vendors answer about models at ``/v1/models``: what a client sends with it tells which one it means.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import unquote

from headgate_proxy.anthropic.dialect import ANTHROPIC
from headgate_proxy.gemini.dialect import GEMINI, GEMINI_STREAM
from headgate_proxy.openai.dialect import CHAT, OPENAI, RESPONSES
from headgate_proxy.protocols.dialect import Dialect
from headgate_proxy.protocols.operation import PATHS, Operation


@dataclass(frozen=True, slots=True)
class Served:
    """One path: the method it takes, the protocol spoken there, and the operation behind it.

    ``operation`` None: about models, which asks no upstream. ``label`` names the path to telemetry. ``model`` and ``version`` (of
    the API) are those in the path, for protocols that have them there. ``shared``: other vendors have this path too, and nothing
    tells yet which of them is meant.
    """

    label: str
    method: str
    dialect: Dialect
    operation: Operation | None
    model: str | None = None
    version: str = ""
    shared: bool = False

    @property
    def wants(self) -> str:
        """Return what a provider must answer to serve this: the operation, or the protocol alone."""
        return self.dialect.protocol if self.operation is None else self.operation


_PREFIXES: Final = {"/claude": ANTHROPIC, "/openai": OPENAI, "/gemini": GEMINI}
_CODEX: Final = "/backend-api/codex/responses"
"""Where the plan's backend has it: for clients that are told to use another base URL than that one."""
_POSTED: Final = (
    (ANTHROPIC, Operation.MESSAGES, "/claude"),
    (ANTHROPIC, Operation.COUNT_TOKENS, "/claude"),
    (CHAT, Operation.CHAT, "/openai"),
    (RESPONSES, Operation.RESPONSES, "/openai"),
)
_METHODS: Final = {
    "generateContent": (GEMINI, Operation.GENERATE_CONTENT),
    "streamGenerateContent": (GEMINI_STREAM, Operation.STREAM_GENERATE_CONTENT),
    "countTokens": (GEMINI, Operation.COUNT_CONTENT_TOKENS),
}
_LISTS: Final = (
    Served("/v1/models", "GET", OPENAI, None, shared=True),
    *(Served(prefix + "/v1/models", "GET", dialect, None) for prefix, dialect in _PREFIXES.items()),
    *(Served(prefix + "/v1beta/models", "GET", GEMINI, None) for prefix in ("", "/gemini")),
)
SERVED: Final[Mapping[str, Served]] = {
    served.label: served
    for served in (
        *(
            Served(prefix + PATHS[operation], "POST", dialect, operation)
            for dialect, operation, own in _POSTED
            for prefix in ("", own)
        ),
        Served(_CODEX, "POST", RESPONSES, Operation.RESPONSES),
        *_LISTS,
    )
}

UNKNOWN: Final = "unknown"
"""What telemetry calls every path that is not served."""
LISTED: Final = ", ".join(
    (
        *SERVED,
        *(f"{served.label}/{{model}}" for served in _LISTS),
        *(f"{prefix}/v1beta/models/{{model}}:{method}" for prefix in ("", "/gemini") for method in _METHODS),
    )
)
"""The paths served, for people."""
_ABSOLUTE: Final = re.compile(r"\Ahttps?://[^/?#]*", re.IGNORECASE)
_MODEL: Final = re.compile(r"((?:/claude|/openai|/gemini)?/v1(?:beta)?/models)/([^/]+)")
_METHOD: Final = re.compile(rf"((?:/gemini)?/(v1(?:beta)?)/models)/([^/]+):({'|'.join(_METHODS)})")
_OWN: Final = {
    "/claude/": ANTHROPIC,
    "/v1/messages": ANTHROPIC,
    "/openai/": OPENAI,
    "/backend-api/": OPENAI,
    "/gemini/": GEMINI,
    "/v1beta/": GEMINI,
}
"""Whose paths begin so."""


def path_of(target: str) -> str:
    """Return a request target without scheme and host, which it has in absolute form."""
    return _ABSOLUTE.sub("", target, count=1)


def served_at(target: str) -> Served | None:
    """Return what is served at a path that is not in ``SERVED`` as it stands.

    That is a request target in absolute form, which every server must understand (RFC 9112, section 3.2.2), and paths
    with a model in them. Paths are taken as they are: no dots, double slashes or escapes lead anywhere else.
    """
    path = path_of(target)
    served = SERVED.get(path)
    if served is not None:
        return served
    if (match := _METHOD.fullmatch(path)) is not None:
        dialect, operation = _METHODS[match[4]]
        label = f"{match[1]}/{{model}}:{match[4]}"
        return Served(label, "POST", dialect, operation, unquote(match[3]), match[2])
    if (match := _MODEL.fullmatch(path)) is not None and (about := SERVED.get(match[1])) is not None:
        return replace(about, label=f"{match[1]}/{{model}}", model=unquote(match[2]))
    return None


def spoken(served: Served, headers: Mapping[str, str]) -> Served:
    """Return what is served to a client that sends these headers; it stays ``shared`` where they do not tell."""
    meant = _meant(headers) if served.shared else None
    return served if meant is None else replace(served, dialect=meant, shared=False)


def anthropic(served: Served) -> Served:
    """Return what a shared path is to a client of Anthropic's."""
    return replace(served, dialect=ANTHROPIC, shared=False)


def dialect_at(target: str, headers: Mapping[str, str]) -> Dialect:
    """Return the protocol that a client probably speaks which asks for what is not served."""
    path = path_of(target)
    own = next((dialect for start, dialect in _OWN.items() if path.startswith(start)), None)
    return own or _meant(headers) or OPENAI


def _meant(headers: Mapping[str, str]) -> Dialect | None:
    if "anthropic-version" in headers or "x-api-key" in headers:
        return ANTHROPIC
    return GEMINI if "x-goog-api-key" in headers or "x-goog-api-client" in headers else None
