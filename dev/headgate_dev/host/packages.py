"""Debian packages that tests need and a fresh machine lacks: installed where that is allowed, else the reason is told."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

_APT_SECONDS: Final = 900


class PackagesUnavailable(Exception):  # noqa: N818 - it is no error of the caller's: a test skips or says why
    """Packages cannot be installed on this machine; the message says why."""


def install(packages: Sequence[str], *, whose: str) -> None:
    """Install Debian packages; ``whose`` begins the line that says so. Raises PackagesUnavailable."""
    if os.geteuid() != 0:
        raise PackagesUnavailable(
            f"{', '.join(packages)}: not installed, and only root may; install them and try again"
        )
    if shutil.which("apt-get") is None:
        raise PackagesUnavailable(
            f"{', '.join(packages)}: not installed, and there is no apt-get to install them with; install them and try again"
        )
    print(f"{whose}: apt-get install {' '.join(packages)}", file=sys.stderr, flush=True)
    for command in (
        ["apt-get", "update", "-q"],
        ["apt-get", "install", "-q", "-y", "--no-install-recommends", *packages],
    ):
        done = subprocess.run(
            command,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            capture_output=True,
            text=True,
            check=False,
            timeout=_APT_SECONDS,
        )
        if done.returncode:
            words = (done.stderr or done.stdout).strip()[-500:]
            raise PackagesUnavailable(f"`{' '.join(command)}` failed with code {done.returncode}: {words}")
