"""Usage of the Gemini API is read from events, arrays and whole answers, however their bytes are cut."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate_proxy.gemini.readers import ChunkReader, reader_for, stream_reader_for
from headgate_proxy.protocols.facts import ResponseFacts, Usage
from headgate_proxy.protocols.readers import OpaqueReader

TALK = 'says "usageMetadata" and "error" río 🌊'


def piece(finish: str | None = None, **counts: int) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": [{"text": TALK}], "role": "model"}, "index": 0}
    if finish is not None:
        candidate["finishReason"] = finish
    return {
        "candidates": [candidate],
        "usageMetadata": {"promptTokenCount": 100} | counts,
        "modelVersion": "gemini-x",
        "responseId": "r-1",
    }


LAST = piece(
    "STOP",
    cachedContentTokenCount=80,
    toolUsePromptTokenCount=5,
    candidatesTokenCount=12,
    thoughtsTokenCount=30,
    totalTokenCount=147,
)
PIECES = [piece(), piece(thoughtsTokenCount=30), LAST]
COUNTED = Usage(input_tokens=25, cache_read_input_tokens=80, output_tokens=42, reasoning_output_tokens=30)
FACTS = ResponseFacts(COUNTED, "gemini-x", "r-1", "STOP", None)
EVENTS = b"".join(b"data: " + json.dumps(each, ensure_ascii=False).encode() + b"\r\n\r\n" for each in PIECES)
ARRAY = json.dumps(PIECES, indent=1, ensure_ascii=False).encode()


def cut(whole: bytes, at: list[int]) -> list[bytes]:
    marks = sorted({0, len(whole), *(position % len(whole) for position in at)})
    return [whole[a:b] for a, b in itertools.pairwise(marks)]


@given(at=st.lists(st.integers(0, 3000), max_size=9), plain=st.booleans())
def test_a_stream_is_read_however_it_is_cut(at: list[int], plain: bool) -> None:
    reader = ChunkReader()
    for each in cut(EVENTS.replace(b"\r\n", b"\n") if plain else EVENTS, at):
        reader.feed(each)
    assert reader.at_boundary
    reader.finish()
    assert reader.facts == FACTS


@pytest.mark.parametrize("whole", [json.dumps(LAST).encode(), ARRAY], ids=["one", "array"])
def test_a_document_is_read_at_its_end(whole: bytes) -> None:
    reader = reader_for("application/json; charset=UTF-8", None)
    for each in cut(whole, [3, 50, 400]):
        reader.feed(each)
    reader.finish()
    assert reader.facts == FACTS


@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=9))
def test_no_bytes_can_break_a_reader(junk: bytes, at: list[int]) -> None:
    for kind in ("text/event-stream", "application/json"):
        reader = stream_reader_for(kind, None)
        assert reader.streaming
        for each in cut(junk, at) if junk else []:
            reader.feed(each)
        reader.finish()
        assert reader.facts.usage == Usage()


@pytest.mark.parametrize(
    "hostile",
    [
        {"usageMetadata": {"promptTokenCount": -1, "candidatesTokenCount": 10**30}},
        {"usageMetadata": []},
        {"candidates": {}},
        {"candidates": [{"finishReason": 7}]},
    ],
)
def test_numbers_and_types_that_cannot_be_are_not_believed(hostile: dict[str, Any]) -> None:
    reader = ChunkReader()
    reader.feed(b"data: " + json.dumps(hostile).encode() + b"\r\n\r\n" + EVENTS)
    reader.finish()
    assert reader.facts == FACTS


def test_a_prompt_that_was_blocked_and_an_error_on_the_way_are_noted() -> None:
    reader = ChunkReader()
    reader.feed(b'data: {"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":4}}\r\n\r\n')
    assert reader.facts.stop_reason == "SAFETY"
    reader.feed(b'data: {"error":{"code":503,"message":"m","status":"UNAVAILABLE"}}\r\n\r\n')
    assert reader.facts.error_type == "UNAVAILABLE"


def test_a_stream_that_breaks_off_has_cost_what_it_had_counted_so_far() -> None:
    reader = ChunkReader()
    reader.feed(EVENTS[: EVENTS.index(b"STOP")])
    reader.finish()
    assert reader.facts.usage == Usage(input_tokens=100, output_tokens=30, reasoning_output_tokens=30)
    assert reader.facts.stop_reason is None


def test_what_is_compressed_is_left_alone() -> None:
    assert isinstance(reader_for("application/json", "gzip"), OpaqueReader)
