"""A canary of any protocol: what a client asks in it reaches the canary pod as it is, and its stream comes back so."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from headgate_dev.emulator import Emulator, Fault, FaultKind
from headgate_dev.emulator.gemini.vendor import Gemini
from headgate_dev.emulator.openai.vendor import OpenAI

from .conftest import CANDIDATE, STABLE, World

CASES: dict[str, tuple[Any, str, str, dict[str, Any]]] = {
    "openai": (OpenAI, "gpt-5.5", "/v1/responses", {"model": "gpt-5.5", "input": "grüß", "stream": True}),
    "chat": (
        OpenAI,
        "gpt-5.5",
        "/openai/v1/chat/completions",
        {
            "model": "gpt-5.5",
            "messages": [{"role": "user", "content": "grüß"}],
            "stream": True,
            "stream_options": {"include_usage": True},
        },
    ),
    "gemini": (
        Gemini,
        "gemini-2.5-flash",
        "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
        {"contents": [{"role": "user", "parts": [{"text": "grüß"}]}]},
    ),
}


@pytest.fixture(params=CASES)
async def asked(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[World, str, dict[str, Any]]]:
    vendor, model, path, body = CASES[request.param]
    async with Emulator(vendor=vendor(), api_keys=[STABLE, CANDIDATE]) as emu, AsyncExitStack() as stack:
        world = World(emu, tmp_path)
        world.spec = {"protocol": "Gemini" if vendor is Gemini else "OpenAI", "models": [{"name": model}]}
        await world.start(stack)
        yield world, path, body


async def test_the_canary_answers_and_its_first_token_and_tokens_are_counted(asked: Any) -> None:
    world, path, body = asked
    async with world.http.post(URL(world.url + path, encoded=True), json=body, headers=world.headers()) as response:
        assert response.status == 200
        assert response.headers["x-headgate-track"] == "canary"
        received = await response.read()
    line = await world.canary.done()
    await world.stable.done()
    assert world.served == [CANDIDATE]
    assert b"You" in received
    assert line["usage"]["input_tokens"] > 0
    assert line["stop_reason"] in ("completed", "stop", "STOP")
    _, canary = world.counted()
    assert (canary.requests, canary.errors, canary.truncated) == (1, 0, 0)
    assert sum(canary.first_token.values()) == 1


async def test_a_refusal_comes_back_in_the_clients_own_words(asked: Any) -> None:
    world, path, body = asked
    world.emu.api_keys.clear()
    async with world.http.post(URL(world.url + path, encoded=True), json=body, headers=world.headers()) as response:
        assert response.status == 502
        error = json.loads(await response.read())["error"]
    assert "refused the gate's own credential" in error["message"]
    assert ("status" in error) is ("gemini" in path)
    _, canary = world.counted()
    assert (canary.requests, canary.errors, canary.auth_failures) == (1, 1, 1)


async def test_a_stream_that_breaks_counts_as_cut_short(asked: Any) -> None:
    world, path, body = asked
    world.emu.add_fault(Fault(kind=FaultKind.CUT, after_events=2))
    async with world.http.post(URL(world.url + path, encoded=True), json=body, headers=world.headers()) as response:
        assert b"broke off" in await response.read()
    await world.stable.done()
    _, canary = world.counted()
    assert canary.truncated == 1


async def test_a_token_in_a_query_opens_the_canary_and_stays_out_of_every_log(asked: Any) -> None:
    world, path, body = asked
    token = world.token()
    joined = f"{path}{'&' if '?' in path else '?'}key={token}"
    async with world.http.post(
        URL(world.url + joined, encoded=True),
        json=body,
        headers={"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
    ) as response:
        assert response.status == (200 if "gemini" in path else 401)
        await response.read()
    await world.stable.done()
    for pod in (world.stable, world.canary):
        told = b"".join(pod.written).decode() + "".join(span.to_json() for span in pod.spans.get_finished_spans())
        assert token not in told
    assert all(token not in request.target for request in world.emu.requests)
