"""Codex itself runs against the emulator: what a real agent sends, the emulator understands."""

import os
import subprocess
from pathlib import Path

import pytest

from headgate_dev.clients import ClientUnavailable, codex
from headgate_dev.emulator import EmulatorThread
from headgate_dev.emulator.openai.vendor import OpenAI

from .conftest import API_KEY

CONFIG = """
model = "gpt-5.5"
model_provider = "emulated"
[model_providers.emulated]
name = "emulated"
base_url = "{url}/v1"
wire_api = "responses"
env_key = "EMULATED_KEY"
"""


@pytest.fixture(scope="session")
def executable() -> Path:
    try:
        return codex()
    except ClientUnavailable as missing:
        pytest.skip(str(missing))


def run(executable: Path, home: Path, prompt: str) -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "CODEX_HOME": str(home), "EMULATED_KEY": API_KEY}
    command = [str(executable), "exec", "--skip-git-repo-check", "--sandbox", "danger-full-access", prompt]
    done = subprocess.run(
        command,
        env=environment,
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.timeout(700)
def test_a_question_and_a_tool_loop(executable: Path, tmp_path: Path) -> None:
    with EmulatorThread(vendor=OpenAI(), api_keys=[API_KEY]) as emu:
        (tmp_path / "config.toml").write_text(CONFIG.format(url=emu.url))
        assert run(executable, tmp_path, "hällo").strip() == "You said: hällo"
        looped = run(executable, tmp_path, 'use tool exec_command with {"cmd": "echo wörld-$((40+2))"}')
        assert looped.startswith("Tool results:")
        assert "wörld-42" in looped
        responses = [request for request in emu.requests if request.path == "/v1/responses"]
    assert len(responses) >= 3
    assert {request.status for request in responses} == {200}
