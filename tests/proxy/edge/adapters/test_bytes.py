"""Where client and provider speak the same protocol, bodies pass byte for byte, both ways (B7)."""

from typing import Any

import aiohttp
import pytest
from yarl import URL

from .scripted import Scripted, chunked, scripted
from .vendors import API_KEY

ODD = (
    b' {\n "model"\t: "%s" , "stream":true,"x":1.0e+2,"caf\xc3\xa9":"\\u00e9\\/",'
    b'"dup":1,"dup":2,"model_":"%s","deep":[{"model":"%s"}]}\r\n'
)
"""White space, escapes, numbers and order as no JSON library would write them again."""
ANSWER = (b'data: {"x":"\xc3', b'\xa9 \\u00e9"}\n\n: comment\r\n\r\nda', b"ta:half", b"\n\nno end")
PATHS = [
    ("Anthropic", "/v1/messages", "/v1/messages"),
    ("Anthropic", "/claude/v1/messages/count_tokens", "/v1/messages/count_tokens"),
    ("OpenAI", "/v1/chat/completions", "/v1/chat/completions"),
    ("OpenAI", "/openai/v1/responses", "/v1/responses"),
    ("Gemini", "/v1beta/models/m:generateContent", "/v1beta/models/m:generateContent"),
    ("Gemini", "/v1/models/m:streamGenerateContent?alt=sse", "/v1/models/m:streamGenerateContent?alt=sse"),
    (
        "Gemini",
        "/gemini/v1beta/models/m:countTokens?%24alt=json&x=%2F",
        "/v1beta/models/m:countTokens?%24alt=json&x=%2F",
    ),
]


def serve(gate: Any, script: Scripted, protocol: str, **spec: Any) -> None:
    models = spec.pop("models", [{"name": "m"}])
    endpoint = script.url + spec.pop("base", "")
    gate.provider("llm", protocol=protocol, endpoint=endpoint, models=models, **spec)
    gate.hold("team-a/llmproviders/llm/api-key", API_KEY, origins=(script.url,))


@pytest.mark.parametrize(("protocol", "asked", "sent"), PATHS)
async def test_both_bodies_pass_byte_for_byte(gate: Any, protocol: str, asked: str, sent: str) -> None:
    body = ODD % (b"m", b"m", b"m")
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    async with scripted(head, *chunked(*ANSWER)) as script:
        serve(gate, script, protocol)
        async with gate.http.post(URL(gate.url + asked, encoded=True), data=body, headers=gate.headers()) as response:
            assert response.status == 200
            assert await response.read() == b"".join(ANSWER)
        assert script.bodies == [body]
        assert script.lines == [f"POST {sent} HTTP/1.1"]
        await gate.edge.close()


@pytest.mark.parametrize(("protocol", "asked", "sent"), PATHS)
async def test_another_name_for_a_model_is_all_that_changes(gate: Any, protocol: str, asked: str, sent: str) -> None:
    asked, sent = asked.replace("/m:", "/alias:"), sent.replace("/m:", "/real%2Fname:")
    body = ODD % (b"alias", b"alias", b"alias")
    async with scripted(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}") as script:
        serve(gate, script, protocol, models=[{"name": "alias", "upstreamName": "real/name"}])
        async with gate.http.post(URL(gate.url + asked, encoded=True), data=body, headers=gate.headers()) as response:
            assert response.status == 200
        named = b"models/real/name" if protocol == "Gemini" else b"real/name"
        assert script.bodies == [ODD % (named, b"alias", b"alias")]
        assert script.lines == [f"POST {sent} HTTP/1.1"]
        await gate.edge.close()


@pytest.mark.parametrize(
    ("protocol", "base", "asked", "sent"),
    [
        ("OpenAI", "/api/coding/paas/v4", "/v1/chat/completions", "/api/coding/paas/v4/chat/completions"),
        ("OpenAI", "/v1/", "/v1/responses", "/v1/responses"),
        ("OpenAI", "", "/v1/responses", "/v1/responses"),
        ("Anthropic", "/api/anthropic", "/v1/messages", "/api/anthropic/v1/messages"),
        ("Gemini", "/google", "/v1beta/models/m:generateContent", "/google/v1beta/models/m:generateContent"),
    ],
)
async def test_a_base_url_and_a_path_join_as_the_vendors_sdk_would(
    gate: Any, protocol: str, base: str, asked: str, sent: str
) -> None:
    async with scripted(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}") as script:
        serve(gate, script, protocol, base=base)
        async with gate.http.post(gate.url + asked, data=b'{"model":"m"}', headers=gate.headers()) as response:
            assert response.status == 200
        assert script.lines == [f"POST {sent} HTTP/1.1"]
        await gate.edge.close()


@pytest.mark.parametrize(
    ("protocol", "asked", "last"),
    [
        ("Anthropic", "/v1/messages", b'event: error\ndata: {"type":"error","error":{"type":"api_error","message":'),
        ("OpenAI", "/v1/chat/completions", b'data: {"error":{"message":'),
        ("OpenAI", "/v1/responses", b'event: error\ndata: {"type":"error","code":"api_error","message":'),
        ("Gemini", "/v1beta/models/m:streamGenerateContent?alt=sse", b'data: {"error":{"code":502,"message":'),
    ],
)
async def test_a_stream_that_breaks_off_ends_with_the_protocols_own_error(
    gate: Any, protocol: str, asked: str, last: bytes
) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    first = b"data: {}\r\n\r\n" if protocol == "Gemini" else b"data: {}\n\n"
    async with scripted(head, chunked(first)[0], None) as script:
        serve(gate, script, protocol)
        async with gate.http.post(
            gate.url + asked, data=b'{"model":"m","stream":true}', headers=gate.headers()
        ) as response:
            received = await response.read()
        assert received.startswith(first + last)
        assert b"broke off" in received
        assert gate.trace.outcomes[0].truncated
        await gate.edge.close()


async def test_an_array_that_breaks_off_is_cut_where_it_broke(gate: Any) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    async with scripted(head, chunked(b'[{"candidates":[]}\r\n,')[0], None) as script:
        serve(gate, script, "Gemini")
        async with gate.http.post(
            gate.url + "/v1beta/models/m:streamGenerateContent", data=b"{}", headers=gate.headers()
        ) as response:
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.read()
        assert gate.trace.outcomes[0].truncated
        await gate.edge.close()
