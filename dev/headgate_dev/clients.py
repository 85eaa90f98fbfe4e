"""Real clients that tests run against Headgate, installed once per version outside the clone."""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

_PINS = Path(__file__).parents[2] / "tests" / "clients"
_INSTALL_SECONDS = 600


class ClientUnavailable(Exception):  # noqa: N818 - it is no error of the caller's: a test skips or says why
    """A client cannot be installed on this machine; the message says what is missing."""


def cache_folder() -> Path:
    """Return where downloads outlive a clone: HEADGATE_CACHE, else ``headgate`` in the user's cache folder."""
    if given := os.environ.get("HEADGATE_CACHE"):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "headgate"


def claude_code() -> Path:
    """Return the ``claude`` executable at the version pinned in tests/clients, installing it at the first call.

    Raises ClientUnavailable when node or npm is missing or the installation fails.
    """
    return _client("claude-code", "@anthropic-ai/claude-code", "claude")


def codex() -> Path:
    """Return the ``codex`` executable, likewise."""
    return _client("codex", "@openai/codex", "codex")


def _client(name: str, package: str, command: str) -> Path:
    pins = _PINS / name
    manifest = pins / "package.json"
    if not manifest.exists():
        raise ClientUnavailable(f"tests/clients/{name}/package.json not found: run from a checkout of Headgate")
    version = json.loads(manifest.read_text())["dependencies"][package]
    folder = cache_folder() / f"{name}-{version}"
    executable = folder / "node_modules" / ".bin" / command
    if not executable.exists():
        _install(pins, folder)
    if not executable.exists():
        raise ClientUnavailable(f"npm installed {package} {version} without its executable; remove {folder}")
    return executable


def _install(pins: Path, folder: Path) -> None:
    """Install the packages pinned in ``pins`` at ``folder``: aside first, then renamed, so that no half of it is ever found."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise ClientUnavailable("node/npm not found")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{folder.name}.", dir=folder.parent) as temporary:
        aside = Path(temporary) / "install"
        aside.mkdir()
        for name in ("package.json", "package-lock.json"):
            shutil.copy(pins / name, aside)
        command = [npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"]
        try:
            done = subprocess.run(
                command, cwd=aside, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise ClientUnavailable(f"npm ci took longer than {_INSTALL_SECONDS} s") from None
        if done.returncode != 0:
            raise ClientUnavailable(f"npm ci failed: {done.stderr.strip()[-2000:]}")
        try:
            aside.rename(folder)
        except OSError:
            if not folder.exists():  # else another process was faster, and its installation is as good
                raise
