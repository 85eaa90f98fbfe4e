"""Each scripted fault, seen on the wire."""

import asyncio
import contextlib
import gzip
import json
from typing import Any

import aiohttp
import pytest
from pydantic import ValidationError

from headgate_dev.emulator import Emulator, Fault, FaultKind
from headgate_dev.emulator.faults import FaultPlan

from .conftest import API_KEY, OAUTH_HEADERS, OAUTH_TOKEN

BODY: dict[str, Any] = {
    "model": "claude-sonnet-4-6",
    "max_tokens": 50,
    "messages": [{"role": "user", "content": "grüß die 世界"}],
}
STREAM = {**BODY, "stream": True}


async def received(http: aiohttp.ClientSession, body: dict[str, Any]) -> tuple[bytes, bool]:
    """Return what arrived of an answer, and whether it was complete."""
    got = b""
    async with http.post("/v1/messages", json=body) as response:
        try:
            async for chunk in response.content.iter_any():
                got += chunk
        except aiohttp.ClientPayloadError:
            return got, False
    return got, True


async def test_a_cut_comes_after_so_many_events(emu: Emulator, http: aiohttp.ClientSession) -> None:
    emu.add_fault(Fault(kind=FaultKind.CUT, after_events=4))
    got, complete = await received(http, STREAM)
    assert not complete
    assert got == emu.requests[-1].response_body
    assert got.count(b"\n\n") == 4
    assert got.endswith(b"\n\n")


async def test_a_cut_in_the_middle_of_an_event(emu: Emulator, http: aiohttp.ClientSession) -> None:
    emu.add_fault(Fault(kind=FaultKind.CUT_MID_EVENT, after_events=4))
    got, complete = await received(http, STREAM)
    assert not complete
    assert got.count(b"\n\n") == 4
    assert b"content_block_delta" in got.rpartition(b"\n\n")[2]


async def test_a_cut_in_the_middle_of_a_character(emu: Emulator, http: aiohttp.ClientSession) -> None:
    emu.add_fault(Fault(kind=FaultKind.CUT_MID_CHARACTER))
    got, complete = await received(http, STREAM)
    assert not complete
    with pytest.raises(UnicodeDecodeError, match="unexpected end of data"):
        got.decode()


async def test_a_whole_message_is_cut_short_of_its_length(emu: Emulator, http: aiohttp.ClientSession) -> None:
    emu.add_fault(Fault(kind=FaultKind.CUT_MID_EVENT))
    got, complete = await received(http, BODY)
    assert not complete
    assert 0 < len(got) < int(dict(emu.requests[-1].response_headers)["Content-Length"])


@pytest.mark.parametrize("body", [BODY, STREAM], ids=["whole", "streamed"])
async def test_dribbled_bytes_are_the_same_bytes(
    emu: Emulator, http: aiohttp.ClientSession, body: dict[str, Any]
) -> None:
    plain, _ = await received(http, body)
    emu.add_fault(Fault(kind=FaultKind.DRIBBLE, chunk_bytes=3))
    dribbled, complete = await received(http, body)
    assert complete
    assert dribbled.replace(b"000002", b"000001") == plain


async def test_a_rate_limit_says_until_when(emu: Emulator, http: aiohttp.ClientSession) -> None:
    emu.add_fault(Fault(kind=FaultKind.RATE_LIMITED, seconds=90.5, times=2))
    async with http.post("/v1/messages", json=BODY) as response:
        assert response.status == 429
        assert response.headers["retry-after"] == "91"
        assert response.headers["anthropic-ratelimit-requests-remaining"] == "0"
    async with (
        aiohttp.ClientSession(emu.url, headers=OAUTH_HEADERS) as plan,
        plan.post("/v1/messages", json=BODY) as response,
    ):
        assert response.headers["anthropic-ratelimit-unified-status"] == "rejected"
        reset = int(response.headers["anthropic-ratelimit-unified-reset"])
    assert reset == int(emu.requests[-1].received_at.timestamp() + 90.5)


async def test_a_redirect_and_a_page_of_html(emu: Emulator, http: aiohttp.ClientSession) -> None:
    emu.add_fault(Fault(kind=FaultKind.REDIRECT, location="https://elsewhere.example/v1/messages"))
    emu.add_fault(Fault(kind=FaultKind.BAD_GATEWAY))
    async with http.post("/v1/messages", json=BODY, allow_redirects=False) as response:
        assert (response.status, response.headers["location"]) == (307, "https://elsewhere.example/v1/messages")
    async with http.post("/v1/messages", json=BODY) as response:
        assert (response.status, response.content_type) == (502, "text/html")
        assert "<html>" in await response.text()


