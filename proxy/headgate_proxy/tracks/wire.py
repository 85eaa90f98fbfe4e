"""What stable and canary pods say to each other beside the request itself: headers that no client sees or may send."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Protocol

from multidict import CIMultiDict

from headgate_api import names
from headgate_proxy.upstream.response_headers import NOT_FOR_CLIENTS
from headgate_proxy.upstream.sensitive import HOP_BY_HOP

HEADER_TRACK_REASON: Final = f"{names.HEADER_TRACK}-reason"
"""On a response that stable gave although the request belongs to the canary: a ``TrackReason``."""
HEADER_REFUSED: Final = f"{names.HEADER_RELAY}-refused"
"""On a canary pod's answer to its peer: it did not take the request; a ``TrackReason``."""
HEADER_NOTES: Final = f"{names.HEADER_RELAY}-notes"
"""On a canary pod's answer to its peer: what happened on the way that the answer itself does not show."""
MORE_HEADERS: Final = 16
"""How many headers a relay adds at most, either way: what one pod took from a client or vendor, the other takes too."""
_AUTH_FAILED: Final = "auth-failed"
_FELL_BACK: Final = "fell-back"

_ANEW: Final = frozenset({"host", "content-length", "expect", "traceparent", "tracestate", names.HEADER_REQUEST_ID})
"""Request headers that the relay's own connection, or its own span, gives anew."""
_CREDENTIALS: Final = frozenset({"authorization", "x-api-key", "x-goog-api-key"})
_REQUEST_ID: Final = re.compile(r"hgreq_[0-9a-f]{24}")


class Headers(Protocol):
    """The one thing asked of request headers."""

    def getall(self, key: str, default: Sequence[str]) -> Sequence[str]:
        """Return every value of a header, or ``default``."""


@dataclass(frozen=True, slots=True)
class Notes:
    """What a request met on its way: an upstream's 401, 403 or 429, and the loss of its first auth mode."""

    auth_failed: bool = False
    fell_back: bool = False

    def header(self) -> str | None:
        """Return the header's value, or None when there is nothing to tell."""
        told = [word for word, is_so in ((_AUTH_FAILED, self.auth_failed), (_FELL_BACK, self.fell_back)) if is_so]
        return ", ".join(told) or None

    @classmethod
    def read(cls, value: str | None) -> "Notes":
        """Read the header's value."""
        words = {word.strip() for word in value.split(",")} if value else set()
        return cls(_AUTH_FAILED in words, _FELL_BACK in words)


@lru_cache(maxsize=4096)
def _relayed(name: str) -> bool:
    lower = name.lower()
    return lower not in HOP_BY_HOP and lower not in _ANEW and not lower.startswith(names.HEADER_RELAY)


@lru_cache(maxsize=4096)
def _passed(name: str) -> bool:
    lower = name.lower()
    return lower not in HOP_BY_HOP and lower not in NOT_FOR_CLIENTS and not lower.startswith(names.HEADER_RELAY)


def relay_headers(
    client: Iterable[tuple[str, str]], *, rollout: str, token: str, request_id: str, traceparent: str | None
) -> CIMultiDict[str]:
    """Return the headers of a relayed request: the client's, its credential included, and this pod's own token."""
    headers = _end_to_end(client, _relayed)
    headers[names.HEADER_RELAY] = rollout
    headers[names.HEADER_REQUEST_ID] = request_id
    headers[names.HEADER_RELAY_TOKEN] = token
    if traceparent is not None:
        headers["traceparent"] = traceparent
    return headers


def relayed_id(headers: Headers) -> str | None:
    """Return the id that the stable pod gave a relayed request; None where it gave none."""
    ids = headers.getall(names.HEADER_REQUEST_ID, ())
    return ids[0] if len(ids) == 1 and _REQUEST_ID.fullmatch(ids[0]) is not None else None


def passed_headers(canary: Iterable[tuple[str, str]]) -> CIMultiDict[str]:
    """Return what of a canary pod's response headers goes on to the client."""
    return _end_to_end(canary, _passed)


def _end_to_end(pairs: Iterable[tuple[str, str]], passes: Callable[[str], bool]) -> CIMultiDict[str]:
    headers: CIMultiDict[str] = CIMultiDict()
    one_hop: set[str] = set()
    for name, value in pairs:
        if passes(name):
            headers.add(name, value)
        elif name.lower() == "connection":
            one_hop.update(option.strip().lower() for option in value.split(","))
    for name in one_hop:
        if name not in _CREDENTIALS and not name.startswith(
            names.HEADER_PREFIX
        ):  # a hop is the gate, not one of its pods
            headers.popall(name, None)
    return headers
