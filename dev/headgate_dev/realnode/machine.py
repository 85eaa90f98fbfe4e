"""The machine the node believes to be on: namespaces that end with one process, and with them everything in them.

Interfaces, iptables rules, mounts and containers live in network, mount and process namespaces of the node's own, so that
ending their first process leaves nothing behind, however the run ended.
"""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Final

from headgate_dev.cluster.component import Component
from headgate_dev.host.errors import ClusterError
from headgate_dev.host.spawner import Spawner
from headgate_dev.realnode import cgroups
from headgate_dev.realnode.addresses import Addresses
from headgate_dev.realnode.configuration import KERNEL_SETTINGS

_START_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.01


class Machine:
    """``name`` names the control group and the link's interface on this side (at most 15 characters, the kernel's limit)."""

    def __init__(self, name: str, addresses: Addresses, state: Path, spawner: Spawner, logs: Path) -> None:
        self.name = name
        self.addresses = addresses
        self._state = state
        self._pid: int | None = None
        self._holder = Component(
            "machine",
            [
                "unshare", "--net", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child", "--mount-proc",
                "--propagation=private", "sleep", "infinity",
            ],
            spawner=spawner,
            logs=logs,
        )  # fmt: skip

    def start(self) -> None:
        """Make the namespaces, their mounts and the link. Raises ClusterError with the words of what failed."""
        cgroups.create(self.name)
        self._holder.launch()
        self._pid = self._first_process()
        self._mount()
        self._link()

    def stop(self) -> None:
        """End every process in the namespaces, which ends the namespaces, and remove the control group."""
        if self._pid is not None:
            os.kill(self._pid, signal.SIGKILL)
            self._pid = None
        self._holder.stop()
        cgroups.remove(self.name)

    def leftovers(self) -> list[str]:
        """Return what of it this machine still has: its link, its control groups, mounts and processes below its folder."""
        found = [f"link {self.name}"] if self.name in _run(["ip", "-brief", "link"]) else []
        found += [f"control group {path}" for path in cgroups.find(self.name)]
        found += [f"mount {line}" for line in _read(Path("/proc/self/mounts")).splitlines() if str(self._state) in line]
        for process in Path("/proc").glob("[0-9]*"):
            if str(self._state) in (command := _read(process / "cmdline").replace("\0", " ")):
                found.append(f"process {process.name} {command}")
        return found

    def inside(self, *command: str) -> list[str]:
        """Return the command line that runs ``command`` on this machine."""
        if self._pid is None:
            raise ClusterError("the node's machine is not running")
        return ["nsenter", f"--target={self._pid}", "--net", "--mount", "--pid", "--uts", "--ipc", "--", *command]

    def succeeds(self, *command: str) -> bool:
        """Tell whether ``command`` succeeds on this machine within ten seconds."""
        try:
            self.run(*command, timeout=10.0)
        except (ClusterError, subprocess.TimeoutExpired):
            return False
        return True

    def run(self, *command: str, timeout: float = 120.0) -> str:
        """Run ``command`` on this machine and return its stdout. Raises ClusterError with its words when it fails."""
        return _run(self.inside(*command), timeout)

    def _first_process(self) -> int:
        """Return the id (as we see it) of the namespaces' first process, once unshare has handed over to it."""
        parent = self._holder.pid
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            children = _read(Path(f"/proc/{parent}/task/{parent}/children")).split()
            if children and _read(Path(f"/proc/{children[0]}/comm")).strip() == "sleep":
                return int(children[0])
            time.sleep(_POLL_SECONDS)
        raise ClusterError(f"the node's namespaces cannot be made:\n{self._holder.tail()}")

    def _mount(self) -> None:
        """Give the node its own /run, and copies on write of where its programs keep files they cannot be told to put elsewhere."""
        self.run("mount", "-t", "tmpfs", "tmpfs", "/run")
        for number, folder in enumerate(("/var/lib", "/var/log")):
            upper, work = self._state / "overlay" / f"{number}-upper", self._state / "overlay" / f"{number}-work"
            upper.mkdir(parents=True)
            work.mkdir()
            options = f"lowerdir={folder},upperdir={upper},workdir={work}"
            self.run("mount", "-t", "overlay", "overlay", "-o", options, folder)
        settings = self._state / "kernel"
        settings.mkdir()
        for name, value in KERNEL_SETTINGS.items():
            # The kubelet finds what it wants and leaves the machine's own alone.
            stand_in = settings / name.replace("/", "-")
            stand_in.write_text(f"{value}\n")
            self.run("mount", "--bind", str(stand_in), f"/proc/sys/{name}")

    def _link(self) -> None:
        host, node = self.addresses.host, self.addresses.node
        prefix = self.addresses.link_prefix
        ip = shutil.which("ip", path="/usr/sbin:/sbin:/usr/bin:/bin") or "ip"
        _run([ip, "link", "add", self.name, "type", "veth", "peer", "name", "eth0", "netns", str(self._pid)])
        _run([ip, "address", "add", f"{host}/{prefix}", "dev", self.name])
        _run([ip, "link", "set", self.name, "up"])
        self.run(ip, "link", "set", "lo", "up")
        self.run(ip, "address", "add", f"{node}/{prefix}", "dev", "eth0")
        self.run(ip, "link", "set", "eth0", "up")
        self.run(ip, "route", "add", "default", "via", host)
        self.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        _run([ip, "route", "add", self.addresses.pods, "via", node, "dev", self.name])


def routed_networks() -> list[str]:
    """Return the words of this machine's routing tables, the CIDRs it has routes for among them."""
    return _run(["ip", "-4", "route", "show", "table", "all"]).split()


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _run(command: list[str], timeout: float = 30.0) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout)
    if done.returncode:
        raise ClusterError(f"`{' '.join(command)}` failed with code {done.returncode}: {done.stderr.strip()[-1000:]}")
    return done.stdout
