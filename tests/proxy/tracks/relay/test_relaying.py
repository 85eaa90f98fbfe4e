"""The canary's share reaches the canary pod by TLS and comes back byte for byte; nobody else gets there."""

import asyncio
from typing import Any

import pytest

from headgate_api.resources.rolloutspec import StickySource
from headgate_dev.emulator import Fault, FaultKind

MODEL = "claude-sonnet-4-5"
ROLLOUT = "team-a/gate@abc123-1"
STABLE, CANDIDATE = "emulated-key-stable", "emulated-key-candidate"


async def test_the_canarys_share_is_served_by_the_candidate_and_says_so(world: Any) -> None:
    answer = await world.ask()
    assert answer.status == 200
    assert world.served == [CANDIDATE]
    assert (answer.headers["x-headgate-track"], answer.headers["x-headgate-rollout"]) == ("canary", ROLLOUT)
    assert answer.headers["x-headgate-auth-mode"] == "APIKey"
    assert not [name for name in answer.headers if name.lower().startswith("x-headgate-relay")]


async def test_everybody_else_is_served_by_stable_and_told_so(world: Any) -> None:
    world.split["weight"] = 0
    world.publish()
    answer = await world.ask(headers=world.headers(x_headgate_track="canary"))
    assert (answer.status, world.served) == (200, [STABLE])
    assert answer.headers["x-headgate-track"] == "stable"
    assert "x-headgate-rollout" not in answer.headers
    assert "x-headgate-track-reason" not in answer.headers


async def test_a_tester_reaches_the_canary_at_weight_zero_and_may_ask_for_stable(world: Any) -> None:
    world.split["weight"] = 0
    world.publish()
    tester = world.headers("tester")
    assert (await world.ask(headers=tester)).headers["x-headgate-track"] == "canary"
    answer = await world.ask(headers=tester | {"x-headgate-track": "stable"})
    assert answer.headers["x-headgate-track"] == "stable"
    assert world.served == [CANDIDATE, STABLE]


async def test_without_a_rollout_nothing_is_said_of_tracks(world: Any) -> None:
    world.split = {}
    world.publish()
    answer = await world.ask(headers=world.headers("tester"))
    assert (answer.status, world.served) == (200, [STABLE])
    assert "x-headgate-track" not in answer.headers


@pytest.mark.parametrize("weight", [500, 5000])
async def test_a_session_stays_on_its_track_and_raising_the_weight_only_adds(world: Any, weight: int) -> None:
    world.split["weight"] = weight
    world.publish()

    async def tracks() -> list[str]:
        asked = [world.ask(headers=world.headers(x_headgate_session=f"session-{n}")) for n in range(40)]
        return [answer.headers["x-headgate-track"] for answer in await asyncio.gather(*asked)]

    first, again = await tracks(), await tracks()
    assert first == again
    assert (first.count("canary") > 5) == (weight == 5000)
    world.split["weight"] = 9000
    world.publish()
    after = await tracks()
    assert all(then == "canary" for now, then in zip(first, after, strict=True) if now == "canary")
    assert after.count("canary") > first.count("canary")


async def test_the_policys_own_sticky_source_counts(world: Any) -> None:
    world.split |= {"weight": 5000, "stickiness": (StickySource(source="Header", header="x-conversation"),)}
    world.publish()
    await world.ask(headers=world.headers(x_conversation="c"))
    assert world.stable.lines[-1]["sticky_source"] == "Header"


async def test_streams_pass_event_by_event_and_byte_for_byte(world: Any) -> None:
    held = world.emu.add_fault(Fault(kind=FaultKind.HOLD, after_events=2))
    async with world.post("write 40 words", stream=True) as response:
        await world.emu.wait_held(held)
        async with asyncio.timeout(5):
            received = b""
            while received.count(b"\n\n") < 2:
                received += await response.content.readany()
        world.emu.release(held)
        received += await response.read()
    assert response.headers["x-headgate-track"] == "canary"
    assert received == world.emu.requests[0].response_body


async def test_the_request_reaches_the_vendor_as_the_client_sent_it(world: Any) -> None:
    """Large, so that it waits for a word of the canary pod before it is sent."""
    sent = world.headers(
        anthropic_beta="context-1m", user_agent="claude-cli/2.1.329", x_app="cli", x_headgate_session="s", accept="x/y"
    )
    body = (
        b'{"model": "claude-sonnet-4-5", "x": "'
        + b"z" * 900_000
        + b'", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}'
    )
    async with world.http.post(f"{world.url}/claude/v1/messages?beta=true", data=body, headers=sent) as response:
        assert response.status == 200
        assert response.headers["x-headgate-track"] == "canary"
        received = await response.read()
    (seen,) = world.emu.requests
    assert seen.target == "/v1/messages?beta=true"
    assert seen.body == body
    assert received == seen.response_body
    assert [seen.header(name) for name in ("anthropic-beta", "user-agent", "x-app", "accept")] == [
        "context-1m",
        "claude-cli/2.1.329",
        "cli",
        "x/y",
    ]
    assert not [name for name, _ in seen.headers if name.lower().startswith("x-headgate-")]
    assert world.canary.lines[0]["path"] == "/claude/v1/messages"


