"""Requests that no well-behaved client sends: each is answered in the envelope, or served, and none goes upstream crooked."""

import asyncio
import json
import logging
from typing import Any

import pytest

from headgate_dev.emulator import Fault, FaultKind


@pytest.fixture
def gate(gate: Any) -> Any:
    gate.provider()
    return gate


@pytest.fixture
def sent(body: Any) -> bytes:
    return json.dumps(body()).encode()


def envelope(received: bytes) -> dict[str, Any]:
    head, _, content = received.partition(b"\r\n\r\n")
    assert b"content-type: application/json" in head.lower()
    answer = json.loads(content)
    assert answer["type"] == "error"
    assert f"request-id: {answer['request_id']}".encode() in head
    assert b"aiohttp" not in received
    error: dict[str, Any] = answer["error"]
    return error


SMUGGLED = [
    ("content-length: 100", "transfer-encoding: chunked"),
    ("content-length: 100", "content-length: 5"),
    ("content-length: +100",),
    ("content-length : 100",),
    ("transfer-encoding: xchunked",),
    ("transfer-encoding: gzip, chunked",),
    ("transfer-encoding: chunked", "transfer-encoding: identity"),
    ("content-length: 100", "x-folded: a\r\n b"),
    ("content-length: 100", "x-nul: a\x00b"),
]


@pytest.mark.parametrize("lines", SMUGGLED)
async def test_two_ways_to_read_a_request_are_none(gate: Any, wire: Any, sent: bytes, lines: tuple[str, ...]) -> None:
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(sent), sent)
    received = await wire.exchange(wire.request(chunked, *lines))
    assert received.startswith((b"HTTP/1.0 400", b"HTTP/1.1 400"))
    assert received.count(b"HTTP/1.") == 1 + received.count(b"valid HTTP/1.1")
    assert envelope(received)["type"] == "invalid_request_error"
    assert gate.emu.requests == []


