"""One wire protocol as the edge sees it: pure functions from bytes to what must be known of them, and back (sans-IO).

A request is read, answered and refused in the dialect that its path belongs to. It goes only to providers that speak it, so that
bodies pass through as they are.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from headgate_api.reasons import AuthMode
from headgate_api.resources.limits import LimitWindow
from headgate_proxy.protocols.modes import ModeRule
from headgate_proxy.protocols.operation import Operation, ProtocolName
from headgate_proxy.protocols.readers import Reader
from headgate_proxy.refusal import Refusal
from headgate_proxy.selection.states import Failure


@dataclass(frozen=True, slots=True)
class RequestHead:
    """The two things of a request that decide its way."""

    model: str
    stream: bool


class ReadHead(Protocol):
    """Reads model and stream of a request."""

    def __call__(self, body: bytes, operation: Operation, model: str | None) -> RequestHead | Refusal:
        """Return them, or the 400 that says what is wrong; ``model`` is the one in the path, where the protocol has it there."""


def no_windows(_headers: Mapping[str, str], _now: datetime) -> tuple[LimitWindow, ...]:
    """Return nothing: for vendors whose responses do not tell of limits."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One protocol. What its members take is whatever a client or upstream sent: none of them raises.

    ``default_apis`` are those of a provider that names none. ``beta_header`` is a comma list that the client's value, the
    provider's and the mode's are merged in; ``request_id_header`` is where client libraries look for an answer's id, and
    ``credential_header`` is a header of this protocol alone in which clients may send their credential (others' is none
    here, and stays behind), ``credential_parameter`` a parameter of the query. ``first_token`` stands in the
    first piece of a stream that holds what the model says. ``replace_model`` returns a body that ``read_head`` accepted under
    another model's name, every other byte as it was. ``classify`` is told status, the beginning of the body
    (``failures.HEAD_BYTES`` at most), headers (any case) and time, and returns why an answer is a failure of the mode that got
    it, or None when it is the client's own. ``windows`` reads the limits that a response's headers tell of. ``last_event`` ends a
    stream of server-sent events that has begun.
    """

    protocol: ProtocolName
    modes: Mapping[AuthMode, ModeRule]
    default_apis: frozenset[str] = frozenset()
    beta_header: str | None
    request_id_header: str | None
    credential_header: str | None = None
    credential_parameter: str | None = None
    first_token: bytes
    read_head: ReadHead
    replace_model: Callable[[bytes, str], bytes]
    classify: Callable[[int, bytes, Mapping[str, str], datetime], Failure | None]
    windows: Callable[[Mapping[str, str], datetime], tuple[LimitWindow, ...]] = no_windows
    reader_for: Callable[[str, str | None], Reader]
    envelope: Callable[[Refusal, str], bytes]
    last_event: Callable[[Refusal, str], bytes]
    model_list: Callable[[Sequence[str]], bytes]
    model_info: Callable[[str], bytes]
