"""Processes under measurement: each pinned to a core, its CPU time and memory read from the kernel."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

_START_SECONDS: Final = 20.0
_CLOCK_OF_PROCESS: Final = 2  # CPUCLOCK_SCHED of the kernel's encoding, which clock_getcpuclockid(3) returns


class Process:
    """A child process, ended with its context."""

    def __init__(
        self,
        arguments: list[str],
        *,
        core: int,
        environ: Mapping[str, str] | None = None,
        stdout: int | IO[bytes] | None = None,
    ) -> None:
        self._arguments = [sys.executable, *arguments]
        self._core = core
        self._environ = dict(os.environ if environ is None else environ)
        self._stdout = stdout
        self._process: subprocess.Popen[bytes]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._arguments, env=self._environ, stdout=self._stdout)
        os.sched_setaffinity(self._process.pid, {self._core})  # threads come later, and inherit it
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def pid(self) -> int:
        """Return its id."""
        return self._process.pid

    def wait_for(self, url: str) -> None:
        """Wait until ``url`` answers with any status below 400. Raises RuntimeError when it does not come to that."""
        until = time.monotonic() + _START_SECONDS
        problem: object = None
        while time.monotonic() < until:
            if self._process.poll() is not None:
                raise RuntimeError(f"{self._arguments[1:]} ended with status {self._process.returncode}")
            try:
                with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - http, and ours
                    return
            except urllib.error.HTTPError as error:
                problem = error.read().decode()
                error.close()
            except OSError as error:
                problem = error
            time.sleep(0.05)
        raise RuntimeError(f"{url} did not get ready: {problem}")

    def cpu_seconds(self) -> float:
        """Return user and system time of all its threads so far, to the nanosecond (the CPU clock of another process)."""
        return time.clock_gettime((~self.pid << 3) | _CLOCK_OF_PROCESS)

    def pss_bytes(self) -> int:
        """Return its proportional set size."""
        for line in Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
        raise RuntimeError("the kernel tells no Pss")
