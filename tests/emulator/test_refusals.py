"""What the vendor refuses, the emulator refuses: in the vendor's envelope."""

import io
import json
from typing import Any

import aiohttp
import pytest

from headgate_dev.emulator import Emulator, TokenState

from .conftest import API_KEY, OAUTH_HEADERS, OAUTH_TOKEN

GOOD: dict[str, Any] = {
    "model": "claude-sonnet-4-6",
    "max_tokens": 50,
    "messages": [{"role": "user", "content": "hello"}],
}
KEY_HEADERS = {"x-api-key": API_KEY, "anthropic-version": "2023-06-01"}
NEW_VERSION = {"anthropic-version": "2026-10-21"}
CALL = {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "t", "input": {}}]}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "ok"}]}
CACHED = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}


async def send(
    url: str, headers: dict[str, str], body: object = GOOD, method: str = "POST", path: str = "/v1/messages"
) -> tuple[int, dict[str, Any]]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with (
        aiohttp.ClientSession(url) as session,
        session.request(method, path, headers=headers, data=io.BytesIO(data)) as response,
    ):
        answer = await response.json()
        assert answer["request_id"] == response.headers["request-id"]
        assert answer["type"] == "error"
        assert set(answer) == {"type", "error", "request_id"}
        return response.status, answer["error"]


@pytest.mark.parametrize(
    ("headers", "status", "type_", "says"),
    [
        ({"anthropic-version": "2023-06-01"}, 401, "authentication_error", "x-api-key header is required"),
        ({**KEY_HEADERS, "x-api-key": "unknown"}, 401, "authentication_error", "invalid x-api-key"),
        ({**KEY_HEADERS, **OAUTH_HEADERS}, 401, "authentication_error", "together"),
        ({"x-api-key": API_KEY}, 400, "invalid_request_error", "anthropic-version"),
        ({**KEY_HEADERS, "anthropic-version": "2020-01-01"}, 400, "invalid_request_error", "2020-01-01"),
        ({**OAUTH_HEADERS, "anthropic-beta": "other"}, 401, "authentication_error", "currently not supported"),
        ({**OAUTH_HEADERS, "authorization": "Bearer unknown"}, 401, "authentication_error", "Invalid bearer token"),
        ({**OAUTH_HEADERS, "authorization": "Basic eDp5"}, 401, "authentication_error", "Bearer <token>"),
    ],
)
async def test_who_is_not_let_in(emu: Emulator, headers: dict[str, str], status: int, type_: str, says: str) -> None:
    got, error = await send(emu.url, headers)
    assert (got, error["type"]) == (status, type_)
    assert says in error["message"]


@pytest.mark.parametrize(
    ("state", "revoked_status", "status", "type_"),
    [
        (TokenState.EXPIRED, 403, 401, "authentication_error"),
        (TokenState.REVOKED, 403, 403, "permission_error"),
        (TokenState.REVOKED, 401, 401, "authentication_error"),
    ],
)
async def test_tokens_that_no_longer_work(
    emu: Emulator, state: TokenState, revoked_status: Any, status: int, type_: str
) -> None:
    emu.oauth_tokens[OAUTH_TOKEN] = state
    emu.credentials.revoked_status = revoked_status
    got, error = await send(emu.url, OAUTH_HEADERS)
    assert (got, error["type"]) == (status, type_)
    assert "OAuth token has" in error["message"]
    assert state.value in error["message"]


