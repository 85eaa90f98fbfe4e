"""Claude Code itself works through the edge while the vendor sees another identity: its tools run under its own names."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from headgate_api import acknowledgement
from headgate_dev.clients import ClientUnavailable, claude_code

MODEL = "claude-sonnet-5-5"


@pytest.fixture(scope="session")
def claude() -> Path:
    try:
        return claude_code()
    except ClientUnavailable as missing:
        pytest.skip(str(missing))


@pytest.mark.timeout(700)
async def test_an_agent_runs_its_own_tools(gate: Any, claude: Path, tmp_path: Path) -> None:
    identity = {"type": "Profile", "systemPreamble": "You work at Acme.", "toolNames": {"Bash": "acme_shell"}}
    given = {"by": "ann", "at": "2026-11-21T08:00:00Z", "textVersion": acknowledgement.TEXT_VERSION}
    gate.provider(auth={"modes": ["Subscription"], "subscription": {"identity": identity, "acknowledgement": given}})
    gate.account()
    prompt = 'use tool acme_shell with {"command": "echo wörld-$((40+2))", "description": "say it"}'
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "ANTHROPIC_BASE_URL": gate.url,
        "ANTHROPIC_API_KEY": gate.cluster.token(),
        "ANTHROPIC_MODEL": MODEL,
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": MODEL,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }
    arguments = ("-p", prompt, "--allowedTools", "Bash")
    process = await asyncio.create_subprocess_exec(
        claude,
        *arguments,
        env=environment,
        cwd=tmp_path,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complaints = await asyncio.wait_for(process.communicate(), 90)

    assert process.returncode == 0, complaints
    assert said.decode().strip() == "Tool results: wörld-42"
    loop = [json.loads(r.body) for r in gate.emu.requests if r.path == "/v1/messages" and b'"acme_shell"' in r.body]
    assert {request.status for request in gate.emu.requests} == {200}
    assert len(loop) >= 2
    for sent in loop:
        assert sent["system"][0] == {"type": "text", "text": "You work at Acme."}
        assert "Bash" not in [tool["name"] for tool in sent["tools"]]
    called = [
        block["name"]
        for turn in loop[-1]["messages"]
        if isinstance(turn["content"], list)
        for block in turn["content"]
        if block["type"] == "tool_use"
    ]
    assert called == ["acme_shell"]
