"""Codex itself runs through the gate: on a plan that the gate holds, and on a key, with a token of its own alone."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headgate_dev.clients import ClientUnavailable
from headgate_dev.clients import codex as codex_client
from headgate_dev.emulator import TokenState

from .vendors import ACCOUNT_ID, API_KEY, GPT, OAUTH

CONFIG = """
model = "{model}"
model_provider = "gate"
[model_providers.gate]
name = "gate"
base_url = "{url}"
wire_api = "responses"
env_key = "GATE_TOKEN"
"""


@pytest.fixture(scope="session")
def executable() -> Path:
    try:
        return codex_client()
    except ClientUnavailable as missing:
        pytest.skip(str(missing))


async def run(executable: Path, gate: Any, home: Path, path: str, prompt: str) -> str:
    (home / "config.toml").write_text(CONFIG.format(model=GPT, url=gate.url + path))
    token = gate.cluster.token()
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "CODEX_HOME": str(home), "GATE_TOKEN": token}
    process = await asyncio.create_subprocess_exec(
        *(str(executable), "exec", "--skip-git-repo-check", "--sandbox", "danger-full-access", prompt),
        env=environment,
        cwd=home,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(90):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, err.decode()
    return out.decode()


@pytest.mark.timeout(700)
async def test_a_tool_loop_on_a_plan_and_then_by_key(
    executable: Path, gate: Any, codex: Callable[..., None], tmp_path: Path
) -> None:
    codex(fallback={"revoked": "Allow"})
    looped = await run(
        executable, gate, tmp_path, "/backend-api/codex", 'use tool exec_command with {"cmd": "echo wörld-$((40+2))"}'
    )
    assert looped.startswith("Tool results:")
    assert "wörld-42" in looped
    sent = [request for request in gate.emu.requests if request.method == "POST"]
    assert len(sent) >= 2
    assert {(r.path, r.status, r.credential) for r in sent} == {("/backend-api/codex/responses", 200, OAUTH)}
    assert {r.header("chatgpt-account-id") for r in sent} == {ACCOUNT_ID}
    assert len({r.header("session_id") or r.header("session-id") for r in sent}) == 1
    assert all((r.header("originator") or "").startswith("codex") for r in sent)

    gate.emu.oauth_tokens[OAUTH] = TokenState.REVOKED
    assert (await run(executable, gate, tmp_path, "/v1", "hällo")).strip() == "You said: hällo"
    last = gate.emu.requests[-1]
    assert (last.path, last.status, last.credential) == ("/v1/responses", 200, API_KEY)
