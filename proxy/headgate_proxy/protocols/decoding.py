"""Decoding what a client or upstream sent: whatever it is, there is a value or None, and never an error."""

from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

_T = TypeVar("_T")
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What a decoder raises: of other JSON, of no JSON, of other text than UTF-8, of JSON nested without end."""


def decoded(decode: Callable[[bytes], _T], data: bytes) -> _T | None:
    """Return what ``decode`` (of a msgspec Decoder) makes of the data, or None where it is something else."""
    try:
        return decode(data)
    except _UNREADABLE:
        return None
