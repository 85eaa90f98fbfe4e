"""Settings come from the environment alone, and a bad one is answered by name: the variable, what is wrong, the mend.

Both planes read their ``HEADGATE_*`` variables through ``Environment``, so that every error reads the same and no part of
the program looks at ``os.environ`` on its own.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

_T = TypeVar("_T", int, float)
_HIGHEST_PORT: Final = 65535

USAGE_EXIT: Final = 2
"""Exit status of a process that was started with a bad setting or argument."""


class SettingsError(ValueError):
    """A setting that cannot be used; the message names the variable and the mend."""

    def __init__(self, variable: str, problem: str, mend: str) -> None:
        super().__init__(f"{variable} {problem}; {mend}")
        self.variable = variable


class Environment:
    """Typed reading of environment variables. An empty variable counts as unset, as Kubernetes manifests often leave them.

    Every method raises SettingsError for a value that does not fit; one without a default also for a missing variable.
    """

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self._values = os.environ if values is None else values

    def optional(self, variable: str) -> str | None:
        """Return the value without surrounding white space, or None when unset or empty."""
        return self._values.get(variable, "").strip() or None

    def text(self, variable: str, default: str | None = None, *, meaning: str = "a value") -> str:
        """Return the value, or the default; without a default the variable must be set to ``meaning``."""
        value = self.optional(variable)
        if value is not None:
            return value
        if default is None:
            raise SettingsError(variable, "is not set", f"set it to {meaning}")
        return default

    def choice(self, variable: str, choices: tuple[str, ...], default: str | None = None) -> str:
        """Return a value that is one of ``choices``."""
        wanted = " or ".join((", ".join(choices[:-1]), choices[-1])) if len(choices) > 1 else choices[0]
        value = self.text(variable, default, meaning=wanted)
        if value not in choices:
            raise SettingsError(variable, f"is {value!r}", f"set it to {wanted}")
        return value

    def integer(self, variable: str, default: int | None = None, *, minimum: int = 0, maximum: int = 2**31) -> int:
        """Return a whole number between ``minimum`` and ``maximum``, both included."""
        return self._number(variable, default, minimum, maximum, int, "a whole number")

    def number(self, variable: str, default: float | None = None, *, minimum: float = 0, maximum: float = 1e9) -> float:
        """Return a number between ``minimum`` and ``maximum``, both included."""
        return self._number(variable, default, minimum, maximum, float, "a number")

    def port(self, variable: str, default: int | None = None) -> int:
        """Return a TCP port; 0 lets the system choose one."""
        return self.integer(variable, default, minimum=0, maximum=_HIGHEST_PORT)

    def path(self, variable: str, default: str | None = None) -> Path:
        """Return an absolute path (nothing is looked up on disk)."""
        path = Path(self.text(variable, default, meaning="an absolute path"))
        if not path.is_absolute():
            raise SettingsError(variable, f"is {str(path)!r}", "set it to an absolute path")
        return path

    def url(self, variable: str, default: str | None = None) -> str:
        """Return an absolute http(s) URL without user information and without a trailing slash."""
        value = self.text(variable, default, meaning="an absolute http:// or https:// URL")
        try:
            parts = urlsplit(value)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            raise SettingsError(variable, "is not a URL", "set it to an absolute http:// or https:// URL") from None
        if not usable:
            raise SettingsError(variable, f"is {value!r}", "set it to an absolute http:// or https:// URL")
        if parts.username is not None or parts.password is not None:
            raise SettingsError(variable, "carries user information", "remove it: credentials come from files")
        return value.rstrip("/")

    def optional_url(self, variable: str) -> str | None:
        """Return the URL, or None when the variable is unset or empty."""
        return None if self.optional(variable) is None else self.url(variable)

    def _number(
        self, variable: str, default: _T | None, minimum: _T, maximum: _T, read: Callable[[str], _T], what: str
    ) -> _T:
        wanted = f"{what} from {minimum} to {maximum}"
        text = self.text(variable, None if default is None else str(default), meaning=wanted)
        try:
            value = read(text)
        except ValueError:
            raise SettingsError(variable, f"is {text!r}", f"set it to {wanted}") from None
        if not minimum <= value <= maximum:
            raise SettingsError(variable, f"is {text}", f"set it to {wanted}")
        return value
