"""A quick look for the words that matter, before anything is taken apart: most of a body, and most events, hold none."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

_PLAIN: Final = re.compile(r"[A-Za-z0-9_.:-]*")
_LETTER: Final = re.compile(rb"\\u00[2-7]")
_ANY: Final = re.compile(rb"\\[u/]")
"""What JSON need not escape, but may: a word that is written so is not found by a plain search."""


class Words:
    """Strings, each of which is looked for as JSON has it: a token of its own, not a part of a text."""

    def __init__(self, words: Iterable[str]) -> None:
        sought = sorted(words)
        tokens = b"|".join(re.escape(msgspec.json.encode(word)[1:-1]) for word in sought)
        self._escape = _LETTER if all(map(_PLAIN.fullmatch, sought)) else _ANY
        self._token = re.compile(b'"(?:' + tokens + b')"')

    def occur(self, data: bytes) -> bool:
        """Tell whether one of them may stand in the data."""
        return self._token.search(data) is not None or self._escape.search(data) is not None

    def positions(self, data: bytes) -> Sequence[int] | None:
        """Return where they stand, or None where that cannot be told without taking the data apart."""
        if self._escape.search(data) is not None:
            return None
        return [found.start() for found in self._token.finditer(data)]
