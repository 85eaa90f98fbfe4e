"""Where the code comes from once a person has signed in: from their browser over the loopback interface, or from their hands."""

import contextlib
import io
import select
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from headgate_api.secret import Secret
from headgate_api.signin import SignInState
from headgate_cli.account.loopback import Listener, Loopback, state_of
from headgate_cli.console import Console, Refusal

_LONGEST: Final = 4096
_LOOK_SECONDS: Final = 0.5


class Codes:
    """Brings codes, one after another, until the sign-in is over. ``listener`` None: only what is typed."""

    def __init__(self, console: Console, listener: Listener | None, until: datetime) -> None:
        self._console = console
        self._listener = listener
        self._until = until
        self._typed = True

    def next(self) -> Secret:
        """Return the next code (or the whole address that carries it). Raises Refusal when none can come any more."""
        while self._console.clock.now() < self._until:
            typed, brought = self._ready()
            if brought is not None:
                return brought
            if typed:
                line = sys.stdin.readline(_LONGEST + 2)
                if line.strip():
                    return Secret(line.strip()[:_LONGEST])
                self._typed = line != ""
            if not self._typed and self._listener is None:
                raise Refusal("no code came on standard input; run it on a terminal, or give it the code there")
        raise Refusal("the sign-in has expired; begin again")

    def _ready(self) -> tuple[bool, Secret | None]:
        """Wait for a moment; return whether something was typed, and what the browser brought."""
        listening = self._listener.sockets if self._listener is not None else []
        readable = _selectable() if self._typed else None
        if self._typed and readable is None and not listening:
            return True, None
        watched: list[Any] = [*listening, *([] if readable is None else [readable])]
        ready, _, _ = select.select(watched, [], [], _LOOK_SECONDS)
        for each in listening:
            if each in ready and self._listener is not None:
                brought = self._listener.answer(each)
                if brought is not None:
                    return False, brought
        return readable is not None and readable in ready, None


def _selectable() -> int | None:
    """Return what tells that something was typed; None where the platform has nothing of the kind."""
    if sys.platform == "win32":
        return None
    with contextlib.suppress(io.UnsupportedOperation, ValueError, AttributeError):
        return sys.stdin.fileno()
    return None


@contextlib.contextmanager
def codes(console: Console, state: SignInState) -> Iterator[Codes]:
    """Listen where the redirect leads to this machine; where that cannot be, the person pastes."""
    where = Loopback.of(state.redirect_uri)
    with contextlib.ExitStack() as stack:
        listener = None
        if where is not None:
            try:
                listener = stack.enter_context(Listener(where, state_of(state.authorization_url)))
            except OSError as error:
                console.warn(
                    f"nothing can listen at {where.authority} here ({error.strerror}): paste the address your browser ends at"
                )
        yield Codes(console, listener, state.expires_at)