async def test_a_gzipped_answer(emu: Emulator, http: aiohttp.ClientSession) -> None:
    emu.add_fault(Fault(kind=FaultKind.GZIP))
    async with http.post("/v1/messages", json=BODY) as response:
        assert response.headers["content-encoding"] == "gzip"
        raw = await response.read()
    assert json.loads(gzip.decompress(raw))["content"][0]["text"] == "You said: grüß die 世界"
    assert emu.requests[-1].response_body == raw


async def test_huge_headers(emu: Emulator) -> None:
    emu.add_fault(Fault(kind=FaultKind.HUGE_HEADERS, header_bytes=20_000))
    async with (
        aiohttp.ClientSession(emu.url, headers={"x-api-key": API_KEY, "anthropic-version": "2023-06-01"}) as http,
        http.post("/v1/messages", json=BODY) as response,
    ):
        assert sum(len(value) for value in response.headers.values()) > 20_000


async def test_a_slow_answer_takes_its_time(emu: Emulator, http: aiohttp.ClientSession) -> None:
    emu.add_fault(Fault(kind=FaultKind.SLOW, seconds=0.05, event_seconds=0.01))
    loop = asyncio.get_running_loop()
    start = loop.time()
    _, complete = await received(http, STREAM)
    assert complete
    assert loop.time() - start >= 0.05 + 0.01 * emu.requests[-1].response_body.count(b"\n\n")


async def test_a_hold_stops_the_stream_until_released(emu: Emulator, http: aiohttp.ClientSession) -> None:
    hold = emu.add_fault(Fault(kind=FaultKind.HOLD, after_events=4))
    async with http.post("/v1/messages", json=STREAM) as response:
        await emu.wait_held(hold)
        assert emu.requests[-1].response_body.count(b"\n\n") == 4
        assert not emu.requests[-1].done
        emu.release(hold)
        got = await response.read()
    assert got.endswith(b'data: {"type":"message_stop"}\n\n')


async def test_a_client_that_leaves_a_held_request_is_noticed(emu: Emulator, http: aiohttp.ClientSession) -> None:
    hold = emu.add_fault(Fault(kind=FaultKind.HOLD))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(received(http, STREAM))
        await emu.wait_held(hold)
        assert emu.requests[-1].status is None
        task.cancel()
    await emu.wait_until(lambda: emu.requests[-1].done)
    assert emu.requests[-1].disconnected


async def test_a_client_that_leaves_a_stream_is_noticed(emu: Emulator, http: aiohttp.ClientSession) -> None:
    hold = emu.add_fault(Fault(kind=FaultKind.HOLD, after_events=2))
    async with http.post("/v1/messages", json=STREAM) as response:
        await emu.wait_held(hold)
        response.close()
    await emu.wait_until(lambda: emu.requests[-1].disconnected)


async def test_waiting_for_what_does_not_come_ends(emu: Emulator) -> None:
    hold = emu.add_fault(Fault(kind=FaultKind.HOLD))
    with pytest.raises(TimeoutError):
        await emu.wait_held(hold, timeout=0.01)
    with pytest.raises(KeyError):
        emu.release("fault-99")


async def test_a_fault_meets_only_the_credential_and_path_it_names(emu: Emulator, http: aiohttp.ClientSession) -> None:
    emu.add_fault(Fault(kind=FaultKind.OAUTH_REVOKED, credential=OAUTH_TOKEN, times=None))
    emu.add_fault(Fault(kind=FaultKind.OVERLOADED, path="/v1/messages/count_tokens"))
    async with http.post("/v1/messages", json=BODY) as response:
        assert response.status == 200
    async with aiohttp.ClientSession(emu.url, headers=OAUTH_HEADERS) as plan:
        for _ in range(2):
            async with plan.post("/v1/messages", json=BODY) as response:
                assert response.status == 403
        emu.clear_faults()
        async with plan.post("/v1/messages", json=BODY) as response:
            assert response.status == 200


def test_faults_apply_in_order_and_run_out() -> None:
    plan = FaultPlan()
    first = plan.add(Fault(kind=FaultKind.UNAUTHORIZED, times=2))
    second = plan.add(Fault(kind=FaultKind.OVERLOADED))
    met = [plan.take(None, "/v1/messages") for _ in range(4)]
    assert [taken and taken[0] for taken in met] == [first, first, second, None]


def test_a_redirect_without_a_target_is_refused() -> None:
    with pytest.raises(ValidationError, match="location"):
        Fault(kind=FaultKind.REDIRECT)


async def test_closing_the_emulator_lets_held_requests_go() -> None:
    async with aiohttp.ClientSession() as http, asyncio.TaskGroup() as group:
        async with Emulator(api_keys=[API_KEY]) as emu:
            hold = emu.add_fault(Fault(kind=FaultKind.HOLD))

            async def ask(url: str = emu.url) -> None:
                with contextlib.suppress(aiohttp.ClientError):
                    await http.get(f"{url}/v1/models")

            group.create_task(ask())
            await emu.wait_held(hold)
        assert emu.requests[-1].done
