"""Finds where values of a JSON text begin and end, so that single ones can be replaced and every other byte stays as it was.

It judges nothing: what is no JSON is walked as far as it goes, then ``Malformed`` is raised. Repetitions in the patterns are
possessive or bounded: others keep tens of bytes for each round, so that a string of nothing but escapes would cost gigabytes.
"""

import re
from typing import Final

import msgspec


class Malformed(ValueError):  # noqa: N818 - reads as what is found
    """The text ends, or goes on, where JSON would not."""


_QUOTE: Final = 0x22
_BACKSLASH: Final = 0x5C
_CLOSING_BRACE: Final = 0x7D
_OPENING: Final = frozenset(b"{[")
_WITHIN: Final = rb'[^"]*+(?:(?<=[^\\]\\)"[^"]*+)*+'
"""A string's inside up to a quote that may end it. Code holds more escapes than quotes: on over those after a single backslash."""
_CHUNK: Final = re.compile(_WITHIN)
_STRING: Final = rb'"' + _WITHIN + rb'(?<!\\)"'
"""A string, unless a backslash is its last character: that takes a closer look."""
_PLAIN: Final = rb'[^"\[\]{}]*+'
_FLAT: Final = rb"[\[{]" + _PLAIN + rb"(?:" + _STRING + _PLAIN + rb")*+[\]}]"


def _around(inner: bytes) -> bytes:
    """Return the pattern of what may stand in a container whose containers are all as ``inner`` says."""
    return _PLAIN + rb"(?:(?:" + _STRING + rb"|" + inner + rb")" + _PLAIN + rb"){0,256}"


_NESTED: Final = rb"[\[{]" + _around(rb"[\[{]" + _around(_FLAT) + rb"[\]}]") + rb"[\]}]"
_STEP: Final = re.compile(_around(_NESTED))
"""Swallows what is nested no deeper than this, so that few brackets of a value are looked at one by one."""
_SCALAR: Final = re.compile(rb'[^\s,:"\[\]{}]+')
_SPACE: Final = re.compile(rb"[ \t\n\r]*")
_NEXT: Final = re.compile(rb"[ \t\n\r,]*")
_MEMBER: Final = re.compile(rb'[ \t\n\r,]*"([^"\\]*)"[ \t\n\r]*:[ \t\n\r]*(' + _STRING + rb'|[^\s,:"\[\]{}]+)?')
"""A member whose key has no escapes, with its value where that is plain: one look for nearly all of them."""
_COLON: Final = re.compile(rb"[ \t\n\r]*:[ \t\n\r]*")


def first(data: bytes, position: int = 0) -> int:
    """Return where the next value begins: at or after ``position``, past white space."""
    found = _SPACE.match(data, position)
    return position if found is None else found.end()


def byte_at(data: bytes, position: int) -> int:
    """Return the byte at a position. Raises Malformed past the end."""
    if position >= len(data):
        raise Malformed("the text ends too early")
    return data[position]


def string_end(data: bytes, start: int) -> int:
    """Return where the string that begins at ``start`` has ended. Raises Malformed where it does not end."""
    position = start + 1
    while True:
        chunk = _CHUNK.match(data, position)
        quote = position if chunk is None else chunk.end()
        byte_at(data, quote)
        before = quote
        while before > start + 1 and data[before - 1] == _BACKSLASH:
            before -= 1
        if (quote - before) % 2 == 0:
            return quote + 1
        position = quote + 1


def value_end(data: bytes, start: int) -> int:
    """Return where the value that begins at ``start`` has ended. Raises Malformed where none is."""
    kind = byte_at(data, start)
    if kind == _QUOTE:
        return string_end(data, start)
    if kind in _OPENING:
        return _container_end(data, start)
    scalar = _SCALAR.match(data, start)
    if scalar is None:
        raise Malformed("a value is missing")
    return scalar.end()


def _container_end(data: bytes, start: int) -> int:
    position, depth = start + 1, 1
    while depth:
        step = _STEP.match(data, position)
        position = position if step is None else step.end()
        kind = byte_at(data, position)
        if kind == _QUOTE:
            position = string_end(data, position)
            continue
        position += 1
        depth += 1 if kind in _OPENING else -1
    return position


def member(data: bytes, position: int) -> tuple[bytes | None, int, int | None] | None:
    """Return the next member of an object: its key (None where no valid string), where its value begins, and where it has ended.

    The end is None for values that are not looked through at once: containers, and strings with many escapes. The result is None
    where the object ends (at ``resumed``). ``position`` is after the opening brace or after the value before. Raises Malformed.
    """
    found = _MEMBER.match(data, position)
    if found is not None:
        return found[1], found.end() if found[2] is None else found.start(2), None if found[2] is None else found.end()
    start = resumed(data, position)
    kind = byte_at(data, start)
    if kind == _CLOSING_BRACE:
        return None
    if kind != _QUOTE:
        raise Malformed("a key is missing")
    end = string_end(data, start)
    colon = _COLON.match(data, end)
    if colon is None:
        raise Malformed("a colon is missing")
    key = text(data[start:end])
    return None if key is None else key.encode(), colon.end(), None


def resumed(data: bytes, position: int) -> int:
    """Return where the next member, element or closing bracket is, past white space and commas."""
    found = _NEXT.match(data, position)
    return position if found is None else found.end()


def text(token: bytes) -> str | None:
    """Return the string that a token is, or None when it is another value or no valid string."""
    try:
        return msgspec.json.decode(token, type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
