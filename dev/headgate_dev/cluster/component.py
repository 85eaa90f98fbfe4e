"""One program of the cluster: started, stopped, frozen and brought back, which is how tests make outages."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from headgate_dev.host.errors import ClusterError
from headgate_dev.host.identity import ProcessIdentity
from headgate_dev.host.spawner import Spawner

_TAIL_CHARS = 2000
_POLL_SECONDS = 0.03


class Component:
    """A program with a fixed command line, so that it comes back on the same port with the same state.

    ``ready`` returns True once it serves; it is polled until ``timeout`` seconds have passed.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        spawner: Spawner,
        logs: Path,
        ready: Callable[[], bool] = lambda: True,
        env: Mapping[str, str] | None = None,
        grace: float = 5.0,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self.log = logs / f"{name}.log"
        self._command = [str(part) for part in command]
        self._spawner = spawner
        self._ready = ready
        self._env = {**os.environ, **(env or {})}
        self._grace = grace
        self._changed = changed
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def identity(self) -> ProcessIdentity | None:
        """The running process, or None."""
        return None if self._process is None else ProcessIdentity.of(self._process.pid)

    @property
    def pid(self) -> int:
        """The process id. Raises ClusterError while it is not running."""
        if self._process is None or self._process.poll() is not None:
            raise ClusterError(f"{self.name} is not running")
        return self._process.pid

    def launch(self) -> None:
        """Start the program without waiting for it."""
        if self._process is not None and self._process.poll() is None:
            raise ClusterError(f"{self.name} is running already (pid {self._process.pid})")
        self._process = self._spawner.spawn(self._command, self._env, self.log)
        self._changed()

    def wait_ready(self, timeout: float = 60.0) -> None:
        """Wait until it serves. Raises ClusterError with the end of its log when it dies or stays unready."""
        deadline = time.monotonic() + timeout
        while not self._ready():
            if self._process is None or self._process.poll() is not None:
                code = None if self._process is None else self._process.returncode
                raise ClusterError(f"{self.name} ended with code {code} before it was ready:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise ClusterError(f"{self.name} is not ready after {timeout:.0f} s:\n{self.tail()}")
            time.sleep(_POLL_SECONDS)

    def start(self, timeout: float = 60.0) -> None:
        """Start the program and wait until it serves."""
        self.launch()
        self.wait_ready(timeout)

    def stop(self) -> None:
        """End it (TERM, then KILL); harmless when it is not running."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            try:
                self._process.wait(self._grace)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()
        self._process = None
        self._changed()

    def kill(self) -> None:
        """End it as a crash would: KILL, no farewell."""
        os.kill(self.pid, signal.SIGKILL)
        self.stop()

    def pause(self) -> None:
        """Freeze it: its port accepts connections and nothing is ever answered."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen program go on."""
        os.kill(self.pid, signal.SIGCONT)

    def tail(self) -> str:
        """Return the end of its log."""
        return self.log.read_text(errors="replace")[-_TAIL_CHARS:] if self.log.exists() else ""