async def test_a_new_provider_without_a_stable_form_is_there_for_the_canary_alone(world: Any) -> None:
    world.has_stable, world.split["weight"] = False, 0
    world.publish()
    assert (await world.ask()).status == 404
    assert (await world.ask(headers=world.headers("tester"))).status == 200
    listed = {}
    for account in ("agent", "tester"):
        async with world.http.get(f"{world.url}/v1/models", headers=world.headers(account)) as response:
            listed[account] = [model["id"] for model in (await response.json())["data"]]
        async with world.http.get(f"{world.url}/v1/models/{MODEL}", headers=world.headers(account)) as response:
            assert response.status == (200 if account == "tester" else 404)
    assert listed == {"agent": [], "tester": [MODEL]}


async def test_a_model_that_the_candidate_drops_is_dropped_for_the_canary(world: Any) -> None:
    world.candidate = {"models": [{"name": "claude-haiku-4-5"}]}
    world.publish()
    answer = await world.ask()
    assert (answer.status, answer.headers["x-headgate-track"]) == (404, "canary")
    async with world.http.get(f"{world.url}/v1/models", headers=world.headers("tester")) as response:
        assert [model["id"] for model in (await response.json())["data"]] == ["claude-haiku-4-5"]
    world.split["weight"] = 0
    world.publish()
    assert (await world.ask()).status == 200


async def test_an_image_rollout_governs_every_request_and_serves_stable_forms(world: Any) -> None:
    world.split["lane"] = "Image"
    world.publish()
    answer = await world.ask()
    assert (answer.headers["x-headgate-track"], answer.headers["x-headgate-rollout"]) == ("canary", ROLLOUT)
    assert world.served == [STABLE]
    assert world.canary.lines[0]["track"] == "canary"


async def test_the_clients_own_refusals_come_back_from_the_canary(world: Any) -> None:
    """The canary verifies the caller again, in its own words."""
    world.emu.add_fault(Fault(kind=FaultKind.RATE_LIMITED))
    answer = await world.ask()
    assert (answer.status, answer.headers["x-headgate-track"]) == (429, "canary")
    assert (world.counted()[1].requests, world.counted()[1].auth_failures) == (1, 1)


async def test_decision_and_relay_are_told_by_spans_logs_and_metrics(world: Any) -> None:
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    await world.ask(headers=world.headers(traceparent=f"00-{trace_id}-b7ad6b7169203331-01"))
    line, other = await world.stable.done(), await world.canary.done()
    told = {"policy": "team-a/gate", "rollout": "abc123-1"}
    assert {key: line[key] for key in told} == {key: other[key] for key in told} == told
    assert (line["decision"], line["decision_reason"], line["sticky_source"]) == ("canary", "Weight", "Pod")
    assert "usage" not in line
    assert other["usage"]["output_tokens"] > 0
    here, there = (
        {span.name.split(" ")[0]: span for span in pod.spans.get_finished_spans()}
        for pod in (world.stable, world.canary)
    )
    assert set(here) == {"headgate.track", "POST", "chat"}
    assert {format(span.context.trace_id, "032x") for span in (*here.values(), *there.values())} == {trace_id}
    assert here["headgate.track"].attributes["headgate.track.decided"] == "canary"
    assert here["headgate.track"].attributes["headgate.policy"] == "team-a/gate"
    assert here["headgate.track"].attributes["headgate.rollout.revision"] == "abc123-1"
    assert here["headgate.track"].attributes["headgate.sticky.source"] == "Pod"
    assert there["chat"].parent.span_id == here["POST"].context.span_id
    labels = {"policy": "team-a/gate", "revision": "abc123-1"}
    assert world.stable.sample("track_decisions_total", **labels, track="canary", reason="Weight") == 1
    assert world.stable.sample("relayed_requests_total", **labels, status="200") == 1
    served = {
        "path": "/v1/messages",
        "provider": "team-a/claude",
        "model": MODEL,
        "status": "200",
        "auth_mode": "APIKey",
    }
    assert world.canary.sample("requests_total", **served, track="canary") == 1
    assert world.stable.sample("requests_total", **served, track="stable") is None
    world.split = {"weight": 0, "revision": "abc123-2"}
    world.publish()
    world.split = {}
    world.publish()
    assert world.stable.sample("relayed_requests_total", **labels, status="200") is None
