"""Where in a document the values stand that a profile concerns: declared as shapes, found in one pass over the bytes.

A shape names the few members that matter at each level; whatever it does not name is skipped, however deep it is nested. So
the walk recurses no deeper than the shapes do.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from headgate_proxy.protocols.scan import byte_at, first, member, resumed, text, value_end

_BRACE: Final = 0x7B
_BRACKET: Final = 0x5B
_CLOSING_BRACKET: Final = 0x5D


class Role(Enum):
    """What a value is to a profile."""

    NAME = auto()
    """The name of a tool that was called, chosen or referred to."""
    DECLARED = auto()
    """The name of a tool that the client declares."""
    BUILT_IN = auto()
    """The name of a tool that the vendor defines: it is the vendor's, and never mapped."""
    SYSTEM = auto()
    """The request's system context."""
    PARTS = auto()
    """What the system context consists of, where it is an object."""
    TURNS = auto()
    """The messages, where the system context is one of them."""
    SPEAKER = auto()
    """Who speaks in one of these messages."""
    WHOLE = auto()
    """A whole request, where it is a member of another."""


_NAMES: Final = frozenset({Role.NAME, Role.DECLARED})


@dataclass(frozen=True, slots=True)
class Shape:
    """A value: found itself when it has a ``role``; within it, ``members`` of an object or ``each`` element of an array.

    ``each`` also takes the place of an array that is left out around a single element, as JSON of protocol buffers may be.
    For an object with ``types``, its member ``type`` decides which role the names in it have (``other`` for any type that is not
    listed; None: none), unless the member called ``unless`` is there and not null.
    """

    role: Role | None = None
    members: Mapping[bytes, "Shape"] = field(default_factory=dict)
    each: "Shape | None" = None
    types: Mapping[str | None, Role | None] | None = None
    other: Role | None = None
    unless: bytes | None = None

    @property
    def judged(self) -> bool:
        """Tell whether the type of the object around the value decides about it."""
        return self.role in _NAMES


@dataclass(frozen=True, slots=True)
class Spot:
    """A value that was found: ``data[start:end]``, and the way to it, as in ``tools[3].name``."""

    role: Role
    start: int
    end: int
    where: tuple[bytes | int, ...]

    @property
    def field(self) -> str:
        """Return the way to the value as people write it."""
        steps = (f"[{step}]" if isinstance(step, int) else f".{step.decode(errors='replace')}" for step in self.where)
        return "".join(steps).removeprefix(".")


def find(data: bytes, shape: Shape, marks: Sequence[int] | None = None) -> list[Spot]:
    """Return what a shape finds in a document, in the document's order. Raises Malformed for what is no JSON.

    ``marks`` are positions, ascending: elements of arrays in which there is none are not looked into. Without them, all are.
    """
    walk = _Walk(data, marks)
    walk.value(first(data), shape)
    return sorted(walk.spots, key=lambda spot: spot.start)


class _Walk:
    def __init__(self, data: bytes, marks: Sequence[int] | None) -> None:
        self.spots: list[Spot] = []
        self._data = data
        self._marks = marks
        self._where: list[bytes | int] = []

    def value(self, start: int, shape: Shape) -> int:
        """Look through the value that begins at ``start`` and return where it has ended."""
        kind = byte_at(self._data, start)
        if kind == _BRACKET and shape.each is not None:
            end = self._array(start, shape.each)
        elif shape.each is not None:
            end = self.value(start, shape.each)
        elif kind == _BRACE and shape.members:
            end = self._object(start, shape)
        else:
            end = value_end(self._data, start)
        if shape.role is not None:
            self._found(shape.role, start, end)
        return end

    def _array(self, start: int, each: Shape) -> int:
        data, marks, index, position = self._data, self._marks, 0, start + 1
        while byte_at(data, position := resumed(data, position)) != _CLOSING_BRACKET:
            end = None if marks is None else value_end(data, position)
            if marks is None or end is None or _any(marks, position, end):
                self._where.append(index)
                end = self.value(position, each)
                self._where.pop()
            position = end
            index += 1
        return position + 1

    def _object(self, start: int, shape: Shape) -> int:
        data, inside, types = self._data, shape.members, shape.types
        position = start + 1
        kind: str | None = None
        excepted = False
        own: list[tuple[bytes, int, int]] = []
        while (found := member(data, position)) is not None:
            key, begins, ends = found
            inner = None if key is None else inside.get(key)
            if (
                key is not None
                and inner is not None
                and (ends is None or inner.role is not None)
                and not (types and inner.judged)
            ):
                self._where.append(key)
                position = self.value(begins, inner)
                self._where.pop()
                continue
            position = value_end(data, begins) if ends is None else ends
            if types is None or key is None:
                continue
            if inner is not None and inner.judged:
                own.append((key, begins, position))
            elif key == b"type":
                kind = text(data[begins:position])
            elif key == shape.unless:
                excepted = data[begins:position] != b"null"
        if own and types is not None and not excepted:
            role = types.get(kind, shape.other)
            for key, begins, ends in own:
                self._where.append(key)
                self._found(role, begins, ends)
                self._where.pop()
        return resumed(data, position) + 1

    def _found(self, role: Role | None, start: int, end: int) -> None:
        if role is not None:
            self.spots.append(Spot(role, start, end, tuple(self._where)))


def _any(marks: Sequence[int], start: int, end: int) -> bool:
    """Tell whether one of the marks is in data[start:end]."""
    following = bisect_left(marks, start)
    return following < len(marks) and marks[following] < end
