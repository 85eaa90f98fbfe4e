"""A canary pod presents the candidate's identity profile; what is relayed to it, and back, is the client's own."""

import json
from typing import Any

from headgate_api import acknowledgement, vault
from headgate_api.secret import Secret
from headgate_api.snapshot import AccountEntry
from headgate_dev.emulator import TokenState
from headgate_proxy.selection.states import Held

TOKEN = "emulated-oauth-token"
TOOLS = [{"name": "read", "input_schema": {"type": "object"}}]


def plan(world: Any) -> None:
    """Let the candidate serve by an account, under a profile."""
    path = vault.access_path("team-a", "max")
    world.emu.oauth_tokens[TOKEN] = TokenState.VALID
    world.credentials.held[path, 1] = Held(Secret(TOKEN), frozenset({world.emu.url}), path, 1)
    world.account()
    entry = world.accounts[0].model_dump(mode="json", by_alias=True)
    entry["stable"]["access"] = {"path": path, "version": 1}
    world.accounts = (AccountEntry.model_validate(entry),)
    subscription = {
        "identity": {"type": "Profile", "systemPreamble": "You work at Acme.", "toolNames": {"read": "AcmeRead"}},
        "acknowledgement": {
            "by": "ann",
            "at": "2026-11-21T08:00:00Z",
            "textVersion": acknowledgement.TEXT_VERSION,
        },
    }
    world.candidate = {"auth": {"modes": ["Subscription"], "subscription": subscription}}
    world.publish()


async def test_a_candidates_profile_is_put_on_and_taken_off_on_the_canary_pod_alone(world: Any) -> None:
    plan(world)
    async with world.post("use tool AcmeRead", tools=TOOLS, stream=True) as response:
        received = await response.read()

    (request,) = world.emu.requests
    assert response.headers["x-headgate-track"] == "canary"
    assert response.headers["x-headgate-auth-mode"] == "Subscription"
    assert json.loads(request.body)["tools"][0]["name"] == "AcmeRead"
    assert b'"AcmeRead"' in request.response_body
    assert received == request.response_body.replace(b'"AcmeRead"', b'"read"')

    world.split["weight"] = 0
    world.publish()
    async with world.post("use tool read", tools=TOOLS, stream=True) as response:
        received = await response.read()

    request = world.emu.requests[1]
    assert response.headers["x-headgate-track"] == "stable"
    assert json.loads(request.body)["tools"] == TOOLS
    assert received == request.response_body
