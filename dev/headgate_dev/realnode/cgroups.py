"""A control group of the node's own in every hierarchy, so that its pods' groups can be told from others and removed."""

import time
from pathlib import Path
from typing import Final

_REMOVE_SECONDS: Final = 10.0


def hierarchies(mounts: str) -> list[Path]:
    """Return the mount points of the control group hierarchies in the text of /proc/self/mounts (proc(5)), v1 or v2."""
    fields = [line.split() for line in mounts.splitlines()]
    return [Path(mount[1]) for mount in fields if mount[2] in ("cgroup", "cgroup2")]


def create(name: str) -> None:
    """Make the group ``name`` at the top of every hierarchy."""
    for hierarchy in _present():
        (hierarchy / name).mkdir(exist_ok=True)


def remove(name: str) -> None:
    """Remove the group ``name`` with all groups below it; its processes must have ended.

    The kernel lets go of a group a moment after its last process: tried for ten seconds, then OSError (device busy).
    """
    deadline = time.monotonic() + _REMOVE_SECONDS
    for hierarchy in _present():
        while (top := hierarchy / name).is_dir():
            try:
                for group in sorted((each for each in top.rglob("*") if each.is_dir()), reverse=True):
                    group.rmdir()
                top.rmdir()
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)


def find(name: str) -> list[Path]:
    """Return where the group ``name`` is."""
    return [hierarchy / name for hierarchy in _present() if (hierarchy / name).is_dir()]


def _present() -> list[Path]:
    return hierarchies(Path("/proc/self/mounts").read_text())
