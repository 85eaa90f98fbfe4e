"""Last-known-good state on the pod's memory-medium volume: what lets a restarted container serve on its own.

Files hold credentials, so they are readable by this user only, and they are replaced whole: a process killed in the
middle of a write leaves the previous file.
"""

import contextlib
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_DIRECTORY_MODE: Final = 0o700
_TEMPORARY: Final = ".new-"


class StateDir:
    """One folder of small files, by name; created on the first write."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def sub(self, name: str) -> "StateDir":
        """Return a folder inside this one."""
        return StateDir(self._path / name)

    def read(self, name: str) -> bytes | None:
        """Return a file's content, or None when there is none that can be read."""
        with contextlib.suppress(OSError):
            return (self._path / name).read_bytes()
        return None

    def write(self, name: str, content: bytes) -> None:
        """Put ``content`` in the place of the file, all or nothing, with mode 0600. Raises OSError."""
        self._path.mkdir(mode=_DIRECTORY_MODE, parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=_TEMPORARY, dir=self._path)  # mkstemp creates with 0600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(temporary).replace(self._path / name)
        except OSError:
            Path(temporary).unlink(missing_ok=True)
            raise

    def names(self) -> list[str]:
        """Return the names of the files present, sorted; leftovers of interrupted writes are not among them."""
        try:
            found = sorted(entry.name for entry in self._path.iterdir() if entry.is_file())
        except OSError:
            return []
        return [name for name in found if not name.startswith(_TEMPORARY)]

    def keep_only(self, names: Iterable[str]) -> None:
        """Remove every other file, leftovers included. Raises OSError."""
        kept = set(names)
        if self._path.is_dir():
            for entry in list(self._path.iterdir()):
                if entry.is_file() and entry.name not in kept:
                    entry.unlink(missing_ok=True)
