"""An answer of the gate's own in place of the upstream's, in no protocol's words: the client's dialect gives it its envelope."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class ErrorType(StrEnum):
    """What kind of refusal it is: the same words in every log and metric, whatever the client is told."""

    INVALID_REQUEST = "invalid_request_error"
    AUTHENTICATION = "authentication_error"
    PERMISSION = "permission_error"
    NOT_FOUND = "not_found_error"
    TOO_LARGE = "request_too_large"
    RATE_LIMIT = "rate_limit_error"
    TIMEOUT = "timeout_error"
    API = "api_error"
    OVERLOADED = "overloaded_error"


@dataclass(frozen=True, slots=True)
class Refusal:
    """An HTTP status, a kind, and a message with the mend for people.

    ``retry`` False tells client libraries not to try again by themselves: a person has to mend something first.
    """

    status: int
    type: ErrorType
    message: str
    retry: bool = True


_SHOWN: Final = 100


def shown(text: str) -> str:
    """Return what a caller sent as an error message may repeat it: quoted, and not at any length."""
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")
