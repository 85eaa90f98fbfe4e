"""Usage of both APIs is read from a response however its bytes are cut, in the one meaning that all protocols share."""

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate_proxy.openai import chat, responses
from headgate_proxy.protocols.facts import ResponseFacts, Usage
from headgate_proxy.protocols.readers import OpaqueReader, Reader

EXPECTED = Usage(input_tokens=20, cache_read_input_tokens=80, output_tokens=42, reasoning_output_tokens=30)
TALK = 'says "usage":{"prompt_tokens":1} and "finish_reason":"x" and response.completed, "error" río 🌊'


def chunk(**more: Any) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "model": "gpt-x",
        "choices": [],
        "usage": None,
    } | more


def delta(finish: str | None = None, **said: Any) -> dict[str, Any]:
    return chunk(choices=[{"index": 0, "delta": said, "finish_reason": finish}])


def data(value: Any, separators: tuple[str, str] = (",", ":")) -> bytes:
    return b"data: " + json.dumps(value, separators=separators, ensure_ascii=False).encode() + b"\n\n"


COUNTED = {
    "prompt_tokens": 100,
    "completion_tokens": 42,
    "prompt_tokens_details": {"cached_tokens": 80},
    "completion_tokens_details": {"reasoning_tokens": 30},
}
CHAT = b"".join(
    [
        data(delta(role="assistant", content="")),
        data(delta(content=TALK)),
        data(delta(tool_calls=[{"index": 0, "function": {"arguments": '{"a":'}}])),
        data(delta("tool_calls")),
        data(chunk(usage=COUNTED)),
        b"data: [DONE]\n\n",
    ]
)
CHAT_FACTS = ResponseFacts(EXPECTED, "gpt-x", "chatcmpl-1", "tool_calls", None)


def named(kind: str, **more: Any) -> bytes:
    return b"event: " + kind.encode() + b"\n" + data({"type": kind} | more)


WHOLE: dict[str, Any] = {
    "id": "resp_1",
    "model": "gpt-x",
    "status": "completed",
    "output": [{"type": "message", "content": [{"type": "output_text", "text": TALK}]}],
    "error": None,
    "incomplete_details": None,
    "usage": {
        "input_tokens": 100,
        "input_tokens_details": {"cached_tokens": 80},
        "output_tokens": 42,
        "output_tokens_details": {"reasoning_tokens": 30},
    },
}
STREAM = b"".join(
    [
        named("response.created", response=WHOLE | {"status": "in_progress", "usage": None}),
        named("response.in_progress", response=WHOLE | {"status": "in_progress", "usage": None}),
        named("response.output_text.delta", delta=TALK),
        named("response.completed", response=WHOLE),
    ]
)
STREAM_FACTS = ResponseFacts(EXPECTED, "gpt-x", "resp_1", "completed", None)


def cut(whole: bytes, at: list[int]) -> list[bytes]:
    marks = sorted({0, len(whole), *(position % len(whole) for position in at)})
    return [whole[a:b] for a, b in itertools.pairwise(marks)]


CASES: list[tuple[Callable[[], Reader], bytes, ResponseFacts]] = [
    (chat.ChunkReader, CHAT, CHAT_FACTS),
    (responses.ResponseReader, STREAM, STREAM_FACTS),
]


@pytest.mark.parametrize("case", CASES, ids=["chat", "responses"])
@given(at=st.lists(st.integers(0, 5000), max_size=9), crlf=st.booleans())
def test_a_stream_is_read_however_it_is_cut(case: Any, at: list[int], crlf: bool) -> None:
    make, stream, facts = case
    reader = make()
    for piece in cut(stream.replace(b"\n", b"\r\n") if crlf else stream, at):
        reader.feed(piece)
    reader.finish()
    assert reader.facts == facts
    assert reader.at_boundary


@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=9))
def test_no_bytes_can_break_a_reader(junk: bytes, at: list[int]) -> None:
    for kind in ("text/event-stream", "application/json", ""):
        for make in (chat.reader_for, responses.reader_for):
            reader = make(kind, None)
            for piece in cut(junk, at) if junk else []:
                reader.feed(piece)
            reader.finish()
            assert reader.facts.usage == Usage()