async def test_what_is_no_http_is_neither_quoted_nor_logged(
    gate: Any, wire: Any, sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    token = gate.cluster.token()
    for bad in (
        wire.request(sent).replace(b"\r\n", b"\n"),
        f"GET /v1/models?{token}\xff HTTP/1.1\r\nhost: x\r\n\r\n".encode("latin-1"),
        f"GET /v1/models HTTP/1.1\r\nhost: x\r\nx-api-key {token}\r\n\r\n".encode(),
    ):
        with caplog.at_level(logging.INFO):
            received = await wire.exchange(bad)
        envelope(received)
        assert token.encode() not in received
    assert "eyJ" not in caplog.text
    assert "Traceback" not in caplog.text


async def test_a_plain_port_says_that_it_is_none_for_tls(gate: Any, wire: Any) -> None:
    received = await wire.exchange(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    assert "http://" in envelope(received)["message"]


@pytest.mark.parametrize(
    ("target", "lines"),
    [("/" + "a" * 40000, ()), ("/v1/messages", ("x: " + "a" * 40000,)), ("/v1/messages", ("a: b",) * 3000)],
)
async def test_headers_have_bounds(gate: Any, wire: Any, sent: bytes, target: str, lines: tuple[str, ...]) -> None:
    received = await wire.exchange(wire.request(sent, *lines, target=target))
    assert b" 431 " in received.partition(b"\r\n")[0]
    envelope(received)


@pytest.mark.parametrize("target", ["http://gate.example/v1/messages", "HTTPS://gate:8080/claude/v1/messages"])
async def test_absolute_targets_are_understood(gate: Any, wire: Any, sent: bytes, target: str) -> None:
    received = await wire.exchange(wire.request(sent, target=target))
    assert received.startswith(b"HTTP/1.1 200")
    assert gate.emu.requests[0].target == "/v1/messages"
    assert gate.trace.path == target[target.index("/", 8) :]


@pytest.mark.parametrize(
    "target",
    [
        "//v1//messages",
        "/v1/%6dessages",
        "/claude/../v1/messages",
        "/v1/messages/",
        "/v1/messages/batches",
        "/v1/files",
    ],
)
async def test_paths_lead_nowhere_else(gate: Any, wire: Any, sent: bytes, target: str) -> None:
    received = await wire.exchange(wire.request(sent, target=target))
    assert received.startswith(b"HTTP/1.1 404")
    assert target in envelope(received)["message"]
    assert gate.emu.requests == []
    assert gate.trace.path == "unknown"


async def test_one_model_can_be_asked_for(gate: Any) -> None:
    gate.provider(models=[{"name": "claude-sonnet-5-5", "aliases": ["house/sonnet"]}])
    async with gate.sdk() as sdk:
        for asked in ("claude-sonnet-5-5", "house/sonnet"):
            assert (await sdk.models.retrieve(asked)).id == "claude-sonnet-5-5"
    assert gate.trace.path == "/v1/models/{model}"
    async with gate.http.get(gate.url + "/claude/v1/models/other", headers=gate.headers()) as response:
        assert response.status == 404
        assert (await response.json())["error"]["type"] == "not_found_error"
    async with gate.http.get(gate.url + "/v1/models/claude-sonnet-5-5") as response:
        assert response.status == 401


async def test_the_model_that_the_upstream_reads_is_the_one_routed_by(gate: Any) -> None:
    gate.provider(models=[{"name": "house", "upstreamName": "claude-sonnet-5-5"}])
    tail = b'"max_tokens":9,"messages":[{"role":"user","content":"x"}]}'
    for twice, status in (
        (b'{"model":"other","\\u006dodel":"h\\u006fuse",' + tail, 200),
        (b'{"model":"house","\\u006dodel":"other",' + tail, 404),
    ):
        async with gate.http.post(gate.url + "/v1/messages", data=twice, headers=gate.headers()) as response:
            assert response.status == status
    assert len(gate.emu.requests) == 1
    assert json.loads(gate.emu.requests[0].body)["model"] == "claude-sonnet-5-5"
    assert b"other" not in gate.emu.requests[0].body


async def test_an_error_repeats_little_of_what_it_is_about(gate: Any, body: Any) -> None:
    headers = gate.headers() | {"x-headgate-provider": "p" * 5000}
    for asked in ({"model": "m" * 1_000_000}, {}):
        async with gate.http.post(gate.url + "/v1/messages", json=body() | asked, headers=headers) as response:
            assert response.status == 404
            assert len(await response.read()) < 1000


async def test_bodies_held_at_one_time_have_a_bound(gate: Any, body: Any) -> None:
    """What one request more would take is refused so that it may come again; nothing is lost, and the room comes back."""
    await gate.edge.close()
    await gate.start(buffered_bytes=300_000)
    large = body("x" * 200_000)

    async def ask() -> tuple[int, str | None]:
        async with gate.http.post(gate.url + "/v1/messages", json=large, headers=gate.headers()) as response:
            return response.status, response.headers.get("x-should-retry")

    held = gate.emu.add_fault(Fault(kind=FaultKind.HOLD))
    async with asyncio.TaskGroup() as group:
        first = group.create_task(ask())
        await gate.emu.wait_held(held)
        assert await ask() == (503, None)
        gate.emu.release(held)
    assert first.result()[0] == 200
    assert (await ask())[0] == 200


async def test_a_request_still_arriving_is_told_that_the_proxy_stops(gate: Any, wire: Any, sent: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", gate.edge.port)
    writer.write(wire.request(sent)[:-5])
    async with asyncio.timeout(10):
        await gate.tracing.begun.wait()
        await gate.edge.drain(0.1)
        received = await reader.readuntil(b'"}')
    writer.close()
    await writer.wait_closed()
    assert received.startswith(b"HTTP/1.1 503")
    assert b"overloaded_error" in received
    assert gate.edge.open_requests == 0


async def test_no_caller_talks_the_gate_out_of_a_credential_that_others_use(gate: Any, body: Any) -> None:
    gate.provider(modes=("Subscription", "APIKey"), fallback={"quotaExhausted": "Allow"})
    gate.account()
    named = "Your credit balance is too low to access the Anthropic API"
    said = f"{named}: Extra inputs are not permitted"  # as the vendor answers a field of that name
    gate.emu.add_fault(Fault(kind=FaultKind.UNAUTHORIZED, status=400, message=said))
    async with gate.http.post(gate.url + "/v1/messages", json=body() | {named: 1}, headers=gate.headers()) as response:
        assert response.status == 400
        assert "credit balance" in await response.text()
    async with gate.http.post(gate.url + "/v1/messages", json=body(), headers=gate.headers()) as response:
        assert response.headers["x-headgate-auth-mode"] == "Subscription"
    assert [request.credential_kind for request in gate.emu.requests] == ["oauth", "oauth"]
