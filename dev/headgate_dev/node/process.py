"""A container's process: a session of its own, output in a file, ended by TERM and KILL as a container runtime does."""

import asyncio
import json
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from headgate_dev.host.identity import ProcessIdentity
from headgate_dev.host.spawner import die_with_parent
from headgate_dev.node.translate import ProcessPlan

NOT_STARTED = 127
"""Exit code of a command that cannot be started, the shell's convention."""


class Process:
    """A started process; its whole group gets the signals, so that no grandchild stays behind."""

    def __init__(self, process: asyncio.subprocess.Process, pid_file: Path) -> None:
        self._process = process
        self._pid_file = pid_file

    @classmethod
    async def start(cls, plan: ProcessPlan, folder: Path, log: Path, pid_file: Path) -> "Process":
        """Start the process in ``folder``. Raises OSError when its program cannot be run."""
        with log.open("ab") as sink:
            process = await asyncio.create_subprocess_exec(
                *die_with_parent(),
                *plan.argv,
                env=dict(plan.environment),
                cwd=folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
            )
        started = cls(process, pid_file)
        started._record()
        return started

    async def wait(self) -> int:
        """Return the exit code once it has ended: 128 + number for a signal, as container runtimes report it."""
        code = await self._process.wait()
        self._signal(signal.SIGKILL)
        self._pid_file.unlink(missing_ok=True)
        return 128 - code if code < 0 else code

    async def end(self, grace: float) -> None:
        """Send TERM, and KILL to the whole group after ``grace`` seconds; return when it has ended."""
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(grace):
                await self._process.wait()
        except TimeoutError:
            self._signal(signal.SIGKILL)
            await self._process.wait()

    def _record(self) -> None:
        if identity := ProcessIdentity.of(self._process.pid):
            self._pid_file.write_text(json.dumps(identity.to_dict()))

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


async def run_quietly(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a probe's or hook's command and return its exit code; it is killed when the caller is cancelled."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env=dict(environment),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        return await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
