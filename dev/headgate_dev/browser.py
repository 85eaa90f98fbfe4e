"""A real browser for the pages that people see, driven by tests: the one that is there, or Debian's."""

import os
import shutil
from pathlib import Path
from typing import Final

from headgate_dev.host.packages import install

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> Path:
    """Return the executable: ``HEADGATE_BROWSER``, or one on the PATH. Raises PackagesUnavailable when there is none to be had."""
    if given := os.environ.get("HEADGATE_BROWSER"):
        return Path(given)
    found = _found()
    if found is None:
        install(["chromium"], whose="browser")
        found = _found()
    return Path(found or "chromium")


def _found() -> str | None:
    return next((path for name in _NAMES if (path := shutil.which(name)) is not None), None)
