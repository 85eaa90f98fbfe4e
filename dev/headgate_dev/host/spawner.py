"""Start processes that end when we do, even when we are killed: a test run must leave nothing behind."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


class Spawner:
    """Starts processes that do not outlive us, unless ``detached``.

    Linux ends them through the parent-death signal (prctl(2)). That signal follows the *thread* that forked, so all are
    forked by one thread that lives as long as the cluster object.
    """

    def __init__(self, *, detached: bool = False) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="headgate-dev-spawner")
        self._prefix = [] if detached else die_with_parent()

    def spawn(self, command: Sequence[str], env: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
        """Start ``command`` in a session of its own, its output appended to ``log``."""
        return self._thread.submit(self._spawn, [*self._prefix, *command], env, log).result()

    def close(self) -> None:
        """End the thread; what is still running and not detached ends with it."""
        self._thread.shutdown()

    @staticmethod
    def _spawn(command: Sequence[str], env: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
        with log.open("ab") as sink:
            return subprocess.Popen(
                command, env=dict(env), stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=True
            )


def die_with_parent() -> list[str]:
    """Return the command prefix that ties a process to its parent's life: util-linux's setpriv, else nothing."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []
