"""Upstreams that break the protocol, repeat what they were sent, or close a connection at the wrong moment."""

import asyncio
import io
import json
import tracemalloc
from typing import Any

import pytest

JSON = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
START = (
    b'event: message_start\r\ndata: {"type":"message_start","message":{"id":"m","usage":{"input_tokens":7}}}\r\n\r\n'
)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def whole(data: bytes) -> bytes:
    return JSON + b"content-length: %d\r\n\r\n%s" % (len(data), data)


async def ask(gate: Any, body: Any, **more: Any) -> tuple[Any, bytes]:
    async with gate.http.post(gate.url + "/v1/messages", json=body(**more), headers=gate.headers()) as response:
        return response, await response.read()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
        b"HTTP/1.1 999 What\r\ncontent-length: 2\r\n\r\nhi",
        b"SSH-2.0-OpenSSH\r\n",
        JSON + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        JSON + b"content-length: 5\r\ncontent-length: 9\r\n\r\nhello",
        JSON + b"x: " + b"a" * 100_000 + b"\r\ncontent-length: 2\r\n\r\nhi",
    ],
)
async def test_what_is_no_answer_does_not_pass(gate: Any, wire: Any, body: Any, answer: bytes) -> None:
    async with wire.upstream(answer, None):
        response, received = await ask(gate, body)
    assert response.status == 502
    assert b"api_error" in received
    assert b"ClientResponseError" not in received


async def test_a_stream_whose_framing_breaks_ends_at_once(gate: Any, wire: Any, body: Any) -> None:
    async with wire.upstream(STREAM, chunk(START), b"zz\r\n", None), asyncio.timeout(5):
        response, received = await ask(gate, body, stream=True)
    assert response.status == 200
    assert received.startswith(START + b"event: error\n")
    assert gate.trace.outcomes[0].truncated


async def test_nonsense_in_usage_counts_as_nothing(gate: Any, wire: Any, body: Any) -> None:
    told = b'{"id":"%s","model":"m","usage":{"input_tokens":-5,"output_tokens":99999999999999999999}}' % (b"i" * 5000)
    async with wire.upstream(whole(told)):
        response, received = await ask(gate, body)
    assert (response.status, received) == (200, told)
    facts = gate.trace.outcomes[0].facts
    assert (facts.usage.input_tokens, facts.usage.output_tokens) == (0, 0)
    assert len(facts.message_id) == 256


@pytest.mark.parametrize("status", [400, 404, 422, 429, 500])
async def test_an_error_that_repeats_the_gates_credential_is_masked(
    gate: Any, wire: Any, body: Any, status: int
) -> None:
    told = b'{"type":"error","error":{"type":"x","message":"bad key emulated-api-key!"}}'
    answer = b"HTTP/1.1 %d No\r\nx-echo: emulated-api-key\r\ncontent-length: %d\r\n\r\n%s" % (status, len(told), told)
    async with wire.upstream(answer):
        response, received = await ask(gate, body)
    assert response.status == status
    assert received == told.replace(b"emulated-api-key", b"*" * 16)
    assert response.headers["x-echo"] == "*" * 16


async def test_an_idle_connection_that_was_just_closed_costs_nobody_a_request(gate: Any, body: Any) -> None:
    """The upstream closes on the second request of a connection without a byte, as one does whose idle time has run out."""
    requests = 0

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        for answers in (True, False):
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            requests += 1
            await reader.readexactly(int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]))
            if answers:
                writer.write(whole(b"{}"))
                await writer.drain()
        writer.close()

    async with await asyncio.start_server(once, "127.0.0.1") as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        gate.provider(endpoint=url)
        gate.hold("team-a/llmproviders/claude/api-key", "emulated-api-key", origins=(url,))
        for _ in range(4):
            response, _ = await ask(gate, body)
            assert response.status == 200
            assert gate.trace.failures == []
        assert requests == 7  # each but the first met the closed one first
        await gate.edge.close()


async def test_a_fresh_connection_that_breaks_is_not_tried_again(gate: Any, wire: Any, body: Any) -> None:
    async with wire.upstream(None) as upstream:
        response, _ = await ask(gate, body)
    assert response.status == 502
    assert upstream.requests == 1


async def test_an_answer_that_had_begun_is_not_asked_for_again(gate: Any, wire: Any, body: Any) -> None:
    async with wire.upstream(whole(b"{}")) as upstream:
        await ask(gate, body)
        upstream.pieces = (b"HTTP/1.1 200 OK\r\ncontent-le", None)
        response, _ = await ask(gate, body)
    assert response.status == 502
    assert upstream.requests == 2


async def test_a_stream_does_not_keep_its_request(gate: Any, wire: Any, body: Any) -> None:
    """A prompt of megabytes must not stay in memory for as long as its answer is streamed."""
    go = asyncio.Event()
    tracemalloc.start()
    try:
        async with wire.upstream(STREAM, chunk(START), go, b"0\r\n\r\n") as upstream:
            prompt = json.dumps(body("x" * 8_000_000, stream=True)).encode()
            async with gate.http.post(
                gate.url + "/v1/messages", data=io.BytesIO(prompt), headers=gate.headers()
            ) as response:
                assert await response.content.readexactly(len(START)) == START
                upstream.bodies.clear()
                held = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, "*/headgate_proxy/*")])
                assert sum(trace.size for trace in held.traces) < 1_000_000
                go.set()
                await response.read()
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("key", "retry"), [("wrong-key", "false"), ("emulated-api-key", None)])
async def test_clients_are_told_when_trying_again_is_no_use(gate: Any, body: Any, key: str, retry: str | None) -> None:
    gate.provider(key=key, endpoint=gate.emu.url if retry else "http://127.0.0.1:1")
    gate.hold("team-a/llmproviders/claude/api-key", key, origins=(gate.emu.url, "http://127.0.0.1:1"))
    response, _ = await ask(gate, body)
    assert response.status == 502
    assert response.headers.get("x-should-retry") == retry


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"headers": {"x-team": "a\r\nx-evil: 1"}}, "spec.headers"),
        ({"endpoint": "http://a.example\\.b.example"}, "spec.endpoint"),
    ],
)
async def test_a_provider_that_http_cannot_express_is_no_defect_of_the_proxy(
    gate: Any, body: Any, spec: dict[str, Any], says: str
) -> None:
    gate.provider(**spec)
    gate.hold(
        "team-a/llmproviders/claude/api-key", "emulated-api-key", origins=(gate.emu.url, "http://a.example\\.b.example")
    )
    response, received = await ask(gate, body)
    assert response.status == 502
    assert says in received.decode()
    assert gate.emu.requests == []
