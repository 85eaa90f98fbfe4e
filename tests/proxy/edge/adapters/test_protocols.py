"""Several protocols on one gate: models are found by the protocol that asks, and every refusal is in the asker's own words."""

import json
from typing import Any

import anthropic
import openai
import pytest
from google.genai import errors

from .vendors import gemini_sdk, openai_sdk

ALL = ("Anthropic", "OpenAI", "Gemini")
ASK: dict[str, tuple[str, dict[str, Any]]] = {
    "Anthropic": ("/v1/messages", {"model": "m", "max_tokens": 5, "messages": []}),
    "OpenAI": ("/v1/chat/completions", {"model": "m", "messages": []}),
    "Gemini": ("/v1beta/models/m:generateContent", {"contents": []}),
}


def serve(gate: Any, *protocols: str, **more: Any) -> None:
    for protocol in protocols:
        gate.provider(f"of-{protocol.lower()}", protocol=protocol, models=[{"name": "m"}], **more)


async def post(gate: Any, path: str, body: Any, **headers: str) -> tuple[Any, Any]:
    sent = {"authorization": f"Bearer {gate.cluster.token()}"} | headers
    async with gate.http.post(gate.url + path, json=body, headers=sent) as response:
        return response, json.loads(await response.read())


def message_of(protocol: str, body: Any) -> str:
    """Return the message of an error envelope, once it is the protocol's own."""
    if protocol == "Anthropic":
        assert body["type"] == "error"
    elif protocol == "OpenAI":
        assert body["error"].keys() == {"message", "type", "param", "code"}
    else:
        assert isinstance(body["error"]["code"], int)
        assert body["error"]["status"].isupper()
    message: str = body["error"]["message"]
    return message


@pytest.mark.parametrize("protocol", ALL)
async def test_one_name_leads_to_the_provider_that_speaks_the_clients_protocol(gate: Any, protocol: str) -> None:
    serve(gate, *ALL)
    path, body = ASK[protocol]
    async with gate.http.post(gate.url + path, json=body, headers=gate.headers()) as response:
        assert response.headers["x-headgate-provider"] == f"team-a/of-{protocol.lower()}"


@pytest.mark.parametrize("protocol", ALL)
async def test_a_model_of_another_protocol_is_refused_with_the_path_to_use(gate: Any, protocol: str) -> None:
    others = [name for name in ALL if name != protocol]
    serve(gate, *others)
    path, body = ASK[protocol]
    response, said = await post(gate, path, body)
    message = message_of(protocol, said)
    assert response.status == 400
    assert response.headers["x-should-retry"] == "false"
    for other in others:
        assert f"LLMProvider team-a/of-{other.lower()} speaks {other}: POST" in message
        assert ASK[other][0].replace("/m:", "/{model}:") in message
    assert gate.emu.requests == []


async def test_an_api_that_a_provider_does_not_serve_is_refused_with_the_one_it_does(gate: Any) -> None:
    gate.provider("chat", protocol="OpenAI", apis=["Chat"], models=[{"name": "m"}])
    _, said = await post(gate, "/v1/responses", {"model": "m", "input": "hi"})
    assert "LLMProvider team-a/chat speaks OpenAI: POST /v1/chat/completions;" in said["error"]["message"] + ";"
    gate.provider("responses", protocol="OpenAI", apis=["Responses"], models=[{"name": "m"}])
    async with gate.http.post(
        gate.url + "/v1/responses", json={"model": "m", "input": "hi"}, headers=gate.headers()
    ) as response:
        assert response.headers["x-headgate-provider"] == "team-a/responses"


@pytest.mark.parametrize("protocol", ALL)
async def test_refusals_are_in_the_clients_own_envelope(gate: Any, protocol: str) -> None:
    serve(gate, *ALL)
    path, body = ASK[protocol]
    unknown = path.replace("/m:", "/x:")
    response, said = await post(gate, unknown, body | ({"model": "x"} if "model" in body else {}))
    assert response.status == 404
    assert "'x' is not served here" in message_of(protocol, said)
    async with gate.http.post(gate.url + path, json=body) as response:
        assert response.status == 401
        assert "no credential" in message_of(protocol, json.loads(await response.read()))
    async with gate.http.post(gate.url + path, data=b"{", headers=gate.headers()) as response:
        assert response.status == 400
        assert "not valid JSON" in message_of(protocol, json.loads(await response.read()))
    async with gate.http.put(gate.url + path, data=b"{}", headers=gate.headers()) as response:
        assert response.status == 405
        message_of(protocol, json.loads(await response.read()))


