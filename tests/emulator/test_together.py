"""Several vendors on one origin, as the process serves them: everyone's SDK at one address, everyone's own sign-in."""

import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
import anthropic
import httpx
import openai
import pytest
from google import genai
from google.genai import types

from headgate_dev.emulator import Emulator, Fault, FaultKind
from headgate_dev.emulator.oauth import Client
from headgate_dev.emulator.oauth.codes import s256
from headgate_dev.emulator.vendors import NAMES, vendor

from .conftest import API_KEY

CLIENTS = {name: [Client(f"{name}-client", redirect_uris=("/oauth/code/callback",))] for name in NAMES}


@pytest.fixture
async def emu() -> AsyncIterator[Emulator]:
    async with Emulator(vendor=vendor(NAMES, CLIENTS), api_keys=[API_KEY]) as emulator:
        yield emulator


async def test_every_sdk_finds_its_vendor(emu: Emulator) -> None:
    hello: Any = [{"role": "user", "content": "hello"}]
    async with anthropic.AsyncAnthropic(api_key=API_KEY, base_url=emu.url, max_retries=0) as claude:
        message = await claude.messages.create(model="claude-sonnet-4-6", max_tokens=50, messages=hello)
        assert "claude-sonnet-4-6" in [model.id async for model in claude.models.list()]
    async with openai.AsyncOpenAI(api_key=API_KEY, base_url=f"{emu.url}/v1", max_retries=0) as gpt:
        response = await gpt.responses.create(model="gpt-5.4", input=hello)
        completion = await gpt.chat.completions.create(model="gpt-5.4", messages=hello)
        assert "gpt-5.4" in [model.id async for model in gpt.models.list()]
    async with httpx.AsyncClient() as inner:
        options = types.HttpOptions(base_url=emu.url, httpx_async_client=inner)
        async with genai.Client(api_key=API_KEY, http_options=options).aio as gemini:
            generated = await gemini.models.generate_content(model="gemini-2.5-flash", contents="hello")
            assert (await gemini.models.get(model="gemini-2.5-flash")).name == "models/gemini-2.5-flash"
    said = [message.content[0].model_dump()["text"], response.output_text, completion.choices[0].message.content]
    assert {*said, generated.text} == {"You said: hello"}


@pytest.mark.parametrize(
    ("path", "status"),
    [("/v1/messages", 529), ("/v1/responses", 503), ("/v1beta/models/gemini-2.5-pro:countTokens", 503)],
)
async def test_a_fault_has_the_words_of_the_vendor_of_the_path(emu: Emulator, path: str, status: int) -> None:
    emu.add_fault(Fault(kind=FaultKind.OVERLOADED))
    async with aiohttp.request("POST", emu.url + path, json={}) as answer:
        assert answer.status == status


async def sign_in(http: aiohttp.ClientSession, name: str, origin: str) -> dict[str, Any]:
    """Sign in as a person without a browser does: open the page, copy the code that it shows."""
    verifier, redirect = secrets.token_urlsafe(32), f"{origin}/oauth/code/callback"
    asked = {
        "code": "true",
        "response_type": "code",
        "client_id": f"{name}-client",
        "redirect_uri": redirect,
        "scope": "openid",
        "state": "some-state",
        "code_challenge": s256(verifier),
        "code_challenge_method": "S256",
    }
    async with http.get("/oauth/authorize", params=asked) as page:
        shown = re.search(r"<code id=code>(.*?)#(.*?)</code>", await page.text())
    assert shown is not None
    given = {
        "grant_type": "authorization_code",
        "client_id": f"{name}-client",
        "code": shown[1],
        "state": shown[2],
        "redirect_uri": redirect,
        "code_verifier": verifier,
    }
    sent: dict[str, Any] = {"json": given} if name == "anthropic" else {"data": given}
    async with http.post("/oauth/token", **sent) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()  # type: ignore[no-any-return]


async def test_each_vendor_signs_its_own_people_in(emu: Emulator) -> None:
    async with aiohttp.ClientSession(emu.url) as http:
        granted = {name: await sign_in(http, name, emu.url) for name in NAMES}
        assert len({grant["access_token"] for grant in granted.values()}) == 3
        for name in NAMES:
            body = {"grant_type": "refresh_token", "refresh_token": granted[name]["refresh_token"]} | {
                "client_id": f"{name}-client"
            }
            sent: dict[str, Any] = {"json": body} if name == "anthropic" else {"data": body}
            async with http.post("/oauth/token", **sent) as answer:
                assert ("refresh_token" in await answer.json()) is (name != "gemini")
            async with http.get(f"/_emulator/{name}/oauth") as answer:
                assert [call["grant_type"] for call in (await answer.json())["calls"]] == [
                    "authorization_code",
                    "refresh_token",
                ]


@contextmanager
def process(*arguments: str) -> Iterator[str]:
    command = [sys.executable, "-m", "headgate_dev.emulator", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=dict(os.environ)) as running:
        try:
            assert running.stdout is not None
            yield json.loads(running.stdout.readline())["url"]
        finally:
            running.terminate()


async def test_as_a_process() -> None:
    clients = [part for name in NAMES for part in ("--oauth-client", f"{name}:{name}-client")]
    with process("--vendor", "all", "--api-key", API_KEY, *clients) as url:
        async with aiohttp.ClientSession(url) as http:
            for name in NAMES:
                await sign_in(http, name, url)
            async with http.post("/_emulator/anthropic/federation", json={"denials": "Opaque"}) as answer:
                assert answer.status == 204
            async with http.get("/v1/models", headers={"authorization": f"Bearer {API_KEY}"}) as answer:
                assert (await answer.json())["object"] == "list"


async def test_one_vendor_as_a_process() -> None:
    with process("--vendor", "gemini", "--oauth-client", "gemini-client") as url:
        async with aiohttp.ClientSession(url) as http:
            assert "id_token" in await sign_in(http, "gemini", url)
