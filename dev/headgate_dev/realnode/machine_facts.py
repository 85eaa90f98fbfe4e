"""Whether this machine can carry a real node, decided from facts that are gathered apart, so that a skip says exactly why."""

import os
import platform
import shutil
from dataclasses import dataclass
from typing import Final

from headgate_dev.host.packages import PackagesUnavailable, install

PACKAGES: Final = {
    "containerd": "containerd",
    "runc": "runc",
    "/usr/lib/cni/ptp": "containernetworking-plugins",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "buildah": "buildah",
    "mmdebstrap": "mmdebstrap",
    "ip": "iproute2",
    "nsenter": "util-linux",
}
"""Debian's package of each program (or file) the node and its image need."""


class RealNodeUnavailableError(Exception):
    """This machine cannot carry a real node; the message is the reason, fit for a test's skip."""


@dataclass(frozen=True)
class MachineFacts:
    """What the decision rests on. ``missing`` are keys of PACKAGES."""

    system: str
    uid: int
    has_apt: bool
    has_overlayfs: bool
    missing: frozenset[str]


def reason_against(facts: MachineFacts) -> str | None:
    """Return why a machine with these facts cannot carry a real node, or None when it can (after installing packages)."""
    if facts.system != "Linux":
        return f"real pods need Linux, this is {facts.system}"
    if facts.uid != 0:
        return f"real pods need root (namespaces, mounts, iptables), this is uid {facts.uid}; run `sudo make e2e`"
    if not facts.has_overlayfs:
        return "the kernel has no overlayfs (/proc/filesystems), which containerd's images need"
    if facts.missing and not facts.has_apt:
        wanted = ", ".join(sorted(facts.missing))
        return f"{wanted}: not installed, and there is no apt-get to install them with; install them and try again"
    return None


def packages_for(missing: frozenset[str]) -> list[str]:
    """Return the Debian packages that bring what is missing."""
    return sorted({PACKAGES[name] for name in missing})


def gather() -> MachineFacts:
    """Look at this machine."""
    if platform.system() != "Linux":
        return MachineFacts(platform.system(), os.geteuid(), False, False, frozenset())
    with open("/proc/filesystems", encoding="ascii") as handle:  # noqa: PTH123 (a kernel file, read whole)
        filesystems = handle.read().split()
    return MachineFacts(
        system="Linux",
        uid=os.geteuid(),
        has_apt=shutil.which("apt-get") is not None,
        has_overlayfs="overlay" in filesystems,
        missing=frozenset(name for name in PACKAGES if shutil.which(name, path=_search_path()) is None),
    )


def prepare() -> None:
    """Install what is missing. Raises RealNodeUnavailableError with the exact reason where that cannot work."""
    facts = gather()
    if reason := reason_against(facts):
        raise RealNodeUnavailableError(reason)
    if not facts.missing:
        return
    try:
        install(packages_for(facts.missing), whose="realnode")
    except PackagesUnavailable as unavailable:
        raise RealNodeUnavailableError(str(unavailable)) from None


def _search_path() -> str:
    """PATH with the administrator's folders: cron jobs and CI runners often leave them out even for root."""
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
