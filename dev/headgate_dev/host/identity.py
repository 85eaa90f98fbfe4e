"""Tell whether a process id still means the process we started: ids are reused, and `dev down` must not end a stranger."""

import os
import signal
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class ProcessIdentity:
    """A process id together with the start time the kernel keeps for it."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> "ProcessIdentity | None":
        """Return the identity of a live process, or None where there is none (a zombie counts as none)."""
        started = _start_time(pid)
        return None if started is None else cls(pid, started)

    def alive(self) -> bool:
        """Tell whether this very process still runs."""
        return _start_time(self.pid) == self.started

    def end(self, grace: float) -> None:
        """Send TERM, and KILL after ``grace`` seconds; return when it is gone. A process that is gone already is no error."""
        for name, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, 10.0)):
            if not self.alive():
                return
            os.kill(self.pid, signal.SIGCONT)
            os.kill(self.pid, name)
            deadline = time.monotonic() + seconds
            while self.alive() and time.monotonic() < deadline:
                time.sleep(_POLL_SECONDS)

    def to_dict(self) -> dict[str, Any]:
        """Return the plain form, for a state file."""
        return asdict(self)


def _start_time(pid: int) -> str | None:
    if not Path("/proc/self/stat").exists():
        done = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return done.stdout.strip() or None
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # proc(5): the command name, in parentheses, may hold spaces; after it come state (field 3) ... starttime (field 22).
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields[19]
