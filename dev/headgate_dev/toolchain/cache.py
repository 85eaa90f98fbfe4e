"""Where found and built tools are kept: outside the clone, by version, so that a second clone starts at once."""

import fcntl
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from headgate_dev.toolchain.catalogue import Tool, ToolSet

_GOARCH = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def cache_root(environ: Mapping[str, str]) -> Path:
    """Return ``$HEADGATE_CACHE``, else ``headgate`` below the user's cache folder (XDG base directory specification)."""
    if chosen := environ.get("HEADGATE_CACHE"):
        return Path(chosen)
    base = environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "headgate"


def go_platform() -> tuple[str, str]:
    """Return this machine's (GOOS, GOARCH), the words both Go and the published archives use."""
    machine = platform.machine().lower()
    return platform.system().lower(), _GOARCH.get(machine, machine)


def set_folder(root: Path, tool_set: ToolSet) -> Path:
    """Return the folder a set's own builds are placed in."""
    goos, goarch = go_platform()
    return root / f"{tool_set.name}-{tool_set.version}-{goos}-{goarch}"


def envtest_folder(root: Path, tool_set: ToolSet) -> Path:
    """Return the folder the published archive for this version is unpacked into."""
    goos, goarch = go_platform()
    return root / f"envtest-{tool_set.version}-{goos}-{goarch}"


def executable_in(folder: Path, tool: Tool) -> Path | None:
    """Return the tool's binary in ``folder``, or None where there is none that can be run."""
    candidate = folder / tool.name
    return candidate if candidate.is_file() and os.access(candidate, os.X_OK) else None


@contextmanager
def locked(root: Path, name: str) -> Iterator[None]:
    """Hold the cache's lock of that name: two runs that start together must not build the same thing twice."""
    root.mkdir(parents=True, exist_ok=True)
    with (root / f".{name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
