"""Streams that do not end as they should: a client library raises, and never takes half an answer for a whole one."""

import asyncio
from collections.abc import Callable
from typing import Any

import anthropic
import httpx
import httpx2
import openai
import pytest
from google.genai import errors

from headgate_dev.emulator import Fault, FaultKind

from .vendors import KINDS, OAUTH, Adapter

BROKEN: Any = (anthropic.APIError, openai.APIError, errors.APIError, httpx.HTTPError, httpx2.HTTPError)
streamed = pytest.mark.parametrize(
    ("adapter", "kind"), [case for case in KINDS if case[1] == "streamed"], indirect=["adapter"], ids=str
)


@streamed
async def test_a_stream_that_the_vendor_drops_raises_in_the_client(
    gate: Any, serve: Callable[..., None], adapter: Adapter, kind: str
) -> None:
    serve(adapter)
    gate.emu.add_fault(Fault(kind=FaultKind.CUT, after_events=3))
    with pytest.raises(BROKEN, match="broke off"):
        await adapter.asks[kind](gate, "write 200 words", False)
    await gate.trace.ended.wait()
    outcome = gate.trace.outcomes[0]
    assert outcome.truncated
    assert outcome.error_type == "api_error"
    assert len(gate.emu.requests) == 1


@streamed
async def test_the_vendors_own_error_in_a_stream_passes_and_is_noted(
    gate: Any, serve: Callable[..., None], adapter: Adapter, kind: str
) -> None:
    serve(adapter)
    gate.emu.add_fault(Fault(kind=FaultKind.STREAM_ERROR, after_events=3, message="too much to do"))
    with pytest.raises((*BROKEN, AssertionError, IndexError, RuntimeError)):
        await adapter.asks[kind](gate, "write 200 words", False)
    await gate.trace.ended.wait()
    outcome = gate.trace.outcomes[0]
    assert not outcome.truncated
    assert outcome.facts.error_type is not None


@streamed
@pytest.mark.parametrize("fault", [FaultKind.DRIBBLE, FaultKind.CUT_MID_EVENT], ids=str)
async def test_pieces_of_any_size_are_one_stream(
    gate: Any, serve: Callable[..., None], adapter: Adapter, kind: str, fault: FaultKind
) -> None:
    serve(adapter)
    gate.emu.add_fault(Fault(kind=fault, chunk_bytes=7, after_events=3 if fault is FaultKind.CUT_MID_EVENT else None))
    if fault is FaultKind.DRIBBLE:
        assert await adapter.asks[kind](gate, "grüß 世界", False) == ("You said: grüß 世界", [])
        await gate.trace.ended.wait()
        assert gate.trace.outcomes[0].facts.usage.output_tokens > 0
    else:
        with pytest.raises(BROKEN):
            await adapter.asks[kind](gate, "write 200 words", False)


@streamed
async def test_a_client_that_leaves_ends_its_call_upstream(
    gate: Any, serve: Callable[..., None], adapter: Adapter, kind: str
) -> None:
    serve(adapter)
    held = gate.emu.add_fault(Fault(kind=FaultKind.HOLD, after_events=2))

    async with asyncio.TaskGroup() as group:
        asking = group.create_task(adapter.asks[kind](gate, "write 200 words", False))
        await gate.emu.wait_held(held)
        asking.cancel()
    await gate.emu.wait_until(lambda: gate.emu.requests[0].disconnected)
    await gate.trace.ended.wait()
    assert gate.trace.outcomes[0].disconnected
    assert gate.verdicts.against(gate.credentials.held[next(iter(gate.credentials.held))]) is None
    assert OAUTH not in repr(gate.trace.outcomes)
