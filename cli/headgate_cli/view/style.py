"""Colours, tables and times as a terminal shows them; without colours the text is the same."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

from headgate_api.clock import rfc3339

_ESCAPES: Final = re.compile(r"\x1b\[[0-9;]*m")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""Control characters, and those that turn the direction of writing, which make a line read as another."""
_UNITS: Final = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


@dataclass(frozen=True, slots=True)
class Style:
    """Paints words, or leaves them as they are."""

    colours: bool = False

    @classmethod
    def of(cls, *, terminal: bool, environ: Mapping[str, str]) -> Self:
        """Return colours for a terminal, unless NO_COLOR (https://no-color.org) is set or TERM is dumb."""
        return cls(terminal and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb")

    def bold(self, text: str) -> str:
        """Return a heading."""
        return self._paint(text, "1")

    def good(self, text: str) -> str:
        """Return what is well."""
        return self._paint(text, "32")

    def waits(self, text: str) -> str:
        """Return what waits, or for whom."""
        return self._paint(text, "33")

    def bad(self, text: str) -> str:
        """Return what is wrong."""
        return self._paint(text, "31")

    def dim(self, text: str) -> str:
        """Return what is of less weight."""
        return self._paint(text, "2")

    def _paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colours and text else text


def plain(text: str) -> str:
    """Return text that others wrote (names, messages, annotations) without what could steer a terminal."""
    return _CONTROL.sub("�", text)


def sentence(text: str) -> str:
    """Return what others wrote as one line."""
    return " ".join(plain(text).split())


def width(text: str) -> int:
    """Return the columns that a text takes."""
    return len(_ESCAPES.sub("", text))


def table(rows: Sequence[Sequence[str]], *, indent: str = "") -> list[str]:
    """Return the rows as lines with aligned columns, three spaces apart; rows may differ in length."""
    columns = max((len(row) for row in rows), default=0)
    widths = [max((width(row[i]) for row in rows if i < len(row)), default=0) for i in range(columns)]
    return [
        (indent + "   ".join(cell + " " * (widths[i] - width(cell)) for i, cell in enumerate(row))).rstrip()
        for row in rows
    ]


def span(seconds: float) -> str:
    """Return a length of time in its two largest units: ``2d3h``, ``5m``, ``0s``."""
    left = int(abs(seconds))
    parts: list[str] = []
    for size, unit in _UNITS:
        if left >= size and len(parts) < 2:
            parts.append(f"{left // size}{unit}")
            left %= size
        elif parts:
            break
    return "".join(parts) or "0s"


def ago(moment: datetime, now: datetime) -> str:
    """Return how long ago a moment was, or in how long it will be."""
    seconds = (now - moment).total_seconds()
    return f"{span(seconds)} ago" if seconds >= 0 else f"in {span(seconds)}"


def when(moment: datetime, now: datetime) -> str:
    """Return a moment with its distance: ``12:03:11Z (3m ago)``, with the date where that is another."""
    text = rfc3339(moment)
    shown = text[11:] if text[:10] == rfc3339(now)[:10] else text
    return f"{shown} ({ago(moment, now)})"


def bar(percent: int, cells: int = 20) -> str:
    """Return a bar of ``cells`` characters; a share above 0 shows at least one, below 100 at most all but one."""
    filled = round(cells * percent / 100)
    if 0 < percent < 100:
        filled = min(max(filled, 1), cells - 1)
    return "█" * filled + "░" * (cells - filled)
