"""What happens when the canary does not take a request, or breaks: the client is served, and the canary is charged for it."""

import asyncio
import json
from typing import Any

import pytest

from headgate_dev.emulator import Fault, FaultKind
from headgate_dev.emulator.tls import throwaway_tls
from headgate_proxy.tracks.endpoints import FAILURES

STABLE, CANDIDATE = "emulated-key-stable", "emulated-key-candidate"
REASON = "x-headgate-track-reason"


async def served_by_stable(world: Any, reason: str) -> None:
    answer = await world.ask()
    assert (answer.status, answer.headers["x-headgate-track"]) == (200, "stable")
    assert answer.headers[REASON] == reason
    assert world.served[-1] == STABLE


def requests(world: Any) -> tuple[int, int, int]:
    """Return (stable requests, canary requests, canary errors)."""
    stable, canary = world.counted()
    return stable.requests, canary.requests, canary.errors


async def test_without_a_canary_pod_stable_serves_and_says_so(world: Any) -> None:
    world.endpoints = []
    world.publish()
    await served_by_stable(world, "CanaryUnavailable")
    assert requests(world) == (1, 0, 0)


async def test_without_a_stable_form_the_client_is_told_to_come_again(world: Any) -> None:
    world.endpoints, world.has_stable = [], False
    world.publish()
    answer = await world.ask()
    assert (answer.status, answer.headers[REASON]) == (503, "CanaryUnavailable")


async def test_a_weight_that_nobody_confirms_counts_as_zero(world: Any) -> None:
    world.stable.live.confirmed = False
    await served_by_stable(world, "WeightUnconfirmed")
    answer = await world.ask(headers=world.headers("tester"))
    assert (answer.headers["x-headgate-track"], answer.headers[REASON]) == ("stable", "WeightUnconfirmed")


async def test_a_canary_pod_that_is_gone_is_charged_and_then_left_alone(world: Any) -> None:
    await world.canary.edge.close()
    for number in range(1, FAILURES + 1):
        await served_by_stable(world, "CanaryFailed")
        assert requests(world) == (0, number, number)
    await served_by_stable(world, "CanaryUnavailable")
    assert requests(world) == (1, FAILURES, FAILURES)
    labels = {"policy": "team-a/gate", "revision": "abc123-1"}
    assert world.stable.sample("relay_failures_total", **labels, reason="CanaryFailed") == FAILURES
    assert world.stable.sample("canary_ejections_total") == 1
    assert world.stable.lines[0]["decision"] == "stable"


@pytest.mark.parametrize(("stopped", "reason", "charged"), [(False, "CanaryFailed", 1), (True, "CanaryDraining", 0)])
async def test_stable_serves_when_the_canary_pod_ends_before_its_first_byte(
    world: Any, stopped: bool, reason: str, charged: int
) -> None:
    """A pod that crashes is charged; one that was told to stop, and says so, is not."""
    held = world.emu.add_fault(Fault(kind=FaultKind.HOLD, credential=CANDIDATE))
    async with asyncio.TaskGroup() as group:
        asking = group.create_task(world.ask())
        await world.emu.wait_held(held)
        await (world.canary.edge.close() if stopped else abort(world.canary))
    answer = asking.result()
    assert (answer.status, answer.headers[REASON]) == (200, reason)
    assert world.served == [CANDIDATE, STABLE]
    assert requests(world) == (1 - charged, charged, charged)


async def test_a_canary_pod_that_dies_in_the_middle_of_a_stream_is_seen_and_counted(world: Any) -> None:
    held = world.emu.add_fault(Fault(kind=FaultKind.HOLD, after_events=3))
    async with world.post("write 40 words", stream=True) as response:
        await world.emu.wait_held(held)
        received = await response.content.readany()
        await asyncio.wait_for(abort(world.canary), 5)
        received += await response.read()
    assert b"event: error" in received
    assert (await world.stable.done())["truncated"]
    _, canary = world.counted()
    assert (canary.requests, canary.truncated, canary.errors) == (1, 1, 0)
    assert world.served == [CANDIDATE]  # nothing is sent again after the first byte


async def abort(pod: Any) -> None:
    """End a pod's connections at once, as its kernel does when it crashes."""
    for connection in list(pod.edge._runner.server.connections):
        connection.transport.abort()


async def test_a_stream_that_the_candidates_upstream_cuts_is_counted_too(world: Any) -> None:
    world.emu.add_fault(Fault(kind=FaultKind.CUT, after_events=3))
    answer = await world.ask("write 40 words", stream=True)
    assert answer.headers["x-headgate-track"] == "canary"
    assert world.counted()[1].truncated == 1