@pytest.mark.parametrize(
    ("path", "headers", "protocol"),
    [
        ("/v1/embeddings", {}, "OpenAI"),
        ("/openai/v1/files", {}, "OpenAI"),
        ("/v1/messages/batches", {}, "Anthropic"),
        ("/claude/v1/files", {}, "Anthropic"),
        ("/v1/files", {"anthropic-version": "2023-06-01"}, "Anthropic"),
        ("/v1beta/models/m:embedContent", {}, "Gemini"),
        ("/v1/models/m:predict", {"x-goog-api-client": "google-genai-sdk/3"}, "Gemini"),
    ],
)
async def test_a_path_that_is_not_served_is_refused_in_its_likely_vendors_words(
    gate: Any, path: str, headers: dict[str, str], protocol: str
) -> None:
    response, said = await post(gate, path, {}, **headers)
    assert response.status in (404, 405)
    message_of(protocol, said)


async def test_each_vendors_sdk_lists_the_models_of_its_own_protocol(gate: Any) -> None:
    for protocol in ALL:
        gate.provider(protocol.lower(), protocol=protocol, models=[{"name": f"m-{protocol.lower()}"}])
    async with gate.sdk() as claude:
        assert [m.id async for m in await claude.models.list()] == ["m-anthropic"]
        assert (await claude.models.retrieve("m-anthropic")).id == "m-anthropic"
        with pytest.raises(anthropic.NotFoundError):
            await claude.models.retrieve("m-missing")
    async with openai_sdk(gate) as gpt:
        assert [m.id async for m in await gpt.models.list()] == ["m-openai"]
        assert (await gpt.models.retrieve("m-openai")).object == "model"
        with pytest.raises(openai.NotFoundError):
            await gpt.models.retrieve("m-missing")
    async with gemini_sdk(gate) as google:
        assert [m.name async for m in await google.models.list()] == ["models/m-gemini"]
        assert (await google.models.get(model="m-gemini")).name == "models/m-gemini"
        with pytest.raises(errors.ClientError):
            await google.models.get(model="m-missing")


async def test_a_client_that_tells_nothing_of_itself_sees_what_there_is(gate: Any) -> None:
    bare = {"authorization": gate.headers()["authorization"]}
    gate.provider("anthropic", protocol="Anthropic", models=[{"name": "m-anthropic"}])
    async with gate.http.get(gate.url + "/v1/models", headers=bare) as response:
        assert [model["id"] for model in (await response.json())["data"]] == ["m-anthropic"]
    async with gate.http.get(gate.url + "/v1/models/m-anthropic", headers=bare) as response:
        assert (await response.json())["type"] == "model"
    gate.provider("openai", protocol="OpenAI", models=[{"name": "m-openai"}])
    async with gate.http.get(gate.url + "/v1/models", headers=bare) as response:
        assert [model["id"] for model in (await response.json())["data"]] == ["m-openai"]
    async with gate.http.get(gate.url + "/v1/models", headers={"x-api-key": gate.cluster.token()}) as response:
        assert [model["id"] for model in (await response.json())["data"]] == ["m-anthropic"]


@pytest.mark.parametrize("prefix", ["/claude", "/openai", "/gemini"])
async def test_a_prefix_decides_for_clients_that_say_nothing_else(gate: Any, prefix: str) -> None:
    for protocol in ALL:
        gate.provider(protocol.lower(), protocol=protocol, models=[{"name": f"m-{protocol.lower()}"}])
    wanted = {"/claude": "m-anthropic", "/openai": "m-openai", "/gemini": "m-gemini"}[prefix]
    async with gate.http.get(
        gate.url + prefix + "/v1/models", headers={"authorization": gate.headers()["authorization"]}
    ) as response:
        text = await response.text()
    assert wanted in text
    assert text.count("m-") == text.count(wanted)


async def test_google_clients_may_send_their_token_as_they_send_keys(gate: Any) -> None:
    serve(gate, "Gemini")
    token = gate.cluster.token()
    path = gate.url + "/v1beta/models/m:generateContent"
    for sent in ({"headers": {"x-goog-api-key": token}}, {"params": {"key": token}}):
        async with gate.http.post(path, json={"contents": []}, **sent) as response:
            assert response.headers["x-headgate-provider"] == "team-a/of-gemini"
    for request in gate.emu.requests:
        assert token not in request.target
        assert token not in repr(request.headers)
        assert request.header("x-goog-api-key") == "emulated-api-key"
    assert all(token not in trace.path for trace in gate.tracing.traces)


async def test_a_token_in_the_query_opens_nothing_where_the_protocol_has_no_such_thing(gate: Any) -> None:
    serve(gate, "OpenAI")
    path, body = ASK["OpenAI"]
    async with gate.http.post(gate.url + path, json=body, params={"key": gate.cluster.token()}) as response:
        assert response.status == 401
