"""Requests to OpenAI's and Gemini's paths that no well-behaved client sends: answered in the envelope, and none goes astray."""

import json
from typing import Any

import pytest
from yarl import URL

from .scripted import chunked, scripted
from .test_protocols import message_of
from .vendors import API_KEY

PATHS = {
    "OpenAI": ("/v1/chat/completions", "/v1/responses", "/backend-api/codex/responses"),
    "Gemini": ("/v1beta/models/m:generateContent", "/v1/models/m:streamGenerateContent?alt=sse"),
}
EVERY = [(protocol, path) for protocol, paths in PATHS.items() for path in paths]


@pytest.fixture
def gate(gate: Any) -> Any:
    for protocol in PATHS:
        gate.provider(protocol.lower(), protocol=protocol, models=[{"name": "m"}])
    return gate


async def post(gate: Any, path: str, body: bytes) -> tuple[Any, Any]:
    async with gate.http.post(URL(gate.url + path, encoded=True), data=body, headers=gate.headers()) as response:
        return response, json.loads(await response.read())


BAD = {
    "deep": b'{"model":"m","contents":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    "deep and open": b"[" * 1_000_000,
    "lone surrogate": b'{"model":"m","x":"\\ud800"}',
    "array": b"[]",
    "null": b"null",
    "empty": b"",
    "nan": b'{"model":"m","x":NaN}',
    "two documents": b'{"model":"m"}{"model":"m"}',
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize(("protocol", "path"), EVERY)
async def test_what_is_no_json_object_is_refused_in_the_clients_words(
    gate: Any, protocol: str, path: str, case: str
) -> None:
    response, said = await post(gate, path, BAD[case])
    assert response.status == 400
    assert len(message_of(protocol, said)) < 400
    assert gate.emu.requests == []


@pytest.mark.parametrize(
    "body", [b'{"model":5}', b'{"model":null}', b"{}", b'{"model":["m"]}', b'{"model":"m","stream":"yes"}']
)
@pytest.mark.parametrize("path", PATHS["OpenAI"])
async def test_wrong_types_are_named(gate: Any, path: str, body: bytes) -> None:
    response, said = await post(gate, path, body)
    assert response.status == 400
    assert message_of("OpenAI", said).startswith(("model: ", "stream: "))


@pytest.mark.parametrize("path", PATHS["OpenAI"])
async def test_a_model_that_is_no_text_is_refused(gate: Any, path: str) -> None:
    response, said = await post(gate, path, b'{"model":"m\xff"}')
    assert response.status == 400
    message_of("OpenAI", said)


NOWHERE = [
    "/v1beta/models/..:generateContent",
    "/v1beta/models/%2e%2e:generateContent",
    "/v1beta/models/%2e%2e%2f%2e%2e%2fv1%2ffiles:generateContent",
    "/v1beta/models/x%2Fm:generateContent",
    "/v1beta/models/m%3AgenerateContent:generateContent",
    "/v1beta/models/m%00:generateContent",
    "/v1beta/models/%ff:generateContent",
    "/v1beta/models/m%0d%0ahost:generateContent",
    "/v1beta/models/M:generateContent",
    "/v1beta/models/%C2%AD:generateContent",
    "/v1beta/models/ :generateContent".replace(" ", "%20"),
    "/v1beta/models/" + "m" * 20_000 + ":generateContent",
]


@pytest.mark.parametrize("path", NOWHERE)
async def test_a_model_name_in_a_path_is_looked_up_and_never_passed_on(gate: Any, path: str) -> None:
    response, said = await post(gate, path, b"{}")
    assert response.status == 404
    assert "is not served here" in message_of("Gemini", said)
    assert len(message_of("Gemini", said)) < 400
    assert gate.emu.requests == []
    assert gate.trace.path == "/v1beta/models/{model}:generateContent"


@pytest.mark.parametrize(
    "path",
    [
        "/v1beta/models/m:embedContent",
        "/v1beta/models/m:generateContent/",
        "/v1beta//models/m:generateContent",
        "/v1beta/models//m:generateContent",
        "/v1beta/models/x/m:generateContent",
        "/v1beta/models/m:generatecontent",
        "/v1beta/models/m%3AgenerateContent",
        "/v1beta/files/m:generateContent",
        "/v1alpha/models/m:generateContent",
        "/v1/chat/completions/",
        "/v1/chat%2Fcompletions",
        "/v1/responses/resp_1/cancel",
        "/backend-api/codex/../codex/responses",
        "/backend-api/wham/usage",
    ],
)
async def test_paths_lead_nowhere_else(gate: Any, path: str) -> None:
    response, _ = await post(gate, path, b'{"model":"m"}')
    assert response.status in (404, 405)
    assert gate.emu.requests == []
    assert gate.trace.path in ("unknown", "/v1beta/models/{model}")


async def test_a_model_with_odd_characters_reaches_the_vendor_as_one_segment(gate: Any) -> None:
    odd = "tuned/ñ:v1?x#y%z"
    async with scripted(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}") as script:
        gate.provider("odd", protocol="Gemini", endpoint=script.url, models=[{"name": odd, "aliases": ["short"]}])
        gate.hold("team-a/llmproviders/odd/api-key", API_KEY, origins=(script.url,))
        for asked in ("tuned%2F%C3%B1%3Av1%3Fx%23y%25z", "tuned%2f%c3%b1:v1%3fx%23y%25z", "short"):
            path = f"/v1beta/models/{asked}:countTokens"
            async with gate.http.post(
                URL(gate.url + path, encoded=True), data=b"{}", headers=gate.headers()
            ) as response:
                assert response.status == 200
        assert script.lines == ["POST /v1beta/models/tuned%2F%C3%B1%3Av1%3Fx%23y%25z:countTokens HTTP/1.1"] * 3
        await gate.edge.close()


@pytest.mark.parametrize(("protocol", "path"), EVERY[:2] + EVERY[3:])
async def test_a_giant_event_passes_and_what_follows_is_still_read(gate: Any, protocol: str, path: str) -> None:
    giant = b'data: {"x":"' + b"y" * 6_000_000 + b'"}\n\n'
    last = {
        "/v1/chat/completions": b'data: {"model":"m","choices":[{"finish_reason":"stop"}],"usage":{"prompt_tokens":7}}\n\n',
        "/v1/responses": b'data: {"type":"response.completed","response":{"status":"completed","usage":{"input_tokens":7}}}\n\n',
    }.get(path, b'data: {"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":7}}\r\n\r\n')
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    async with scripted(head, *chunked(giant, last)) as script:
        gate.provider("giant", protocol=protocol, endpoint=script.url, models=[{"name": "g"}])
        gate.hold("team-a/llmproviders/giant/api-key", API_KEY, origins=(script.url,))
        url = URL(gate.url + path.replace("/m:", "/g:"), encoded=True)
        async with gate.http.post(url, data=b'{"model":"g","stream":true}', headers=gate.headers()) as response:
            assert await response.read() == giant + last
        await gate.trace.ended.wait()
        assert gate.trace.outcomes[0].facts.usage.input_tokens == 7
        await gate.edge.close()


async def test_no_caller_has_a_credential_refused_that_others_use(gate: Any) -> None:
    """What decides on whose account the gate's credential is used never comes from a caller."""
    naming = {
        "openai-organization": "org-x",
        "openai-project": "proj-x",
        "chatgpt-account-id": "acc-x",
        "x-goog-user-project": "p-x",
        "x-http-method-override": "DELETE",
    }
    async with scripted(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}") as script:
        for protocol, (path, *_) in PATHS.items():
            gate.provider(protocol.lower(), protocol=protocol, endpoint=script.url, models=[{"name": "m"}])
            gate.hold(f"team-a/llmproviders/{protocol.lower()}/api-key", API_KEY, origins=(script.url,))
            async with gate.http.post(
                gate.url + path + "?access_token=x&oauth_token=y&quotaUser=z",
                data=b'{"model":"m"}',
                headers=gate.headers() | naming,
            ) as response:
                assert response.status == 200
        for head in script.heads:
            assert not [name for name in naming if name.encode() in head.lower()]
            assert b"_token" not in head
        await gate.edge.close()
