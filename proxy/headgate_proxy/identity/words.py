"""A quick look for the words that matter, before anything is taken apart: most of a body, and most events, hold none."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

_ESCAPE: Final = re.compile(rb"\\u00[2-7]")
"""A letter that JSON need not escape: a word may be written with it, so that plain searches do not find it."""


class Words:
    """Strings, each of which is looked for as JSON has it: a token of its own, not a part of a text."""

    def __init__(self, words: Iterable[str]) -> None:
        tokens = b"|".join(re.escape(msgspec.json.encode(word)[1:-1]) for word in sorted(words))
        self._token = re.compile(b'"(?:' + tokens + b')"')

    def occur(self, data: bytes) -> bool:
        """Tell whether one of them may stand in the data."""
        return self._token.search(data) is not None or _ESCAPE.search(data) is not None

    def positions(self, data: bytes) -> Sequence[int] | None:
        """Return where they stand, or None where that cannot be told without taking the data apart."""
        if _ESCAPE.search(data) is not None:
            return None
        return [found.start() for found in self._token.finditer(data)]