BAD_BODIES: list[tuple[str, Any]] = [
    ("not valid JSON", b'{"model":'),
    ("not a JSON object", []),
    ("max_tokens: Field required", {k: v for k, v in GOOD.items() if k != "max_tokens"}),
    ("max_tokens: Input should be a valid integer", {**GOOD, "max_tokens": "many"}),
    ("max_tokens: Input should be greater", {**GOOD, "max_tokens": 0}),
    ("max_tokens: 1000000 > 64000", {**GOOD, "max_tokens": 1_000_000}),
    ("model: Field required", {k: v for k, v in GOOD.items() if k != "model"}),
    ("messages: Field required", {k: v for k, v in GOOD.items() if k != "messages"}),
    ("messages: at least one", {**GOOD, "messages": []}),
    ("messages.0.role", {**GOOD, "messages": [{"role": "robot", "content": "hi"}]}),
    ("messages.0.content: Field required", {**GOOD, "messages": [{"role": "user"}]}),
    ("messages.0.content.0.type", {**GOOD, "messages": [{"role": "user", "content": [{"text": "hi"}]}]}),
    ("non-empty", {**GOOD, "messages": [{"role": "user", "content": [{"type": "text", "text": ""}]}]}),
    (
        "`tool_result` blocks immediately after: toolu_1",
        {**GOOD, "messages": [*GOOD["messages"], CALL, *GOOD["messages"]]},
    ),
    ("unexpected `tool_use_id`", {**GOOD, "messages": [RESULT]}),
    ("Extra inputs are not permitted", {**GOOD, "surprise": 1}),
    ("stream: Input should be a valid boolean", {**GOOD, "stream": "yes"}),
    ("temperature", {**GOOD, "temperature": 7}),
    ("system", {**GOOD, "system": 3}),
    ("Found 5", {**GOOD, "system": [CACHED] * 5}),
    ("tools: Tool names must be unique", {**GOOD, "tools": [{"name": "a", "input_schema": {"type": "object"}}] * 2}),
    ("tools.0.input_schema", {**GOOD, "tools": [{"name": "a"}]}),
    ("tool_choice", {**GOOD, "tool_choice": {"type": "any"}}),
    ("budget_tokens", {**GOOD, "thinking": {"type": "enabled", "budget_tokens": 5}}),
    ("must be greater than `thinking", {**GOOD, "thinking": {"type": "enabled", "budget_tokens": 2000}}),
]


@pytest.mark.parametrize(("says", "body"), BAD_BODIES, ids=[says for says, _ in BAD_BODIES])
async def test_bad_bodies(emu: Emulator, says: str, body: object) -> None:
    status, error = await send(emu.url, KEY_HEADERS, body)
    assert (status, error["type"]) == (400, "invalid_request_error")
    assert says in error["message"]


async def test_the_newest_version_knows_no_temperature(emu: Emulator) -> None:
    status, error = await send(emu.url, {**KEY_HEADERS, **NEW_VERSION}, {**GOOD, "temperature": 0.5})
    assert (status, error["message"]) == (400, "temperature: Extra inputs are not permitted")


async def test_a_beta_may_bring_fields_of_its_own(http: aiohttp.ClientSession) -> None:
    body = {**GOOD, "context_management": {"edits": []}}
    async with http.post("/v1/messages?beta=true", json=body) as response:
        assert response.status == 200
    async with http.post("/v1/messages", json=body, headers={"anthropic-beta": "some-beta"}) as response:
        assert response.status == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "type_"),
    [
        ("POST", "/v1/messages", {**GOOD, "model": "claude-unheard-of"}, 404, "not_found_error"),
        ("GET", "/v1/unknown", {}, 404, "not_found_error"),
        ("GET", "/v1/messages", {}, 405, "invalid_request_error"),
        ("GET", "/v1/models?limit=0", {}, 400, "invalid_request_error"),
    ],
)
async def test_what_is_not_there(emu: Emulator, method: str, path: str, body: object, status: int, type_: str) -> None:
    got, error = await send(emu.url, KEY_HEADERS, body, method, path)
    assert (got, error["type"]) == (status, type_)


async def test_bodies_may_have_32_mib_and_not_a_byte_more(emu: Emulator, http: aiohttp.ClientSession) -> None:
    limit = 32 * 1024 * 1024
    frame = len(json.dumps({**GOOD, "messages": [{"role": "user", "content": ""}]}))
    fits = json.dumps({**GOOD, "messages": [{"role": "user", "content": "x" * (limit - frame)}]}).encode()
    assert len(fits) == limit
    async with http.post("/v1/messages", data=io.BytesIO(fits)) as response:
        assert response.status == 200
    assert emu.requests[-1].body == fits
    status, error = await send(emu.url, KEY_HEADERS, fits + b" ")
    assert (status, error["type"]) == (413, "request_too_large")
