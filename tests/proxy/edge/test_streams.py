"""Streams that break, stall or are abandoned, and a proxy that stops while they run."""

import asyncio
import json
from typing import Any

import pytest

from headgate_dev.emulator import Fault, FaultKind


@pytest.fixture
def gate(gate: Any) -> Any:
    gate.provider()
    return gate


def post(gate: Any, body: Any, text: str = "write 40 words", **more: Any) -> Any:
    return gate.http.post(gate.url + "/v1/messages", json=body(text, stream=True) | more, headers=gate.headers())


async def finished(gate: Any) -> Any:
    """Return the outcome of the last request once its handler is done."""
    async with asyncio.timeout(5):
        await gate.trace.ended.wait()
    return gate.trace.outcomes[0]


async def test_a_stream_cut_between_events_ends_with_an_error_event(gate: Any, body: Any) -> None:
    gate.emu.add_fault(Fault(kind=FaultKind.CUT, after_events=3))
    async with post(gate, body) as response:
        received = await response.read()
    assert response.status == 200
    upstream = gate.emu.requests[0].response_body
    assert received.startswith(upstream)
    assert received[len(upstream) :].startswith(b'event: error\ndata: {"type":"error"')
    outcome = await finished(gate)
    assert outcome.truncated
    assert len(gate.emu.requests) == 1  # nothing is retried after the first byte


@pytest.mark.parametrize("kind", [FaultKind.CUT_MID_EVENT, FaultKind.CUT_MID_CHARACTER])
async def test_a_stream_cut_inside_an_event_is_seen_to_be_cut(gate: Any, body: Any, kind: Any) -> None:
    gate.emu.add_fault(Fault(kind=kind, after_events=3))
    received = b""
    with pytest.raises(Exception, match=r"payload|closed|Connection"):
        async with post(gate, body) as response:
            async for piece in response.content.iter_any():
                received += piece
    assert b"event: error" not in received
    assert (await finished(gate)).truncated


async def test_the_vendors_own_error_event_passes_unchanged(gate: Any, body: Any) -> None:
    gate.emu.add_fault(Fault(kind=FaultKind.STREAM_ERROR, after_events=2))
    async with post(gate, body) as response:
        received = await response.read()
    assert received == gate.emu.requests[0].response_body
    assert (await finished(gate)).error_type == "overloaded_error"


@pytest.mark.parametrize("size", [1, 7])
async def test_bytes_are_the_same_however_they_are_cut(gate: Any, body: Any, size: int) -> None:
    gate.emu.add_fault(Fault(kind=FaultKind.DRIBBLE, chunk_bytes=size))
    async with post(gate, body) as response:
        received = await response.read()
    assert received == gate.emu.requests[0].response_body
    facts = (await finished(gate)).facts
    assert facts.stop_reason == "end_turn"
    assert facts.usage.output_tokens > 0


async def test_a_compressed_answer_passes_as_it_is(gate: Any, body: Any) -> None:
    gate.emu.add_fault(Fault(kind=FaultKind.GZIP))
    async with post(gate, body) as response:
        received = await response.read()
    assert response.headers["content-encoding"] == "gzip"
    assert received == gate.emu.requests[0].response_body


async def test_events_pass_one_by_one(gate: Any, body: Any) -> None:
    held = gate.emu.add_fault(Fault(kind=FaultKind.HOLD, after_events=2))
    async with post(gate, body) as response:
        await gate.emu.wait_held(held)
        async with asyncio.timeout(5):
            received = b""
            while received.count(b"\n\n") < 2:
                received += await response.content.readany()
        gate.emu.release(held)
        received += await response.read()
    assert received == gate.emu.requests[0].response_body


