"""The emulator as others meet it: byte-exact records, control API, thread, process, TLS."""

import asyncio
import base64
import json
import os
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest

from headgate_dev.emulator import Emulator, EmulatorThread, Fault, FaultKind, TokenState, throwaway_tls

from .conftest import API_KEY, OAUTH_HEADERS, OAUTH_TOKEN

MODELS = {"x-api-key": API_KEY, "anthropic-version": "2023-06-01"}


async def test_requests_are_recorded_byte_for_byte(emu: Emulator) -> None:
    body = b'{ "model":"claude-sonnet-4-6","max_tokens":5,\n "messages":[{"role":"user","content":"\xc3\xbc\\u00fc"}]}'
    head = (
        f"POST /v1/messages?beta=true HTTP/1.1\r\nHost: emulator\r\nX-API-Key: {API_KEY}\r\nx-Twice: 1\r\nX-twice: 2\r\n"
        f"Anthropic-Version: 2023-06-01\r\nContent-Encoding: gzip\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", int(emu.url.rpartition(":")[2]))
    writer.write(head.encode() + body)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    record = emu.requests[-1]
    assert (record.method, record.target, record.path) == ("POST", "/v1/messages?beta=true", "/v1/messages")
    assert record.body == body
    assert record.headers[:4] == (("Host", "emulator"), ("X-API-Key", API_KEY), ("x-Twice", "1"), ("X-twice", "2"))
    assert record.header_values("x-twice") == ["1", "2"]
    assert (record.credential_kind, record.credential) == ("api_key", API_KEY)
    assert answer.endswith(b"\r\n\r\n" + record.response_body)
    assert (record.status, record.done, record.disconnected) == (200, True, False)


async def test_the_control_api_does_what_python_does(emu: Emulator) -> None:
    async with aiohttp.ClientSession(emu.url, headers=OAUTH_HEADERS) as http:
        change: dict[str, Any] = {
            "oauth_tokens": {OAUTH_TOKEN: "revoked"},
            "add_api_keys": ["second"],
            "revoked_status": 401,
        }
        async with http.post("/_emulator/tokens", json=change) as response:
            assert (await response.json())["api_keys"] == sorted([API_KEY, "second"])
        async with http.get("/v1/models") as response:
            assert response.status == 401
        assert emu.oauth_tokens == {OAUTH_TOKEN: TokenState.REVOKED}
        async with http.post("/_emulator/tokens", json={"oauth_tokens": {OAUTH_TOKEN: "valid"}}) as response:
            assert response.status == 200

        async with http.post("/_emulator/faults", json={"kind": "Hold"}) as response:
            fault = (await response.json())["id"]
        async with asyncio.TaskGroup() as group:
            held = group.create_task(_status(http, "/v1/models"))
            async with http.get(f"/_emulator/faults/{fault}/held") as response:
                assert await response.json() == {"held": True}
            async with http.post(f"/_emulator/faults/{fault}/release") as response:
                assert response.status == 204
        assert held.result() == 200

        async with http.post("/_emulator/faults", json={"kind": "Overloaded", "times": None}) as response:
            assert response.status == 201
        assert await _status(http, "/v1/models") == 529
        async with http.get("/_emulator/requests") as response:
            recorded = (await response.json())["requests"]
        assert [record["status"] for record in recorded] == [401, 200, 529]
        assert b"overloaded_error" in base64.b64decode(recorded[-1]["response_body"])
        async with http.post("/_emulator/reset") as response:
            assert response.status == 204
        assert await _status(http, "/v1/models") == 200
        assert len(emu.requests) == 1


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [
        ("POST", "faults", {"kind": "Hiccup"}, 400, "kind"),
        ("POST", "faults", {"kind": "Redirect"}, 400, "location"),
        ("POST", "tokens", {"oauth_tokens": {"t": "lost"}}, 400, "oauth_tokens"),
        ("POST", "faults/fault-9/release", {}, 404, "fault-9"),
        ("GET", "faults/fault-9/held", {}, 404, "fault-9"),
    ],
)
async def test_the_control_api_names_what_is_wrong(
    emu: Emulator, method: str, path: str, body: object, status: int, says: str
) -> None:
    async with (
        aiohttp.ClientSession(emu.url) as http,
        http.request(method, f"/_emulator/{path}", json=body) as response,
    ):
        assert response.status == status
        assert says in await response.text()


async def _status(http: aiohttp.ClientSession, path: str) -> int:
    async with http.get(path) as response:
        return response.status


def _get(url: str, context: ssl.SSLContext | None = None) -> Any:
    answer = httpx.get(f"{url}/v1/models", headers=MODELS, verify=context or True, timeout=10)
    return answer.raise_for_status().json()


def test_in_a_thread_over_tls() -> None:
    tls = throwaway_tls()
    with EmulatorThread(api_keys=[API_KEY], tls=tls) as emu:
        assert emu.ca_pem == tls.ca_pem
        assert _get(emu.url, tls.client_context())["data"]
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            _get(emu.url, throwaway_tls().client_context())
        emu.wait_until(lambda: len(emu.requests) == 1)
        hold = emu.add_fault(Fault(kind=FaultKind.HOLD))
        with pytest.raises(TimeoutError):
            emu.wait_held(hold, timeout=0.01)
        emu.reset()
        assert emu.requests == []


def test_a_port_in_use_is_an_error_of_the_caller() -> None:
    with EmulatorThread() as first:
        port = int(first.url.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"), EmulatorThread(port=port):
            pass


def test_as_a_process_that_remembers_its_credentials(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    assert _run(["--state", str(state), "--api-key", API_KEY, "--oauth-token", OAUTH_TOKEN], revoke=True)["data"]
    assert json.loads(state.read_text())["oauth_tokens"] == {OAUTH_TOKEN: "revoked"}
    assert _run(["--state", str(state)])["data"]


def _run(arguments: list[str], revoke: bool = False) -> Any:
    command = [sys.executable, "-m", "headgate_dev.emulator", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=dict(os.environ)) as process:
        try:
            assert process.stdout is not None
            url = json.loads(process.stdout.readline())["url"]
            if revoke:
                change = {"oauth_tokens": {OAUTH_TOKEN: "revoked"}}
                assert httpx.post(f"{url}/_emulator/tokens", json=change, timeout=10).status_code == 200
            answer = _get(url)
        finally:
            process.terminate()
        assert process.wait(timeout=10) == 0
    return answer
