"""The client sees its own names, however the vendor's answer comes in pieces, and every other byte as it was."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate_proxy.identity.requests import Instructions, Reversal, dress
from headgate_proxy.identity.responses import EventReverser, reverser
from headgate_proxy.identity.undoing import MAX_BYTES, Irreversible
from headgate_proxy.identity.wires import Wire

from .documents import NAMES, PREAMBLE, PROFILE, written

UNDO = {upstream: client for client, upstream in NAMES.items()}
SSE = "text/event-stream; charset=utf-8"


def undone(body: bytes, wire: Wire = Wire.MESSAGES, content_type: str = "application/json") -> bytes:
    return through(Reversal(wire, UNDO), content_type, [body])


def through(reversal: Reversal, content_type: str, pieces: list[bytes]) -> bytes:
    way = reverser(reversal, content_type, None)
    return b"".join([*map(way.feed, pieces), way.finish()])


def event(data: str, name: str = "") -> str:
    return (f"event: {name}\n" if name else "") + f"data: {data}\n\n"


MESSAGES = (
    ": hello\n\n"
    + event('{"type":"message_start","message":{"id":"m","content":[],"model":"AcmeRead"}}', "message_start")
    + event(
        '{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"AcmeRead","input":{}}}',
        "content_block_start",
    )
    + event('{"type":"ping"}', "ping")
    + event(
        '{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\\"name\\":\\"AcmeRead\\""}}',
        "content_block_delta",
    )
    + event('{"type":"content_block_start","index":1,"content_block":{"name":"AcmeShell","type":"tool_use"}}')
    + event('{"type":"content_block_start","index":2,"content_block":{"name":"AcmeShell","type":"server_tool_use"}}')
    + event('{"type":"content_block_delta","index":3,"delta":{"type":"text_delta","text":"\\"AcmeRead\\" AcmeRead"}}')
)
CHAT = (
    event(
        '{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"AcmeRead","arguments":""}},'
        '{"index":1,"id":"d","type":"custom","custom":{"name":"AcmeShell","input":"AcmeRead"}}]}}]}'
    )
    + event('{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\\"AcmeRead\\""}}]}}]}')
    + event("[DONE]")
)
RESPONSES = (
    event('{"type":"response.created","response":{"tools":[{"type":"function","name":"AcmeRead"}],"output":[]}}')
    + event('{"type":"response.output_item.added","item":{"type":"function_call","name":"AcmeRead","arguments":""}}')
    + event('{"type":"response.function_call_arguments.delta","delta":"\\"AcmeRead\\""}')
    + event(
        '{"type":"response.function_call_arguments.done","name":"AcmeRead","arguments":"{\\"name\\":\\"AcmeRead\\"}"}'
    )
    + event(
        '{"type":"response.output_item.done","item":{"type":"custom_tool_call","name":"AcmeShell","input":"AcmeRead"}}'
    )
    + event('{"type":"response.output_item.done","item":{"type":"mcp_call","name":"AcmeShell"}}')
    + event(
        '{"type":"response.completed","response":{"output":[{"type":"function_call","name":"AcmeRead"}],'
        '"tool_choice":{"type":"function","name":"AcmeRead"},"metadata":{"name":"AcmeRead"}}}'
    )
)
GEMINI = event(
    '{"candidates":[{"content":{"parts":[{"text":"AcmeRead"},{"functionCall":{"name":"AcmeRead","args":{"name":"AcmeRead"}}}]}}]}'
)


def _expected(stream: str, *pieces: str) -> bytes:
    for piece in pieces:
        assert piece in stream
        own = piece.replace('"AcmeRead"', '"read"').replace('"AcmeShell"', '"shell"')
        stream = stream.replace(piece, own)
    return stream.encode()


STREAMS = [
    (Wire.MESSAGES, MESSAGES, ('"id":"t","name":"AcmeRead"', '{"name":"AcmeShell","type":"tool_use"')),
    (Wire.CHAT, CHAT, ('"function":{"name":"AcmeRead"', '"custom":{"name":"AcmeShell"')),
    (
        Wire.RESPONSES,
        RESPONSES,
        (
            '"type":"function_call","name":"AcmeRead"',
            '"type":"function","name":"AcmeRead"',
            'arguments.done","name":"AcmeRead"',
            '"custom_tool_call","name":"AcmeShell"',
        ),
    ),
    (Wire.GENERATE_CONTENT, GEMINI, ('functionCall":{"name":"AcmeRead"',)),
]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
@pytest.mark.parametrize(
    ("wire", "stream", "pieces"), STREAMS, ids=lambda value: value if isinstance(value, Wire) else ""
)
def test_streamed_names_come_back_and_nothing_else_changes(
    wire: Wire, stream: str, pieces: tuple[str, ...], ending: str
) -> None:
    expected = _expected(stream, *pieces).replace(b"\n", ending.encode())
    assert undone(stream.replace("\n", ending).encode(), wire, SSE) == expected


@given(
    which=st.sampled_from(STREAMS),
    cuts=st.lists(st.integers(0, 1500), max_size=30),
    ending=st.sampled_from(["\n", "\r\n", "\r"]),
    cut_short=st.integers(0, 40),
)
def test_how_a_stream_is_divided_makes_no_difference(
    which: tuple[Wire, str, tuple[str, ...]], cuts: list[int], ending: str, cut_short: int
) -> None:
    wire, stream, _ = which
    body = stream.replace("\n", ending).encode()
    body = body[: len(body) - cut_short]
    ends = sorted({0, len(body), *(cut for cut in cuts if cut < len(body))})
    pieces = [body[a:b] for a, b in itertools.pairwise(ends)]
    for content_type in (SSE, "application/json"):
        assert through(Reversal(wire, UNDO), content_type, pieces) == undone(body, wire, content_type)


@pytest.mark.parametrize(
    ("wire", "stream", "pieces"), STREAMS, ids=lambda value: value if isinstance(value, Wire) else ""
)
def test_byte_by_byte_too(wire: Wire, stream: str, pieces: tuple[str, ...]) -> None:
    body = stream.encode()
    assert through(Reversal(wire, UNDO), SSE, [body[i : i + 1] for i in range(len(body))]) == _expected(stream, *pieces)


@given(
    pieces=st.lists(st.binary(max_size=8) | st.text(alphabet="dat: \r\n{}", max_size=12).map(str.encode), max_size=12)
)
def test_what_concerns_no_tool_passes_whatever_it_is(pieces: list[bytes]) -> None:
    for wire, content_type in itertools.product(Wire, (SSE, "application/json", "")):
        assert through(Reversal(wire, UNDO), content_type, pieces) == b"".join(pieces)


@pytest.mark.parametrize(
    "piece",
    [
        b": keep-alive\n",
        b"\r\n",
        b"event: content_block_start\n",
        b'data: {"type":"content_block_delta","delta":{"text":"hello"}}\n\n',
        b'data: {"a":1}\r\n\r\ndata: {"b":2}\r\n\r\nevent: x\r\n',
        b"data: [DONE]\r\r",
    ],
)
def test_nothing_is_held_back_but_data_that_is_not_complete(piece: bytes) -> None:
    way = EventReverser(Reversal(Wire.MESSAGES, UNDO))
    assert way.feed(piece) == piece
    assert way.feed(b"data: {") == b""
    assert way.feed(b"}\n") == b""
    assert way.feed(b"\n" + piece) == b"data: {}\n\n" + piece


def test_data_over_several_lines_names_in_escapes_and_a_byte_order_mark() -> None:
    stream = (
        b'\xef\xbb\xbfdata: {"content_block":{"type":"tool_use",\nid: 7\ndata:"name":"\\u0041cmeRead",\ndata: "input":{}}}\n\n'
        b'data: {"content_block":{"type":"tool_use","n\\u0061me":"AcmeRead"}}\n\n'
    )
    expected = stream.replace(b'"\\u0041cmeRead"', b'"read"').replace(b'"AcmeRead"', b'"read"')
    assert undone(stream, Wire.MESSAGES, SSE) == expected


DOCUMENTS = [
    (Wire.MESSAGES, {"content": [{"type": "tool_use", "name": "AcmeRead", "input": {"name": "AcmeRead"}}]}),
    (
        Wire.CHAT,
        {"choices": [{"message": {"tool_calls": [{"function": {"name": "AcmeRead", "arguments": "AcmeRead"}}]}}]},
    ),
    (
        Wire.RESPONSES,
        {"output": [{"type": "function_call", "name": "AcmeRead", "arguments": "AcmeRead"}], "name": "AcmeRead"},
    ),
    (Wire.GENERATE_CONTENT, {"candidates": [{"content": {"parts": [{"functionCall": {"name": "AcmeRead"}}]}}]}),
    (Wire.GENERATE_CONTENT, [{"candidates": [{"content": {"parts": [{"functionCall": {"name": "AcmeRead"}}]}}]}]),
]


@pytest.mark.parametrize(("wire", "document"), DOCUMENTS)
@given(data=st.data())
def test_documents_get_the_clients_names_back(wire: Wire, document: object, data: st.DataObject) -> None:
    body = data.draw(written(document))
    assert undone(body, wire) == body.replace(b'"AcmeRead"', b'"read"', 1)


@pytest.mark.parametrize(
    "error",
    [
        b'{"type":"error","error":{"type":"invalid_request_error","message":"tools.0.name: \\"AcmeRead\\" is bad"}}',
        b'{"error":{"code":"AcmeRead","message":"no"}}',
        b"<html>AcmeRead</html>",
        b"",
    ],
)
def test_errors_pass_as_they_are(error: bytes) -> None:
    for wire in Wire:
        assert undone(error, wire) == error
        assert undone(b"event: error\ndata: " + error + b"\n\n", wire, SSE) == b"event: error\ndata: " + error + b"\n\n"


@pytest.mark.parametrize("own", ['"be\\u0020nice"', "null", None])
def test_instructions_that_a_response_repeats_are_the_clients_own(own: str | None) -> None:
    request = '{"input":"a"' + ("" if own is None else f',"instructions":{own}') + "}"
    dressed = dress(request.encode(), Wire.RESPONSES, PROFILE)
    assert dressed.reversal is not None
    repeated = json.dumps(json.loads(dressed.body)["instructions"])

    answer = f'{{"object":"response","instructions":{repeated},"output":[]}}'
    streamed = event(f'{{"type":"response.created","response":{answer}}}')

    for body, content_type in ((answer, "application/json"), (streamed, SSE)):
        expected = body.replace(repeated, own or "null").encode()
        assert through(dressed.reversal, content_type, [body.encode()]) == expected


def test_other_instructions_stay() -> None:
    reversal = Reversal(Wire.RESPONSES, {}, Instructions(PREAMBLE, None))
    body = b'{"instructions":"something else"}'
    assert through(reversal, "application/json", [body]) == body


def test_an_event_without_an_end_is_refused_at_its_bound() -> None:
    way = EventReverser(Reversal(Wire.MESSAGES, UNDO))
    whole, piece = b"data: {}\n\n", b"data: " + b"x" * (1024 * 1024)
    assert way.feed(whole + piece) == whole
    with pytest.raises(Irreversible, match=str(MAX_BYTES)):
        for _ in range(MAX_BYTES // len(piece) + 1):
            assert way.feed(piece) == b""


@pytest.mark.parametrize("content_type", [SSE, "application/json"])
def test_a_compressed_answer_is_refused(content_type: str) -> None:
    with pytest.raises(Irreversible, match="gzip"):
        reverser(Reversal(Wire.MESSAGES, UNDO), content_type, "gzip")


ELEMENT = (
    '{"candidates":[{"content":{"parts":[{"text":"]}\\"AcmeRead\\\\"},'
    '{"functionCall":{"name":"AcmeRead","args":{"x":["{"]}}}]}}]}'
)
ARRAY = f"[{ELEMENT}\r\n,\r\n{ELEMENT}\n]\n"


@given(cuts=st.lists(st.integers(0, 300), max_size=40))
def test_a_stream_that_is_an_array_gives_the_same_however_it_is_divided(cuts: list[int]) -> None:
    body = ARRAY.encode()
    ends = sorted({0, len(body), *(cut for cut in cuts if cut < len(body))})
    pieces = [body[a:b] for a, b in itertools.pairwise(ends)]
    expected = body.replace(b'"name":"AcmeRead"', b'"name":"read"')
    assert through(Reversal(Wire.GENERATE_CONTENT, UNDO), "application/json", pieces) == expected


def test_elements_of_an_array_pass_as_they_come() -> None:
    way = reverser(Reversal(Wire.GENERATE_CONTENT, UNDO), "application/json", None)
    own = ELEMENT.encode().replace(b'"name":"AcmeRead"', b'"name":"read"')
    assert way.feed(b"[" + ELEMENT.encode()) == b"[" + own
    assert way.feed(b"\r\n,\r\n" + ELEMENT.encode()[:-1]) == b""
    assert way.feed(b"}") == b"\r\n,\r\n" + own
    assert way.feed(b"]") + way.finish() == b"]"