@pytest.mark.parametrize("after", [None, 2])
async def test_a_client_that_leaves_ends_the_upstream_call(gate: Any, body: Any, after: int | None) -> None:
    held = gate.emu.add_fault(Fault(kind=FaultKind.HOLD, after_events=after))

    async def leave() -> None:
        async with post(gate, body) as response:
            await response.read()

    async with asyncio.TaskGroup() as group:
        client = group.create_task(leave())
        await gate.emu.wait_held(held)
        client.cancel()
    await gate.emu.wait_until(lambda: gate.emu.requests[0].disconnected)
    outcome = await finished(gate)
    assert outcome.disconnected
    assert outcome.status == (499 if after is None else 200)


async def test_a_stream_that_falls_silent_is_ended(gate: Any, body: Any) -> None:
    gate.provider(timeouts={"idleSeconds": 1})
    held = gate.emu.add_fault(Fault(kind=FaultKind.HOLD, after_events=2))
    async with post(gate, body) as response:
        received = await response.read()
    gate.emu.release(held)
    assert received.endswith(b"\n\n")
    assert b"timeout_error" in received


async def test_a_slow_reader_holds_the_upstream_back(gate: Any, body: Any) -> None:
    """An upstream that pours out 256 MiB gets rid of no more than sockets and two small buffers hold."""
    poured, stuck, left = 0, asyncio.Event(), asyncio.Event()

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal poured
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 268435456\r\n\r\n")
        try:
            while poured < 268435456:
                writer.write(b"x" * 65536)
                poured += 65536
                try:
                    async with asyncio.timeout(1):
                        await writer.drain()
                except TimeoutError:
                    stuck.set()
                    await writer.drain()
        except ConnectionError:
            left.set()
        finally:
            writer.close()

    async with await asyncio.start_server(pour, "127.0.0.1") as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        gate.provider(endpoint=url)
        gate.hold("team-a/llmproviders/claude/api-key", "k", origins=(url,))
        sent = json.dumps(body(stream=True)).encode()
        head = "".join(f"{name}: {value}\r\n" for name, value in gate.headers().items())
        _, writer = await asyncio.open_connection("127.0.0.1", gate.edge.port, limit=1024)
        writer.write(
            f"POST /v1/messages HTTP/1.1\r\nhost: x\r\n{head}content-length: {len(sent)}\r\n\r\n".encode() + sent
        )
        async with asyncio.timeout(20):
            await stuck.wait()
            assert poured < 64 * 1024 * 1024
            writer.transport.abort()
            await left.wait()


async def refused(port: int) -> bool:
    """Return True once nobody listens on the port any more; TimeoutError after five seconds."""
    async with asyncio.timeout(5):
        while True:
            await asyncio.sleep(0.05)
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                return True
            writer.close()
            await writer.wait_closed()


async def test_open_streams_run_to_their_end_while_the_proxy_stops(gate: Any, body: Any) -> None:
    held = gate.emu.add_fault(Fault(kind=FaultKind.HOLD, after_events=2))
    async with asyncio.TaskGroup() as group, post(gate, body) as response:
        await gate.emu.wait_held(held)
        stopping = group.create_task(gate.edge.drain(10))
        assert await refused(gate.edge.port)
        assert not stopping.done()
        gate.emu.release(held)
        received = await response.read()
    assert received == gate.emu.requests[0].response_body


async def test_a_stream_that_outlasts_the_drain_is_told(gate: Any, body: Any) -> None:
    held = gate.emu.add_fault(Fault(kind=FaultKind.HOLD, after_events=2))
    async with post(gate, body) as response:
        await gate.emu.wait_held(held)
        await gate.edge.drain(0.2)
        received = await response.read()
    assert received.endswith(b"\n\n")
    assert b"overloaded_error" in received
    assert gate.edge.open_requests == 0


async def test_a_request_without_an_answer_yet_is_told_too(gate: Any, body: Any) -> None:
    held = gate.emu.add_fault(Fault(kind=FaultKind.HOLD))

    async def ask() -> int:
        async with post(gate, body) as response:
            return int(response.status)

    async with asyncio.TaskGroup() as group:
        asking = group.create_task(ask())
        await gate.emu.wait_held(held)
        await gate.edge.drain(0.1)
    assert asking.result() == 503
