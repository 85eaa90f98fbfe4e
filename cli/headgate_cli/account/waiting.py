"""Waiting for the operator: with a deadline, and with a line whenever what is waited for says something new."""

from collections.abc import Callable
from typing import Final, TypeVar

from headgate_cli.console import Console
from headgate_cli.view.style import sentence
from headgate_runtime.kube_errors import KubeUnavailable

T = TypeVar("T")
_LOOK_SECONDS: Final = 0.3
_QUIET_SECONDS: Final = 1.5
"""How long a wait says nothing: most are over by then."""


def wait(console: Console, what: str, seconds: float, look: Callable[[], tuple[T | None, str]]) -> tuple[T | None, str]:
    """Look until there is an outcome, for ``seconds`` at most; return it (None: the time is up) and the last progress.

    ``look`` returns (outcome or None, a sentence on how things stand). An outage of the API server is outlasted, and shown.
    """
    begun, told = console.clock.monotonic(), ""
    while True:
        try:
            outcome, progress = look()
        except KubeUnavailable as error:
            outcome, progress = None, str(error)
        passed = console.clock.monotonic() - begun
        if outcome is not None or passed >= seconds:
            return outcome, progress
        if passed >= _QUIET_SECONDS and told != progress:
            begin = "" if told else f"waiting for {what}, at most {seconds:g} s: "
            console.warn(f"{begin}{sentence(progress)}")
            told = progress
        console.sleep(_LOOK_SECONDS)