@pytest.mark.parametrize(
    "hostile",
    [
        {"usage": {"prompt_tokens": -5, "completion_tokens": 10**30}},
        {"usage": "many"},
        {"usage": {"prompt_tokens": "1"}},
        {"choices": [{"finish_reason": 5}]},
        {"choices": {}},
        {"model": ["x"]},
    ],
)
def test_numbers_and_types_that_cannot_be_are_not_believed(hostile: dict[str, Any]) -> None:
    reader = chat.ChunkReader()
    reader.feed(data(chunk() | hostile) + CHAT)
    assert reader.facts == CHAT_FACTS


def test_more_cached_than_sent_is_no_negative_count() -> None:
    reader = chat.ChunkReader()
    reader.feed(data(chunk(usage={"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 50}})))
    assert (reader.facts.usage.input_tokens, reader.facts.usage.cache_read_input_tokens) == (0, 10)


def test_vendors_that_write_with_spaces_or_count_elsewhere_are_understood() -> None:
    reader = chat.ChunkReader()
    reader.feed(data(delta(content="x"), (", ", ": ")))
    reader.feed(data(delta("stop"), (", ", ": ")))
    moonshot = {"prompt_tokens": 10, "completion_tokens": 3, "cached_tokens": 4}
    reader.feed(
        data(chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "stop", "usage": moonshot}]), (", ", ": "))
    )
    assert reader.facts.stop_reason == "stop"
    assert reader.facts.usage == Usage(input_tokens=6, cache_read_input_tokens=4, output_tokens=3)


def test_an_answer_in_one_piece_is_read_at_its_end() -> None:
    whole = {"id": "chatcmpl-1", "model": "gpt-x", "choices": [{"finish_reason": "tool_calls"}], "usage": COUNTED}
    for make, document, facts in (
        (chat.reader_for, whole, CHAT_FACTS),
        (responses.reader_for, WHOLE, STREAM_FACTS),
    ):
        reader = make("application/json", None)
        reader.feed(json.dumps(document).encode())
        reader.finish()
        assert reader.facts == facts
        assert not reader.streaming


def test_why_a_response_ended_early_is_noted() -> None:
    cut_off = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    failed = {"status": "failed", "error": {"code": "server_error", "message": "m"}}
    for kind, change, stop, word in (
        ("response.incomplete", cut_off, "max_output_tokens", None),
        ("response.failed", failed, "failed", "server_error"),
    ):
        reader = responses.ResponseReader()
        reader.feed(named(kind, response=WHOLE | change))
        assert (reader.facts.stop_reason, reader.facts.error_type) == (stop, word)


@pytest.mark.parametrize(
    ("make", "event", "word"),
    [
        (chat.ChunkReader, data({"error": {"message": "m", "type": "server_error", "code": None}}), "server_error"),
        (responses.ResponseReader, named("error", code="rate_limit_exceeded", message="m"), "rate_limit_exceeded"),
        (responses.ResponseReader, named("error", error={"type": "t", "code": "c"}), "c"),
    ],
)
def test_an_error_event_is_noted(make: Any, event: bytes, word: str) -> None:
    reader = make()
    reader.feed(event)
    assert reader.facts.error_type == word


def test_a_last_event_that_repeats_a_long_response_is_read_all_the_same() -> None:
    long = WHOLE | {"output": [{"type": "message", "content": [{"type": "output_text", "text": "wörd " * 300_000}]}]}
    event = named("response.completed", response=long)
    reader = responses.ResponseReader()
    for at in range(0, len(event), 65536):
        reader.feed(event[at : at + 65536])
    assert reader.facts == STREAM_FACTS


def test_an_event_without_end_is_let_go_and_the_next_is_read() -> None:
    reader = responses.ResponseReader()
    for _ in range(80):
        reader.feed(b"data: " + b"x" * 65536)
    assert not reader.at_boundary
    reader.feed(b"\n\n" + STREAM)
    assert reader.facts == STREAM_FACTS


def test_the_reader_follows_the_headers() -> None:
    assert isinstance(chat.reader_for("text/event-stream; charset=utf-8", None), chat.ChunkReader)
    assert isinstance(responses.reader_for("", None), responses.ResponseReader)
    assert isinstance(responses.reader_for("text/event-stream", "gzip"), OpaqueReader)
