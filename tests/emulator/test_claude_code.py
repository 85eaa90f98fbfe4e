"""Claude Code itself runs against the emulator: what a real agent sends, the emulator understands."""

import os
import subprocess
from pathlib import Path

import pytest

from headgate_dev.clients import ClientUnavailable, claude_code
from headgate_dev.emulator import EmulatorThread

from .conftest import API_KEY


@pytest.fixture(scope="session")
def claude() -> Path:
    try:
        return claude_code()
    except ClientUnavailable as missing:
        pytest.skip(str(missing))


def run(claude: Path, url: str, home: Path, *arguments: str) -> str:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_API_KEY": API_KEY,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }
    command = [str(claude), "-p", *arguments]
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
    return done.stdout.strip()


@pytest.mark.timeout(700)
def test_a_question_and_a_tool_loop(claude: Path, tmp_path: Path) -> None:
    with EmulatorThread(api_keys=[API_KEY]) as emu:
        assert run(claude, emu.url, tmp_path, "hällo") == "You said: hällo"
        prompt = 'use tool Bash with {"command": "echo wörld-$((40+2))", "description": "say it"}'
        assert run(claude, emu.url, tmp_path, prompt, "--allowedTools", "Bash") == "Tool results: wörld-42"
        messages = [request for request in emu.requests if request.path == "/v1/messages"]
    assert len(messages) >= 3
    assert {request.status for request in messages} == {200}
