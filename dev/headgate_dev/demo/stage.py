"""How the demo talks: numbered steps, commands as a user would type them, and elapsed time on long waits."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from headgate_api.clock import Clock


class Stage:
    """Prints to stdout, flushed, so that a person and a CI log read the same."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._step = 0

    def step(self, title: str) -> None:
        """Begin the next numbered step."""
        self._step += 1
        print(f"\n━━ {self._step}. {title}", flush=True)

    def say(self, text: str = "", *, end: str = "\n") -> None:
        """Print text, indented."""
        for line in text.splitlines() or [""]:
            print(f"   {line}", end=end, flush=True)

    def command(self, text: str) -> None:
        """Show a command that a user would type; what it printed follows."""
        print(f"   $ {text}", flush=True)

    def raw(self, text: str) -> None:
        """Print a piece of streamed text as it arrives."""
        sys.stdout.write(text)
        sys.stdout.flush()

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Print what is waited for, and how long it took."""
        print(f"   … {what}", flush=True)
        started = self._clock.monotonic()
        yield
        print(f"   ✓ {what} ({self._clock.monotonic() - started:.1f} s)", flush=True)
