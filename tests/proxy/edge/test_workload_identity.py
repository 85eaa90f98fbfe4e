"""Requests by workload identity: how they look upstream, what a refusal leads to, and that no other mode sees anything of it."""

from datetime import timedelta
from typing import Any

import pytest

from headgate_api.clock import SystemClock
from headgate_api.secret import Secret
from headgate_dev.emulator import Fault, FaultKind, TokenState
from headgate_proxy.credentials.refreshing import RefreshOutcome
from headgate_proxy.selection.states import Held

from .conftest import GRANT

MODES = ("WorkloadIdentity", "APIKey")
ALLOW = dict.fromkeys(("expired", "revoked", "unavailable"), "Allow")
OLD, NEW, KEY = "emulated-federated-1", "emulated-federated-2", "emulated-api-key"
PATH = f"team-a/llmproviders/claude/federated/{GRANT}"


async def ask(gate: Any, body: Any, **headers: str) -> Any:
    async with gate.http.post(gate.url + "/v1/messages", json=body(), headers=gate.headers() | headers) as response:
        return response, await response.read()


@pytest.fixture
def federated(gate: Any) -> Any:
    gate.provider(modes=MODES, fallback=ALLOW, federated=OLD)
    gate.emu.oauth_tokens[OLD] = TokenState.VALID
    return gate


async def test_the_token_goes_as_a_bearer_with_the_beta_that_it_needs(federated: Any, body: Any) -> None:
    response, _ = await ask(federated, body, **{"anthropic-beta": "context-1m-2025-08-07"})
    assert response.status == 200
    assert response.headers["x-headgate-auth-mode"] == "WorkloadIdentity"
    headers = {name.lower(): value for name, value in federated.emu.requests[0].headers}
    assert headers["authorization"] == f"Bearer {OLD}"
    assert headers["anthropic-beta"] == "context-1m-2025-08-07,oauth-2025-04-20"
    assert "x-api-key" not in headers
    assert federated.emu.requests[0].path == "/v1/messages"


@pytest.mark.parametrize("state", [TokenState.EXPIRED, TokenState.REVOKED])
async def test_a_refused_token_is_asked_for_anew_once_and_the_request_goes_on(
    federated: Any, body: Any, state: TokenState
) -> None:
    federated.emu.oauth_tokens[OLD] = state

    async def renews(_path: str, _version: int) -> RefreshOutcome:
        federated.emu.oauth_tokens[NEW] = TokenState.VALID
        federated.credentials.vault[PATH] = Held(Secret(NEW), frozenset({federated.emu.url}), PATH, 2)
        return RefreshOutcome.RENEWED

    federated.control_plane.renews = renews
    response, _ = await ask(federated, body)
    assert response.headers["x-headgate-auth-mode"] == "WorkloadIdentity"
    assert federated.control_plane.asked == [(PATH, 1)]
    assert [request.credential for request in federated.emu.requests] == [OLD, NEW]


async def test_without_a_newer_token_the_table_decides_and_nothing_of_the_mode_is_left(
    federated: Any, body: Any
) -> None:
    federated.emu.oauth_tokens[OLD] = TokenState.REVOKED
    response, _ = await ask(federated, body)
    assert response.headers["x-headgate-auth-mode"] == "APIKey"
    assert response.headers["x-headgate-fallback-reason"] == "Revoked"
    headers = {name.lower(): value for name, value in federated.emu.requests[1].headers}
    assert headers["x-api-key"] == KEY
    assert "authorization" not in headers
    assert "anthropic-beta" not in headers
    assert OLD not in repr(headers)


async def test_nothing_of_the_key_is_left_when_the_identity_comes_second(gate: Any, body: Any) -> None:
    gate.provider(modes=("APIKey", "WorkloadIdentity"), fallback=ALLOW, federated=OLD)
    gate.emu.oauth_tokens[OLD] = TokenState.VALID
    gate.emu.api_keys.clear()
    response, _ = await ask(gate, body)
    assert response.headers["x-headgate-auth-mode"] == "WorkloadIdentity"
    headers = {name.lower(): value for name, value in gate.emu.requests[1].headers}
    assert headers["authorization"] == f"Bearer {OLD}"
    assert KEY not in repr(headers)


async def test_a_token_that_has_ended_is_not_sent_and_the_row_expired_decides(gate: Any, body: Any) -> None:
    over = SystemClock().now() - timedelta(seconds=1)
    gate.provider(modes=MODES, fallback={"expired": "Allow"}, federated=OLD, expires_at=over)
    response, _ = await ask(gate, body)
    assert response.headers["x-headgate-fallback-reason"] == "Expired"
    assert [request.credential for request in gate.emu.requests] == [KEY]

    gate.provider(modes=MODES, fallback={}, federated=OLD, expires_at=over)
    response, text = await ask(gate, body)
    assert response.status == 503
    assert b"see the provider's condition CredentialsReady" in text
    assert len(gate.emu.requests) == 1


async def test_before_the_first_token_the_mode_is_missing(gate: Any, body: Any) -> None:
    gate.provider(modes=MODES, fallback=ALLOW)
    response, _ = await ask(gate, body)
    assert response.headers["x-headgate-fallback-reason"] == "Missing"
    assert response.headers["x-headgate-auth-mode"] == "APIKey"


async def test_a_token_of_another_origin_is_never_sent(gate: Any, body: Any) -> None:
    gate.provider(modes=MODES, fallback=ALLOW, federated=OLD)
    gate.hold(PATH, OLD, origins=("https://elsewhere.example",))
    response, _ = await ask(gate, body)
    assert response.headers["x-headgate-fallback-reason"] == "OriginNotBound"
    assert [request.credential for request in gate.emu.requests] == [KEY]


async def test_an_unsupported_credential_is_not_exchanged_anew(federated: Any, body: Any) -> None:
    federated.emu.add_fault(Fault(kind=FaultKind.OAUTH_UNSUPPORTED))
    response, _ = await ask(federated, body)
    assert response.headers["x-headgate-fallback-reason"] == "Unsupported"
    assert federated.control_plane.asked == []
