"""Showing something again whenever it changes: what ``-w`` does in every command that has it."""

from collections.abc import Callable
from typing import Final

from headgate_cli.console import Console
from headgate_runtime.kube_errors import KubeUnavailable

_LOOK_SECONDS: Final = 1.0
_CLEAR: Final = "\x1b[H\x1b[2J"


def watch(look: Callable[[], str], console: Console) -> None:
    """Show again what changed, until interrupted: on a terminal in place, elsewhere below. An outage is shown, and outlasted."""
    shown, clear = "", _CLEAR if console.style.colours else ""
    while True:
        try:
            text = look()
        except KubeUnavailable as error:
            text = f"{shown}\n\n{error}" if clear else shown
        if text != shown or clear:
            console.out.write(f"{clear}{text}\n")
            console.out.flush()
        shown = text
        console.sleep(_LOOK_SECONDS)