async def test_a_draining_canary_pod_is_passed_over_and_not_charged(world: Any) -> None:
    await world.ask()  # a connection that is kept alive
    held = world.emu.add_fault(Fault(kind=FaultKind.HOLD, after_events=2))
    async with asyncio.TaskGroup() as group:
        streaming = group.create_task(world.ask("write 40 words", stream=True))
        await world.emu.wait_held(held)
        stopping = group.create_task(world.canary.edge.drain(10))
        await asyncio.sleep(0)
        await served_by_stable(world, "CanaryDraining")
        await served_by_stable(world, "CanaryUnavailable")
        world.emu.release(held)
        await stopping
    assert streaming.result().headers["x-headgate-track"] == "canary"
    assert requests(world) == (2, 2, 0)


async def test_an_overloaded_canary_pod_is_not_charged(world: Any) -> None:
    world.canary.edge._handler._bodies.most = 10
    await served_by_stable(world, "CanaryOverloaded")
    assert requests(world) == (1, 0, 0)


@pytest.mark.parametrize("size", [1, 800_000])
@pytest.mark.parametrize("change", [{"revision": "abc123-2"}, None])
async def test_a_rollout_that_the_canary_pod_does_not_carry_is_refused_before_the_body(
    world: Any, change: Any, size: int
) -> None:
    before = dict(world.split)
    world.split = {} if change is None else before | change
    world.publish(world.canary)
    for _ in range(3):
        answer = await world.ask("x" * size)
        assert (answer.status, answer.headers["x-headgate-track"]) == (200, "stable")
        assert answer.headers[REASON] == "RevisionWithdrawn"
    assert requests(world) == (3, 0, 0)
    assert [line["request_bytes"] for line in world.canary.lines] == [0, 0, 0]


async def test_a_rollout_that_the_canary_pod_cannot_confirm_is_refused(world: Any) -> None:
    world.canary.live.confirmed = False
    await served_by_stable(world, "WeightUnconfirmed")
    assert world.served == [STABLE]


async def test_a_rollout_withdrawn_while_a_body_arrives_is_refused_all_the_same(world: Any) -> None:
    """Straight to the canary pod, as a stable pod would, with a body that comes in two halves."""
    body = json.dumps({"model": "claude-sonnet-4-5", "max_tokens": 5, "messages": []}).encode()
    arrived = asyncio.Event()

    async def halves() -> Any:
        yield body[:10]
        await arrived.wait()
        yield body[10:]

    headers = world.headers(x_headgate_relay="team-a/gate@abc123-1", x_headgate_relay_token=world.relay_token())
    async with asyncio.TaskGroup() as group:
        asking = group.create_task(direct(world, headers, halves()))
        async with asyncio.timeout(5):
            while world.canary.edge.open_requests == 0:  # noqa: ASYNC110 - nothing tells that a head has arrived
                await asyncio.sleep(0.01)
        world.split = {}
        world.publish(world.canary)
        arrived.set()
    status, told = asking.result()
    assert (status, told["x-headgate-relay-refused"]) == (503, "RevisionWithdrawn")
    assert not world.emu.requests


async def direct(world: Any, headers: dict[str, str], data: Any = b"{}") -> tuple[int, Any]:
    """Ask the canary pod itself."""
    port = world.canary.edge.port_https
    url = f"https://127.0.0.1:{port}/v1/messages"
    trusting, name = world.tls.client_context(), world.endpoints and "headgate-proxy-edge.headgate-system.svc"
    async with world.http.post(url, data=data, headers=headers, ssl=trusting, server_hostname=name) as response:
        await response.read()
        return response.status, response.headers


@pytest.mark.parametrize(
    "forged",
    [
        {"account": "agent", "namespace": "team-a"},
        {"account": "headgate-proxy-edge", "namespace": "team-a"},
        {"account": "headgate-proxy-other"},
        {"account": "headgate-proxy-edge-canary"},
        {"aud": ["headgate"]},
        {"iss": "https://elsewhere"},
        {"exp": 1},
    ],
    ids=[
        "a-caller",
        "another-namespace",
        "another-fleet",
        "a-canary",
        "callers-audience",
        "another-cluster",
        "expired",
    ],
)
async def test_a_relay_that_is_not_of_this_fleet_is_refused(world: Any, forged: dict[str, Any]) -> None:
    token = world.relay_token(**forged)
    headers = world.headers(x_headgate_relay="team-a/gate@abc123-1", x_headgate_relay_token=token)
    status, told = await direct(world, headers)
    assert (status, told["x-headgate-relay-refused"]) == (401, "RelayNotTrusted")
    assert not world.emu.requests


