"""How an answer falls into the deltas of a stream: words of a text, uneven pieces of a tool's input."""

import json
import re
from collections.abc import Iterable, Iterator

from headgate_dev.emulator.script import JsonObject

_JSON_PIECES = (1, 2, 3, 5, 8)


def words(text: str) -> Iterator[str]:
    """Yield ``text`` word by word, each with the white space after it."""
    return (found[0] for found in re.finditer(r"\S+\s*|\s+", text))


def split_json(value: JsonObject) -> Iterator[str]:
    r"""Yield ``value`` as JSON in uneven pieces that cut numbers, keywords and ``\uXXXX`` escapes; the first is empty.

    Non-ASCII is escaped, because only so can a cut fall inside an escape.
    """
    text = json.dumps(value, ensure_ascii=True)
    yield ""
    position = turn = 0
    while position < len(text):
        size = _JSON_PIECES[turn % len(_JSON_PIECES)]
        yield text[position : position + size]
        position, turn = position + size, turn + 1


def until_stop(text: str, sequences: Iterable[str], room: int | None) -> tuple[str, str | None, bool]:
    """Return ``text`` cut at a stop sequence or after ``room`` words (None: no limit), the sequence, and whether room ended it."""
    stopped_by = None
    for candidate in sequences:
        if candidate in text:
            text, stopped_by = text[: text.index(candidate)], candidate
    parts = list(words(text))
    if room is not None and len(parts) > room:
        return "".join(parts[:room]), None, True
    return text, stopped_by, False
