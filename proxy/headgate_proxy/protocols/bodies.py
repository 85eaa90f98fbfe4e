"""Changing one member of a JSON body and no other byte of it: whatever else a client wrote must reach the upstream as it is."""

import re
from typing import Final

import msgspec

_TOKEN: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]]', re.DOTALL)
_VALUE: Final = re.compile(rb'\s*:\s*("[^"\\]*(?:\\.[^"\\]*)*"|\{)?', re.DOTALL)


def replace_model(body: bytes, name: str) -> bytes:
    """Return ``body`` with the value of its top-level ``model`` replaced. Needed only where ``upstreamName`` differs."""
    return replace_string(body, ("model",), name)


def replace_string(body: bytes, path: tuple[str, ...], value: str) -> bytes:
    """Return ``body``, a JSON object, with the string at ``path`` (member names, outermost first) replaced.

    Every other byte stays as it was; what is not there, or is no string, stays so too.
    """
    replacement = msgspec.json.encode(value)
    pieces: list[bytes] = []
    copied = depth = position = found = 0  # the member ``path[found]`` is looked for at depth ``found + 1``
    while (token := _TOKEN.search(body, position)) is not None:
        position = token.end()
        text = token.group()
        if text in (b"{", b"["):
            depth += 1
        elif text in (b"}", b"]"):
            depth -= 1
            found = min(found, max(0, depth - 1))
        elif depth == found + 1 and (after := _VALUE.match(body, position)) is not None:
            begins, wanted, last = after[1], _is(text, path[found]), found + 1 == len(path)
            if begins == b"{" and wanted and not last:
                position, depth, found = after.end(), depth + 1, found + 1
            elif begins == b"{":
                position = after.start(1)
            else:
                if begins is not None and wanted and last:
                    pieces += (body[copied : after.start(1)], replacement)
                    copied = after.end(1)
                position = after.end()
    pieces.append(body[copied:])
    return b"".join(pieces)


def _is(key: bytes, name: str) -> bool:
    return key == b'"%s"' % name.encode() or (b"\\" in key and msgspec.json.decode(key) == name)
