"""Replaces pieces of a body, leaving every other byte as it was."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Edit:
    """``data[start:end]`` becomes ``new``; an insertion where both are the same."""

    start: int
    end: int
    new: bytes


def spliced(data: bytes, edits: Iterable[Edit]) -> bytes:
    """Return the data with all edits made; they do not overlap, and of insertions at one place the first comes first."""
    pieces: list[bytes] = []
    copied = 0
    for edit in sorted(edits, key=lambda e: (e.start, e.end)):
        pieces += (data[copied : edit.start], edit.new)
        copied = edit.end
    if not pieces:
        return data
    pieces.append(data[copied:])
    return b"".join(pieces)
