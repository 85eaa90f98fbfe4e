"""This pod's own token for its peers: the file is read again now and then, since the kubelet renews it there."""

from pathlib import Path
from typing import Final

from headgate_api.clock import Clock
from headgate_api.redaction import Redactor
from headgate_api.secret import Secret

_READ_SECONDS: Final = 10.0
"""Far below what is left of a token's life when the kubelet renews it."""


class RelayToken:
    """The token of audience ``headgate-relay``."""

    def __init__(self, file: Path, redactor: Redactor, clock: Clock) -> None:
        self._file = file
        self._redactor = redactor
        self._clock = clock
        self._token: Secret | None = None
        self._read_at = 0.0

    def get(self) -> Secret:
        """Return the token. Raises OSError or ValueError when there is none to be read."""
        now = self._clock.monotonic()
        if self._token is None or now - self._read_at >= _READ_SECONDS:
            text = self._file.read_text(encoding="ascii").strip()
            if not text:
                raise ValueError(f"{self._file} is empty")
            self._token, self._read_at = Secret(text), now
            self._redactor.remember(self._token)
        return self._token
