"""Usage is read from a response however its bytes are cut, and never in the way of them."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate_proxy.anthropic.readers import StreamReader, read_message, reader_for
from headgate_proxy.protocols.facts import ResponseFacts, Usage
from headgate_proxy.protocols.readers import DocumentReader, OpaqueReader


def event(kind: str, **data: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind} | data, ensure_ascii=False)}\n\n".encode()


START = {
    "id": "msg_1",
    "model": "claude-x",
    "usage": {
        "input_tokens": 10,
        "cache_creation_input_tokens": 5,
        "cache_read_input_tokens": 7,
        "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 2},
        "output_tokens": 1,
    },
}
STREAM = b"".join(
    [
        event("message_start", message=START),
        event("ping"),
        event("content_block_delta", delta={"type": "text_delta", "text": 'says "message_delta" and error río 🌊'}),
        event("message_delta", delta={"stop_reason": "tool_use"}, usage={"output_tokens": 20}),
        event("message_delta", delta={}, usage={"output_tokens": 42, "input_tokens": None}),
        event("message_stop"),
    ]
)
EXPECTED = ResponseFacts(Usage(10, 5, 7, 3, 2, 42), "claude-x", "msg_1", "tool_use", None)


def cut(data: bytes, at: list[int]) -> list[bytes]:
    marks = sorted({0, len(data), *(mark % len(data) for mark in at)})
    return [data[a:b] for a, b in itertools.pairwise(marks)]


@given(at=st.lists(st.integers(0, 10_000), max_size=60), ending=st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_a_stream_tells_the_same_in_any_pieces(at: list[int], ending: bytes) -> None:
    data = STREAM.replace(b"\n", ending)
    reader = StreamReader()
    for piece in cut(data, at):
        reader.feed(piece)
    reader.finish()
    assert reader.facts == EXPECTED
    assert reader.at_boundary


@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=9))
def test_no_bytes_can_break_a_reader(data: bytes, at: list[int]) -> None:
    for reader in (StreamReader(), DocumentReader(read_message), OpaqueReader()):
        for piece in cut(data, at) if data else []:
            reader.feed(piece)
        reader.finish()
        assert reader.facts.usage == Usage()


@pytest.mark.parametrize(("sent", "boundary"), [(0, True), (1, False), (len(STREAM) - 1, False), (len(STREAM), True)])
def test_an_event_can_be_appended_only_between_events(sent: int, boundary: bool) -> None:
    reader = StreamReader()
    reader.feed(STREAM[:sent])
    assert reader.at_boundary is boundary


def test_an_event_without_end_is_let_go_and_the_next_is_read() -> None:
    reader = StreamReader()
    for _ in range(70):
        reader.feed(b"data: " + b"x" * 65536)
    assert not reader.at_boundary
    reader.feed(b"\n\n" + STREAM)
    assert reader.facts == EXPECTED


def test_an_error_event_is_noted() -> None:
    reader = StreamReader()
    reader.feed(event("error", error={"type": "overloaded_error", "message": "m"}))
    assert reader.facts.error_type == "overloaded_error"


def test_a_message_tells_at_its_end() -> None:
    reader = DocumentReader(read_message)
    body = json.dumps(START | {"type": "message", "stop_reason": "end_turn"}).encode()
    for piece in cut(body, [3, 50]):
        reader.feed(piece)
    reader.finish()
    assert reader.facts == ResponseFacts(Usage(10, 5, 7, 3, 2, 1), "claude-x", "msg_1", "end_turn", None)


def test_the_reader_follows_the_headers() -> None:
    assert isinstance(reader_for("text/event-stream; charset=utf-8", None), StreamReader)
    assert isinstance(reader_for("application/json", "identity"), DocumentReader)
    assert isinstance(reader_for("text/event-stream", "gzip"), OpaqueReader)