@pytest.mark.parametrize("headers", [{}, {"x_headgate_relay": "team-a/gate@abc123-1"}, {"x_headgate_track": "canary"}])
async def test_a_client_cannot_go_to_the_canary_pod_itself(world: Any, headers: dict[str, str]) -> None:
    status, _ = await direct(world, world.headers(**headers))
    assert status in (401, 403)
    assert not world.emu.requests


async def test_the_canary_pod_verifies_the_caller_again(world: Any) -> None:
    headers = {"x-headgate-relay": "team-a/gate@abc123-1", "x-headgate-relay-token": world.relay_token()}
    status, told = await direct(world, headers | {"authorization": "Bearer forged"})
    assert (status, told.get("x-headgate-relay-refused")) == (401, None)


async def test_a_stable_pod_honours_no_relay_headers(world: Any) -> None:
    world.split["weight"] = 0
    world.publish()
    sent = world.headers(x_headgate_relay="team-a/gate@abc123-1", x_headgate_relay_token="forged")
    answer = await world.ask(headers=sent)
    assert (answer.headers["x-headgate-track"], world.served) == ("stable", [STABLE])


async def test_a_clients_copies_of_relay_headers_are_dropped_on_the_way(world: Any) -> None:
    sent = world.headers(
        x_headgate_relay="team-a/other@r", x_headgate_relay_token="forged", x_headgate_relay_notes="fell-back"
    )
    answer = await world.ask(headers=sent)
    assert (answer.status, answer.headers["x-headgate-track"]) == (200, "canary")
    assert world.counted()[1].fallbacks == 0


async def test_a_canary_pod_without_the_fleets_certificate_is_not_believed(world: Any) -> None:
    world.trust = throwaway_tls(("elsewhere",)).ca_pem
    world.publish()
    await served_by_stable(world, "CanaryFailed")
    world.trust = None
    world.publish()
    await served_by_stable(world, "CanaryUnavailable")
    assert world.canary.lines == []
    world.trust = world.tls.ca_pem
    world.publish()
    assert (await world.ask()).headers["x-headgate-track"] == "canary"


async def test_without_a_token_of_its_own_the_pod_serves_by_itself(world: Any) -> None:
    world.token_file.unlink()
    await served_by_stable(world, "RelayNotTrusted")
    world.token_file.write_text(world.relay_token())
    assert (await world.ask()).headers["x-headgate-track"] == "canary"


@pytest.mark.parametrize("after", [None, 2])
async def test_a_client_that_leaves_ends_the_call_at_the_vendor_and_is_not_counted(
    world: Any, after: int | None
) -> None:
    held = world.emu.add_fault(Fault(kind=FaultKind.HOLD, after_events=after))
    async with asyncio.TaskGroup() as group:
        client = group.create_task(world.ask("write 40 words", stream=True))
        await world.emu.wait_held(held)
        client.cancel()
    await world.emu.wait_until(lambda: world.emu.requests[0].disconnected)
    for pod in (world.stable, world.canary):
        assert (await pod.done())["disconnected"]
    assert requests(world) == (0, 0, 0)
    assert world.stable.client.endpoints.ejected == 0


async def test_a_slow_reader_holds_the_vendor_back_through_both_pods(world: Any) -> None:
    """An upstream that pours out 256 MiB gets rid of no more than sockets and a few small buffers hold."""
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
        world.candidate = {"endpoint": url}
        for key, held in world.credentials.held.items():
            world.credentials.held[key] = type(held)(held.secret, frozenset({url}), held.path, held.version)
        world.publish()
        sent = json.dumps({"model": "claude-sonnet-4-5", "stream": True, "messages": []}).encode()
        head = "".join(f"{name}: {value}\r\n" for name, value in world.headers().items())
        _, writer = await asyncio.open_connection("127.0.0.1", world.stable.edge.port, limit=1024)
        writer.write(
            f"POST /v1/messages HTTP/1.1\r\nhost: x\r\n{head}content-length: {len(sent)}\r\n\r\n".encode() + sent
        )
        async with asyncio.timeout(20):
            await stuck.wait()
            assert poured < 64 * 1024 * 1024
            writer.transport.abort()
            await left.wait()


async def test_connections_to_the_canary_pod_are_kept_alive_and_mended(world: Any) -> None:
    for _ in range(5):
        assert (await world.ask()).headers["x-headgate-track"] == "canary"
    connections = world.canary.edge._runner.server.connections
    assert len(connections) == 1
    connections[0].transport.abort()  # as a load balancer or a restarted container does
    assert (await world.ask()).headers["x-headgate-track"] == "canary"
    assert requests(world) == (0, 6, 0)
