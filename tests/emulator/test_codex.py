"""The Codex backend: plans instead of keys, what it does not take, and how much of a plan is used."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from openai.types.responses import ResponseStreamEvent

from headgate_api.clock import ManualClock
from headgate_dev.emulator import Emulator, Fault, FaultKind, Plan, TokenState, Window
from headgate_dev.emulator.oauth import Client, Dialect, OAuthServer, WithOAuth
from headgate_dev.emulator.oauth.codes import s256
from headgate_dev.emulator.oauth.identity import account_of
from headgate_dev.emulator.openai.vendor import OpenAI

from .conftest import API_KEY, OAUTH_TOKEN
from .shapes import checked

START = datetime(2026, 11, 1, 9, tzinfo=UTC)
RESET = START + timedelta(minutes=30)
PATH = "/backend-api/codex/responses"
HEADERS = {"authorization": f"Bearer {OAUTH_TOKEN}", "chatgpt-account-id": "some-account"}
GOOD: dict[str, Any] = {
    "model": "gpt-5.3-codex",
    "instructions": "be brief",
    "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hällo"}]}],
    "store": False,
    "stream": True,
}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
async def emu(clock: ManualClock) -> AsyncIterator[Emulator]:
    async with Emulator(vendor=OpenAI(), api_keys=[API_KEY], oauth_tokens=[OAUTH_TOKEN], clock=clock) as emulator:
        yield emulator


@pytest.fixture
async def http(emu: Emulator) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(emu.url, headers=HEADERS) as session:
        yield session


async def test_a_stream_is_a_responses_stream_with_the_plans_windows(http: aiohttp.ClientSession) -> None:
    async with http.post(PATH, json=GOOD) as answer:
        assert answer.status == 200
        raw = await answer.read()
        said = {name: value for name, value in answer.headers.items() if name.startswith("x-codex-")}
    found = [json.loads(part.partition(b"\ndata: ")[2]) for part in raw.removesuffix(b"\n\n").split(b"\n\n")]
    for event in found:
        checked(ResponseStreamEvent, json.dumps(event).encode())
    assert found[-1]["response"]["output"][0]["content"][0]["text"] == "You said: hällo"
    assert said["x-codex-primary-used-percent"] == "25"
    assert said["x-codex-primary-window-minutes"] == "300"
    assert said["x-codex-secondary-window-minutes"] == "10080"
    assert int(said["x-codex-primary-reset-at"]) > START.timestamp()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"store": True}, "Store must be set to false"),
        ({"store": None}, "Store must be set to false"),
        ({"stream": False}, "Stream must be set to true"),
        ({"instructions": None}, "Instructions are required"),
        ({"max_output_tokens": 100}, "Unsupported parameter: max_output_tokens"),
        ({"previous_response_id": "resp_1"}, "Unsupported parameter: previous_response_id"),
        ({"input": "hello"}, "Input must be a list"),
        ({"model": "gpt-4.1"}, "The 'gpt-4.1' model is not supported when using Codex with a ChatGPT account."),
    ],
)
async def test_what_the_backend_does_not_take(http: aiohttp.ClientSession, change: dict[str, Any], says: str) -> None:
    body = {name: value for name, value in (GOOD | change).items() if value is not None}
    async with http.post(PATH, json=body) as answer:
        assert (answer.status, await answer.json()) == (400, {"detail": says})


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"authorization": "Bearer unknown"}, 401),
        ({"authorization": f"Bearer {API_KEY}"}, 401),
        ({"chatgpt-account-id": ""}, 400),
    ],
)
async def test_who_is_not_let_in(http: aiohttp.ClientSession, headers: dict[str, str], status: int) -> None:
    async with http.post(PATH, json=GOOD, headers=headers) as answer:
        assert (answer.status, list(await answer.json())) == (status, ["detail"])


@pytest.mark.parametrize(
    ("state", "code"), [(TokenState.EXPIRED, "token_expired"), (TokenState.REVOKED, "token_invalidated")]
)
async def test_tokens_that_no_longer_work(
    emu: Emulator, http: aiohttp.ClientSession, state: TokenState, code: str
) -> None:
    emu.oauth_tokens[OAUTH_TOKEN] = state
    async with http.post(PATH, json=GOOD) as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (401, code)


async def test_a_plan_that_is_used_up_says_until_when(
    emu: Emulator, http: aiohttp.ClientSession, clock: ManualClock
) -> None:
    emu.credentials.plans[OAUTH_TOKEN] = Plan(
        five_hours=Window(used_percent=100, resets_at=RESET), seven_days=Window(used_percent=91.5), type="team"
    )
    async with http.post(PATH, json=GOOD) as answer:
        assert answer.status == 429
        assert answer.headers["x-codex-primary-used-percent"] == "100"
        assert answer.headers["x-codex-secondary-used-percent"] == "91.5"
        error = (await answer.json())["error"]
    assert (error["type"], error["plan_type"]) == ("usage_limit_reached", "team")
    assert (error["resets_at"], error["resets_in_seconds"]) == (int(RESET.timestamp()), 1800)
    clock.advance(1800)
    async with http.post(PATH, json=GOOD) as answer:
        assert answer.status == 200


async def test_the_usage_page_needs_no_account(emu: Emulator) -> None:
    emu.credentials.plans[OAUTH_TOKEN] = Plan(five_hours=Window(used_percent=91, resets_at=RESET))
    async with (
        aiohttp.ClientSession(emu.url, headers={"authorization": HEADERS["authorization"]}) as http,
        http.get("/backend-api/wham/usage") as answer,
    ):
        page = await answer.json()
    assert page["plan_type"] == "pro"
    assert page["rate_limit"]["primary_window"] == {
        "used_percent": 91,
        "limit_window_seconds": 18_000,
        "reset_after_seconds": 1800,
        "reset_at": int(RESET.timestamp()),
    }
    assert page["rate_limit"]["secondary_window"]["limit_window_seconds"] == 604_800


async def test_a_scripted_rate_limit_is_the_plans(emu: Emulator, http: aiohttp.ClientSession) -> None:
    emu.add_fault(Fault(kind=FaultKind.RATE_LIMITED, seconds=90))
    async with http.post(PATH, json=GOOD) as answer:
        assert (await answer.json())["error"]["resets_in_seconds"] == 90
        assert answer.headers["x-codex-primary-used-percent"] == "100"


async def test_an_account_is_the_one_of_its_token(clock: ManualClock) -> None:
    oauth = OAuthServer(dialect=Dialect.OPENAI)
    verifier = "v" * 43
    async with (
        Emulator(vendor=WithOAuth(OpenAI(), oauth), clock=clock) as emulator,
        aiohttp.ClientSession(emulator.url) as http,
    ):
        back = f"{emulator.url}/oauth/code/callback"
        oauth.clients["client"] = Client("client", redirect_uris=(back,))
        asked = {"client_id": "client", "redirect_uri": back, "code_challenge": s256(verifier)}
        code = oauth.codes.code(asked, clock.now())
        given = {
            "grant_type": "authorization_code",
            "code": code,
            "client_id": "client",
            "redirect_uri": back,
            "code_verifier": verifier,
        }
        async with http.post("/oauth/token", data=given) as answer:
            granted = await answer.json()
        bearer = {"authorization": f"Bearer {granted['access_token']}"}
        account = account_of(granted["id_token"]) or ""
        for named, status in ((account, 200), ("another", 403)):
            async with http.post(PATH, json=GOOD, headers=bearer | {"chatgpt-account-id": named}) as answer:
                assert answer.status == status
