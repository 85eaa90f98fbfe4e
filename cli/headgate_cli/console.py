"""The person's side of a command: where it prints, whether somebody can be asked, and how a refusal ends it."""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self, TextIO

from headgate_api.clock import Clock, SystemClock
from headgate_cli.view.style import Style

REFUSED: Final = 1
"""Exit status when something was refused, missing or not as expected; 2 is for a command line that makes no sense."""
USAGE: Final = 2
INTERRUPTED: Final = 130


class Refusal(Exception):  # noqa: N818 - it is an answer, not a defect
    """Why the command does not do what was asked: a sentence for the person who typed it."""

    def __init__(self, message: str, status: int = REFUSED) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Console:
    """Output, input, colours and time of one command. ``ask`` is None where nobody can answer."""

    out: TextIO
    err: TextIO
    style: Style
    as_json: bool = False
    ask: Callable[[str], str] | None = None
    clock: Clock = field(default_factory=SystemClock)
    sleep: Callable[[float], None] = time.sleep

    @classmethod
    def of_process(cls, as_json: bool, environ: Mapping[str, str] = os.environ) -> Self:
        """Return the console of this process: it asks on a terminal only, and colours unless NO_COLOR says otherwise."""
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="replace")
        terminal = sys.stdout.isatty()
        asks = sys.stdin.isatty() and sys.stderr.isatty() and not as_json
        return cls(
            sys.stdout,
            sys.stderr,
            Style.of(terminal=terminal and not as_json, environ=environ),
            as_json,
            _ask if asks else None,
        )

    def say(self, text: str = "") -> None:
        """Print text for people; nothing where the output is JSON."""
        if not self.as_json:
            print(text, file=self.out, flush=True)

    def warn(self, text: str) -> None:
        """Print a remark that is no part of the output."""
        print(text, file=self.err, flush=True)

    def emit(self, value: Any) -> None:
        """Print a JSON value where the output is JSON; else nothing."""
        if self.as_json:
            print(json.dumps(value, indent=2, ensure_ascii=False), file=self.out, flush=True)

    def confirmed(self, question: str) -> bool:
        """Ask a yes-or-no question; anything but yes is no. Call it only where ``ask`` is there."""
        return self.ask is not None and self.ask(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def _ask(question: str) -> str:
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline()
