"""Changing one member of a JSON body and no other byte of it: whatever else a client wrote must reach the upstream as it is."""

import re
from typing import Final

import msgspec

_TOKEN: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]]', re.DOTALL)
_VALUE: Final = re.compile(rb'\s*:\s*("[^"\\]*(?:\\.[^"\\]*)*")', re.DOTALL)


def replace_model(body: bytes, name: str) -> bytes:
    """Return ``body`` with the value of its top-level ``model`` replaced and every other byte as it was.

    ``body`` is a JSON object. Needed only for models whose ``upstreamName`` differs.
    """
    replacement = msgspec.json.encode(name)
    pieces: list[bytes] = []
    copied = depth = position = 0
    while (token := _TOKEN.search(body, position)) is not None:
        position = token.end()
        text = token.group()
        if text in (b"{", b"["):
            depth += 1
        elif text in (b"}", b"]"):
            depth -= 1
        elif depth == 1 and (value := _VALUE.match(body, position)) is not None:
            if _is_model(text):
                pieces += (body[copied : value.start(1)], replacement)
                copied = value.end(1)
            position = value.end()
    pieces.append(body[copied:])
    return b"".join(pieces)


def _is_model(key: bytes) -> bool:
    return key == b'"model"' or (b"\\" in key and msgspec.json.decode(key) == "model")
