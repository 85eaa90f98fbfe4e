"""Claude Code and Codex work through the edge while the vendor sees another identity: their tools run under their own names."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from headgate_api import acknowledgement
from headgate_dev.clients import ClientUnavailable, claude_code, codex
from headgate_dev.emulator import Emulator
from headgate_dev.emulator.openai.vendor import OpenAI

MODEL = "claude-sonnet-5-5"
GPT = "gpt-5.5"
CODEX = """
model = "{model}"
model_provider = "gate"
[model_providers.gate]
name = "gate"
base_url = "{url}/v1"
wire_api = "responses"
env_key = "GATE_TOKEN"
"""
GIVEN = {"by": "ann", "at": "2026-11-21T08:00:00Z", "textVersion": acknowledgement.TEXT_VERSION}
SHELL = {"command": "echo wörld-$((40+2))", "description": "say it"}


def plan(tool: str, **settings: str) -> dict[str, Any]:
    """A plan alone, under a profile that has another name for the agent's shell."""
    identity = {"type": "Profile", "systemPreamble": "You work at Acme.", "toolNames": {tool: "acme_shell"}}
    return {"modes": ["Subscription"], "subscription": settings | {"identity": identity, "acknowledgement": GIVEN}}


def installed(client: Callable[[], Path]) -> Path:
    try:
        return client()
    except ClientUnavailable as missing:
        pytest.skip(str(missing))


async def run(*command: str | Path, home: Path, **environment: str) -> str:
    """Run an agent to its end and return what it says."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env={"PATH": os.environ["PATH"], "HOME": str(home)} | environment,
        cwd=home,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        said, complaints = await asyncio.wait_for(process.communicate(), 90)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, complaints
    return said.decode().strip()


@pytest.mark.timeout(700)
async def test_claude_code_runs_its_own_tools(gate: Any, tmp_path: Path) -> None:
    claude = await asyncio.to_thread(installed, claude_code)
    gate.provider(auth=plan("Bash"))
    gate.account()
    said = await run(
        claude,
        *("-p", f"use tool acme_shell with {json.dumps(SHELL, ensure_ascii=False)}", "--allowedTools", "Bash"),
        home=tmp_path,
        ANTHROPIC_BASE_URL=gate.url,
        ANTHROPIC_API_KEY=gate.cluster.token(),
        ANTHROPIC_MODEL=MODEL,
        ANTHROPIC_DEFAULT_HAIKU_MODEL=MODEL,
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="1",
    )

    assert said == "Tool results: wörld-42"
    assert {request.status for request in gate.emu.requests} == {200}
    loop = [json.loads(request.body) for request in gate.emu.requests if b'"acme_shell"' in request.body]
    assert len(loop) >= 2
    for sent in loop:
        assert sent["system"][0] == {"type": "text", "text": "You work at Acme."}
        assert "Bash" not in [tool["name"] for tool in sent["tools"]]
    blocks = [block for turn in loop[-1]["messages"] if isinstance(turn["content"], list) for block in turn["content"]]
    assert [block["name"] for block in blocks if block["type"] == "tool_use"] == ["acme_shell"]


@pytest.fixture
async def openai_emu() -> AsyncIterator[Emulator]:
    async with Emulator(vendor=OpenAI(), oauth_tokens=["emulated-oauth-token"]) as emulator:
        yield emulator


@pytest.mark.timeout(700)
async def test_codex_runs_its_own_tools(gate: Any, openai_emu: Emulator, tmp_path: Path) -> None:
    executable = await asyncio.to_thread(installed, codex)
    gate.emu = openai_emu
    spec = {"protocol": "OpenAI", "apis": ["Responses", "Codex"], "models": [{"name": GPT}]}
    gate.provider(auth=plan("exec_command", endpoint=f"{openai_emu.url}/backend-api"), **spec)
    gate.account(account_id="emulated-account")
    (tmp_path / "config.toml").write_text(CODEX.format(url=gate.url, model=GPT))
    prompt = 'use tool acme_shell with {"cmd": "echo wörld-$((40+2))"}'
    said = await run(
        *(executable, "exec", "--skip-git-repo-check", "--sandbox", "danger-full-access", prompt),
        home=tmp_path,
        CODEX_HOME=str(tmp_path),
        GATE_TOKEN=gate.cluster.token(),
    )

    assert said.startswith("Tool results:")
    assert "wörld-42" in said
    loop = [json.loads(request.body) for request in openai_emu.requests if b'"acme_shell"' in request.body]
    assert {request.path for request in openai_emu.requests} == {"/backend-api/codex/responses"}
    assert {request.status for request in openai_emu.requests} == {200}
    assert len(loop) >= 2
    for sent in loop:
        assert sent["instructions"] == "You work at Acme."  # the client's own system text is a developer's message now
        assert "exec_command" not in [tool.get("name") for tool in sent["tools"]]
    called = [item["name"] for item in loop[-1]["input"] if item["type"] == "function_call"]
    assert called == ["acme_shell"]
