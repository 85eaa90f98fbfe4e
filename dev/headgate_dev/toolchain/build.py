"""Build tools from their published Go modules: slow once, cached by version, resumable through Go's own build cache."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from headgate_dev.toolchain.cache import cache_root, executable_in, locked, set_folder
from headgate_dev.toolchain.catalogue import Tool, ToolSet
from headgate_dev.toolchain.errors import ToolchainError
from headgate_dev.toolchain.golang import find_go

_PROGRESS_SECONDS = 5.0


def build(tool_set: ToolSet, tools: Sequence[Tool], environ: Mapping[str, str]) -> None:
    """Build those of ``tools`` (all of ``tool_set``) that the cache lacks, and place them there atomically.

    Raises ToolchainError with the compiler's last words when the build fails.
    """
    root = cache_root(environ)
    folder = set_folder(root, tool_set)
    with locked(root, folder.name):
        missing = [tool for tool in tools if executable_in(folder, tool) is None]
        if not missing:
            return
        go = find_go(environ)
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".build-", dir=root) as scratch:
            _compile(go, tool_set, missing, Path(scratch), environ)
            for tool in missing:
                (Path(scratch) / tool.name).rename(folder / tool.name)


def build_command(go: Path, tool_set: ToolSet, tools: Sequence[Tool], target: Path) -> list[str]:
    """Return the `go build` command line; ``target`` is the folder the binaries are written to."""
    # A single package named `.` would take the module's name, hence the explicit file name.
    output = f"{target}/{tools[0].name}" if len(tools) == 1 else f"{target}/"
    packages = [tool.package for tool in tools]
    return [str(go), "build", "-trimpath", "-buildvcs=false", "-ldflags", tool_set.ldflags, "-o", output, *packages]


def _compile(go: Path, tool_set: ToolSet, tools: Sequence[Tool], target: Path, environ: Mapping[str, str]) -> None:
    names = ", ".join(tool.name for tool in tools)
    log = target / "build.log"
    env = {"GOTOOLCHAIN": "local", **os.environ, **environ, "CGO_ENABLED": "0"}
    started = time.monotonic()
    with (
        log.open("wb") as sink,
        subprocess.Popen(
            build_command(go, tool_set, tools, target), cwd=tool_set.module, env=env, stdout=sink, stderr=sink
        ) as process,
    ):
        try:
            while process.poll() is None:
                elapsed = time.monotonic() - started
                print(f"toolchain: building {names} {tool_set.version}: {elapsed:.0f} s", file=sys.stderr, flush=True)
                try:
                    process.wait(_PROGRESS_SECONDS)
                except subprocess.TimeoutExpired:
                    continue
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        words = log.read_text(errors="replace")[-1500:]
        raise ToolchainError(
            f"{names}: `go build` in {tool_set.module} failed with code {process.returncode}:\n{words}\n"
            "(what was compiled so far is kept: mend the cause and run again)"
        )
