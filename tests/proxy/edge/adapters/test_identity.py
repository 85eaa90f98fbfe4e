"""Every plan under an identity profile: the vendor sees its system text and names of tools, the vendors' own clients theirs."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from headgate_api import acknowledgement
from headgate_dev.emulator import TokenState

from .vendors import KINDS, OAUTH, SAMPLE, TOOLS, USE, Adapter, gemini_sdk

PREAMBLE = "You work in Acme's build farm."
NAMES = {name: f"acme_{name}" for name in TOOLS}
with_plan = pytest.mark.parametrize(
    ("adapter", "kind"), [case for case in KINDS if len(case[0].modes) > 1], indirect=["adapter"], ids=str
)


@pytest.fixture
def present(gate: Any, serve: Callable[..., None]) -> Callable[..., None]:
    """Return what configures a gate for an adapter whose plan presents the profile."""

    def configured(adapter: Adapter, fallback: dict[str, str] | None = None) -> None:
        serve(adapter)
        (entry,) = gate.providers.values()
        auth = entry.stable.spec.auth.to_wire()
        identity = {
            "type": "Profile",
            "headers": {"x-acme-farm": "north"},
            "systemPreamble": PREAMBLE,
            "toolNames": NAMES,
        }
        given = {"by": "ann", "at": "2026-11-21T08:00:00Z", "textVersion": acknowledgement.TEXT_VERSION}
        settings = {"identity": identity, "acknowledgement": given}
        auth["subscription"] = {k: v.replace("{emu}", gate.emu.url) for k, v in adapter.subscription.items()} | settings
        gate.provider("llm", auth=auth | {"fallback": fallback or {}}, **adapter.spec)

    return configured


@with_plan
async def test_tools_are_called_by_the_clients_names(
    gate: Any, present: Callable[..., None], adapter: Adapter, kind: str
) -> None:
    present(adapter)
    _, calls = await adapter.asks[kind](gate, " ".join(NAMES.get(word, word) for word in USE.split()), True)

    assert calls == [(name, SAMPLE) for name in TOOLS]
    (request,) = gate.emu.requests
    assert request.credential_kind == "oauth"
    assert request.header("x-acme-farm") == "north"
    for name, upstream in NAMES.items():
        assert f'"{name}"'.encode() not in request.body
        assert f'"{upstream}"'.encode() in request.body
        assert f'"{upstream}"'.encode() in request.response_body
    assert _system(json.loads(request.body)).startswith(PREAMBLE)
    outcome = gate.trace.outcomes[0]
    assert outcome.facts.usage.output_tokens > 0


@with_plan
async def test_text_passes_too(gate: Any, present: Callable[..., None], adapter: Adapter, kind: str) -> None:
    present(adapter)
    text, calls = await adapter.asks[kind](gate, 'say "acme_weather"', False)
    assert (text, calls) == ('You said: say "acme_weather"', [])


@with_plan
async def test_the_next_mode_gets_the_clients_own(
    gate: Any, present: Callable[..., None], adapter: Adapter, kind: str
) -> None:
    present(adapter, {"revoked": "Allow"})
    gate.emu.oauth_tokens[OAUTH] = TokenState.REVOKED
    _, calls = await adapter.asks[kind](gate, USE, True)

    assert calls == [(name, SAMPLE) for name in TOOLS]
    request = gate.emu.requests[-1]
    assert request.credential_kind == "api_key"
    assert request.header("x-acme-farm") is None
    assert b"acme" not in request.body.lower()


@pytest.mark.parametrize(
    "adapter", [case[0] for case in KINDS if case[0].name == "gemini-plan"][:1], indirect=True, ids=str
)
async def test_a_conversation_goes_on_and_a_stream_may_be_an_array(
    gate: Any, present: Callable[..., None], adapter: Adapter
) -> None:
    present(adapter)
    model = adapter.spec["models"][0]["name"]
    parts = [{"functionCall": {"name": "weather", "args": {"city": "weather"}}}]
    results = [{"functionResponse": {"name": "weather", "response": {"name": "weather"}}}]
    asked: dict[str, Any] = {
        "contents": [
            {"role": "user", "parts": [{"text": USE.replace("weather", "acme_weather")}]},
            {"role": "model", "parts": parts},
            {"role": "user", "parts": results},
        ],
        "tools": [{"functionDeclarations": [{"name": name} for name in TOOLS]}],
    }
    url = f"{gate.url}/v1beta/models/{model}:streamGenerateContent"
    async with gate.http.post(url, json=asked, headers=gate.headers()) as response:
        got = await response.read()

    del asked["contents"][1:]
    async with gate.http.post(url, json=asked, headers=gate.headers()) as response:
        called = await response.read()

    request, second = gate.emu.requests
    assert response.status == 200
    assert second.response_body.count(b'"acme_weather"') == 1
    assert called == second.response_body.replace(b'"acme_weather"', b'"weather"').replace(b'"acme_news"', b'"news"')
    contents = json.loads(request.body)["contents"]
    assert contents[1]["parts"] == [{"functionCall": {"name": "acme_weather", "args": {"city": "weather"}}}]
    assert contents[2]["parts"] == [{"functionResponse": {"name": "acme_weather", "response": {"name": "weather"}}}]
    assert isinstance(json.loads(got), list)
    assert got == request.response_body

    async with gemini_sdk(gate) as sdk:
        counted = await sdk.models.count_tokens(model=model, contents="hello")
    assert counted.total_tokens


def _system(sent: dict[str, Any]) -> str:
    """Return the system context of any protocol, as text."""
    if "instructions" in sent:
        return str(sent["instructions"])
    if "systemInstruction" in sent:
        return "\n".join(part["text"] for part in sent["systemInstruction"]["parts"])
    return "\n".join(block["text"] for block in sent["system"])
