"""Callers that try to harm the relay, and canary pods that answer what no canary pod should: nobody notices but the counts."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from headgate_api.snapshot import Endpoint
from headgate_dev.emulator import Fault, FaultKind
from headgate_proxy.tracks import canary as relaying
from headgate_proxy.tracks.endpoints import FAILURES

STABLE, CANDIDATE = "emulated-key-stable", "emulated-key-candidate"
REASON = "x-headgate-track-reason"
SERVER_NAME = "headgate-proxy-edge.headgate-system.svc"
ROLLOUT = b"x-headgate-rollout: team-a/gate@abc123-1\r\n"
MODEL_LINE = {"model": "claude-sonnet-4-5", "max_tokens": 5, "messages": [{"role": "user", "content": "hello"}]}


async def raw(world: Any, *more: bytes, target: bytes = b"/v1/messages") -> tuple[int, dict[str, str]]:
    """Send one request with further header lines, byte for byte; return status and headers of the answer."""
    body = json.dumps(MODEL_LINE).encode()
    lines = [f"{name}: {value}".encode() for name, value in world.headers().items()]
    lines += [b"host: x", b"connection: close", b"content-length: %d" % len(body), *more]
    reader, writer = await asyncio.open_connection("127.0.0.1", world.stable.edge.port)
    try:
        writer.write(b"\r\n".join([b"POST " + target + b" HTTP/1.1", *lines, b"", body]))
        async with asyncio.timeout(10):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
    finally:
        writer.close()
    first, *rest = head.strip().split("\r\n")
    return int(first.split()[1]), {name.lower(): value for name, _, value in (line.partition(": ") for line in rest)}


@asynccontextmanager
async def odd_canary(world: Any, answer: bytes, *, tls: bool = True) -> AsyncIterator[None]:
    """Put a pod in the canary's place that answers this to every request, whatever it is, and hangs up.

    Without ``tls`` it says nothing at all, so that no handshake ever ends.
    """
    served: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (task := asyncio.current_task()) is not None:
            served.add(task)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            if tls:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(answer)
                await writer.drain()
            else:
                await reader.read()
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()

    context = world.tls.server_context() if tls else None
    async with await asyncio.start_server(serve, "127.0.0.1", ssl=context) as server:
        world.endpoints = [Endpoint(pod="odd", address="127.0.0.1", port=server.sockets[0].getsockname()[1])]
        world.publish()
        yield
    await asyncio.gather(*served)


@pytest.mark.parametrize("named", [b"authorization", b"x-headgate-provider, Authorization, X-Api-Key"])
async def test_a_caller_cannot_have_its_credential_dropped_on_the_way(world: Any, named: bytes) -> None:
    status, told = await raw(world, b"connection: " + named)
    assert (status, told["x-headgate-track"]) == (200, "canary")


async def test_a_query_that_holds_an_url_arrives_as_it_was_sent(world: Any) -> None:
    target = b"/v1/messages?beta=true&next=http://elsewhere.example/x"
    for asked in (target, b"http://gate.example:80" + target):
        status, told = await raw(world, target=asked)
        assert (status, told["x-headgate-track"]) == (200, "canary")
        assert world.emu.requests[-1].target == target.decode()


async def test_whatever_headers_a_stable_pod_takes_the_canary_pod_takes(world: Any) -> None:
    own = 6  # what every request of these tests carries
    status, told = await raw(world, *(b"x-%d: v" % number for number in range(127 - own)))
    assert (status, told["x-headgate-track"]) == (200, "canary")


NOT_AN_ANSWER = {
    "redirect": b"HTTP/1.1 302 Found\r\n" + ROLLOUT + b"location: https://elsewhere.example/\r\n",
    "not modified": b"HTTP/1.1 304 Not Modified\r\n" + ROLLOUT,
    "upgrade": b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n" + ROLLOUT,
    "no status": b"HTTP/1.1 999 Odd\r\ncontent-length: 0\r\n" + ROLLOUT,
    "no canary's": b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n",
    "another rollout's": b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx-headgate-rollout: team-a/gate@abc123-0\r\n",
}


@pytest.mark.parametrize("answer", NOT_AN_ANSWER.values(), ids=NOT_AN_ANSWER)
@pytest.mark.parametrize("size", [1, 800_000])
async def test_what_no_canary_pod_answers_is_its_failure(world: Any, answer: bytes, size: int) -> None:
    async with odd_canary(world, answer + b"\r\n"):
        for _ in range(FAILURES):
            told = await world.ask("x" * size)
            assert (told.status, told.headers[REASON]) == (200, "CanaryFailed")
        assert (await world.ask()).headers[REASON] == "CanaryUnavailable"
    _, canary = world.counted()
    assert (canary.requests, canary.errors) == (FAILURES, FAILURES)


@pytest.mark.parametrize("status", [b"401 Unauthorized", b"403 Forbidden"])
async def test_a_caller_that_stable_let_in_is_not_sent_away_by_the_canary(world: Any, status: bytes) -> None:
    """A client that sees a 401 asks its user to log in (S4.4); a canary that turns callers away does harm."""
    async with odd_canary(world, b"HTTP/1.1 " + status + b"\r\ncontent-length: 0\r\n" + ROLLOUT + b"\r\n"):
        for _ in range(FAILURES + 1):
            told = await world.ask()
            assert (told.status, told.headers[REASON]) == (200, "CanaryRefusedCaller")
    stable, canary = world.counted()
    told_of = (canary.requests, canary.errors, canary.auth_failures)
    assert (stable.requests, *told_of) == (0, FAILURES + 1, FAILURES + 1, FAILURES + 1)


async def test_a_refusal_with_a_reason_that_is_none_counts_as_unavailable(world: Any) -> None:
    for told in (b"Weight", b"Audience", b"nonsense"):
        async with odd_canary(world, b"HTTP/1.1 503 X\r\nx-headgate-relay-refused: " + told + b"\r\n\r\n"):
            assert (await world.ask()).headers[REASON] == "CanaryUnavailable"


async def test_headers_that_lead_past_the_gate_do_not_reach_the_client(world: Any) -> None:
    odd = b"set-cookie: a=b\r\nalt-svc: h3\r\nwww-authenticate: Basic\r\nlocation: /x\r\nx-fine: yes\r\n"
    async with odd_canary(world, b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n" + ROLLOUT + odd + b"\r\n{}"):
        told = await world.ask()
    assert (told.status, told.headers["x-fine"]) == (200, "yes")
    assert not {"set-cookie", "alt-svc", "www-authenticate", "location"} & {name.lower() for name in told.headers}


async def test_a_pod_that_never_ends_its_handshake_costs_seconds_not_the_request(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relaying, "_CONNECT_SECONDS", 0.2)
    async with odd_canary(world, b"", tls=False), asyncio.timeout(5):
        assert (await world.ask()).headers[REASON] == "CanaryFailed"


async def test_more_streams_than_a_pod_relays_are_served_by_stable(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relaying, "_POOL", 1)
    held = world.emu.add_fault(Fault(kind=FaultKind.HOLD, after_events=2))
    async with asyncio.TaskGroup() as group:
        streaming = group.create_task(world.ask("write 40 words", stream=True))
        await world.emu.wait_held(held)
        async with asyncio.timeout(5):
            assert (await world.ask()).headers[REASON] == "CanaryOverloaded"
        world.emu.release(held)
    assert streaming.result().headers["x-headgate-track"] == "canary"
    assert (await world.ask()).headers["x-headgate-track"] == "canary"


async def test_an_endpoint_that_a_stable_pod_answers_at_is_no_canary(world: Any) -> None:
    """Addresses are used again: a stable pod that is taken for a canary must not relay to itself for ever."""
    token = {"x_headgate_relay": "team-a/gate@abc123-1", "x_headgate_relay_token": world.relay_token()}
    answer = await world.ask(headers=world.headers(**token))
    assert (answer.status, answer.headers["x-headgate-relay-refused"]) == (421, "CanaryUnavailable")
    assert not world.emu.requests


async def test_stable_serves_by_what_it_runs_on_when_the_canary_gives_up(world: Any) -> None:
    """The rollout was promoted while the canary pod was at work: the form before it has no key any more."""
    held = world.emu.add_fault(Fault(kind=FaultKind.HOLD, credential=CANDIDATE))
    async with asyncio.TaskGroup() as group:
        asking = group.create_task(world.ask())
        await world.emu.wait_held(held)
        promote(world)
        await world.canary.edge.close()
    assert asking.result().status == 200
    assert world.served == [CANDIDATE, CANDIDATE]


def promote(world: Any) -> None:
    form: Callable[..., Any] = world._form
    world._form = lambda revision, version, **spec: form(revision, 2, **spec)
    world.split = {}
    world.publish(world.stable)
    world.credentials.held = {key: held for key, held in world.credentials.held.items() if key[1] == 2}


async def test_one_id_names_a_request_on_both_pods_and_to_the_client(world: Any) -> None:
    sent = world.headers(x_headgate_request_id="hgreq_" + "0" * 24, traceparent=f"00-{'a' * 32}-{'b' * 16}-01")
    for headers in (sent, world.headers()):
        answer = await world.ask(headers=headers)
        (line, other) = (await world.stable.done(), await world.canary.done())
        assert answer.headers["x-headgate-request-id"] == line["request_id"] == other["request_id"]
        assert line["request_id"] != "hgreq_" + "0" * 24
        for pod in (world.stable, world.canary):
            pod.written.clear()


async def test_a_refusal_by_the_canary_has_that_id_too(world: Any) -> None:
    world.candidate = {"models": [{"name": "claude-haiku-4-5"}]}
    world.publish()
    async with world.post() as response:
        told = await response.json()
    assert (response.status, response.headers["x-headgate-track"]) == (404, "canary")
    assert told["request_id"] == (await world.stable.done())["request_id"] == (await world.canary.done())["request_id"]


async def test_an_id_is_taken_from_a_trusted_pod_only_and_only_if_it_is_one(world: Any) -> None:
    given = "hgreq_" + "1" * 24
    relay = {"x_headgate_relay": "team-a/gate@abc123-1", "x_headgate_relay_token": world.relay_token()}
    for more in (
        {**relay, "x_headgate_relay_token": "forged", "x_headgate_request_id": given},
        {**relay, "x_headgate_request_id": given + "\u00fc"},
        {**relay, "x_headgate_request_id": "x" * 5000},
    ):
        world.canary.written.clear()
        url, name = f"https://127.0.0.1:{world.canary.edge.port_https}/v1/messages", SERVER_NAME
        trusting = world.tls.client_context()
        async with world.http.post(
            url, json=MODEL_LINE, headers=world.headers(**more), ssl=trusting, server_hostname=name
        ) as response:
            await response.read()
        told = (await world.canary.done())["request_id"]
        assert told == response.headers["x-headgate-request-id"]
        assert told != given
        assert len(told) == len(given)


async def test_a_stream_that_ends_without_saying_why_was_cut_short(world: Any) -> None:
    """A canary that ends a stream in good order, but in the middle, does harm that no broken connection shows."""
    started = (
        b'event: message_start\ndata: {"type":"message_start","message":{"id":"m","usage":{"input_tokens":3}}}\n\n'
    )
    answer = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n" % len(started)
    async with odd_canary(world, answer + ROLLOUT + b"\r\n" + started):
        assert (await world.ask(stream=True)).status == 200
    assert world.counted()[1].truncated == 1
