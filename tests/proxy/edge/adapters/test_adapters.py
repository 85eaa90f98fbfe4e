"""Every adapter, every state of its credential, plain and streamed, with tools: by the vendors' own client libraries."""

from collections.abc import Callable
from typing import Any

import anthropic
import openai
import pytest
from google.genai import errors

from headgate_dev.emulator import TokenState

from .vendors import ACCOUNT_ID, API_KEY, KINDS, OAUTH, SAMPLE, TOOLS, USE, Adapter

REFUSED: Any = (anthropic.APIStatusError, openai.APIStatusError, errors.APIError)
every = pytest.mark.parametrize(("adapter", "kind"), KINDS, indirect=["adapter"], ids=str)
with_plan = pytest.mark.parametrize(
    ("adapter", "kind"), [case for case in KINDS if len(case[0].modes) > 1], indirect=["adapter"], ids=str
)


async def ask(gate: Any, adapter: Adapter, kind: str, *, tools: bool) -> None:
    """Ask, and look at what the model says: the whole text, or both tools at once with input that is hard to split."""
    text, calls = await adapter.asks[kind](gate, USE if tools else "grüß 世界", tools)
    if tools:
        assert calls == [(name, SAMPLE) for name in TOOLS]
    else:
        assert text == "You said: grüß 世界"
    await gate.trace.ended.wait()


def refuse(gate: Any, adapter: Adapter, state: TokenState) -> None:
    """Have the vendor refuse the credential of the adapter's first mode."""
    if adapter.modes[0] == "Subscription":
        gate.emu.oauth_tokens[OAUTH] = state
    else:
        gate.emu.api_keys.discard(API_KEY)


@pytest.mark.parametrize("tools", [False, True], ids=["text", "tools"])
@every
async def test_an_answer_comes_through_whole_and_its_tokens_are_counted(
    gate: Any, serve: Callable[..., None], adapter: Adapter, kind: str, tools: bool
) -> None:
    serve(adapter)
    await ask(gate, adapter, kind, tools=tools)

    outcome = gate.trace.outcomes[0]
    assert gate.trace.decisions[-1].mode == adapter.modes[0]
    assert outcome.streaming is (kind == "streamed")
    assert outcome.facts.usage.input_tokens > 0
    assert outcome.facts.usage.output_tokens > 0
    assert outcome.facts.model is not None
    assert outcome.facts.message_id is not None
    assert outcome.facts.stop_reason is not None


@pytest.mark.parametrize("state", [TokenState.EXPIRED, TokenState.REVOKED])
@pytest.mark.parametrize("tools", [False, True], ids=["text", "tools"])
@with_plan
async def test_a_newer_version_of_a_refused_credential_is_used_at_once(
    gate: Any, serve: Callable[..., None], adapter: Adapter, kind: str, state: TokenState, tools: bool
) -> None:
    serve(adapter)
    gate.emu.oauth_tokens[OAUTH + "-2"] = TokenState.VALID
    path = "team-a/subscriptionaccounts/max/access"
    old = gate.credentials.held[path]
    gate.hold(path, OAUTH + "-2", version=2, account_id=ACCOUNT_ID)
    gate.credentials.vault[path], gate.credentials.held[path] = gate.credentials.held[path], old
    refuse(gate, adapter, state)

    await ask(gate, adapter, kind, tools=tools)
    assert [request.credential for request in gate.emu.requests] == [OAUTH, OAUTH + "-2"]


@pytest.mark.parametrize("state", [TokenState.EXPIRED, TokenState.REVOKED])
@every
async def test_a_refused_credential_is_the_gates_own_affair_and_no_401(
    gate: Any, serve: Callable[..., None], adapter: Adapter, kind: str, state: TokenState
) -> None:
    serve(adapter, adapter.modes[0])
    refuse(gate, adapter, state)

    with pytest.raises(REFUSED) as refused:
        await ask(gate, adapter, kind, tools=False)
    assert refused.value.response.status_code == 502
    assert adapter.modes[0] in str(refused.value)
    assert refused.value.response.headers["x-should-retry"] == "false"
    assert OAUTH not in str(refused.value)
    assert API_KEY not in str(refused.value)


@pytest.mark.parametrize(("state", "row"), [(TokenState.EXPIRED, "expired"), (TokenState.REVOKED, "revoked")])
@pytest.mark.parametrize("tools", [False, True], ids=["text", "tools"])
@with_plan
async def test_the_next_mode_answers_where_the_table_allows_it(
    gate: Any, serve: Callable[..., None], adapter: Adapter, kind: str, state: TokenState, row: str, tools: bool
) -> None:
    serve(adapter, fallback={row: "Allow"})
    refuse(gate, adapter, state)

    await ask(gate, adapter, kind, tools=tools)
    first, second = gate.emu.requests
    assert (first.credential, second.credential) == (OAUTH, API_KEY)
    assert [(f.from_mode, f.to_mode) for f in gate.trace.fallbacks] == [adapter.modes]
    assert OAUTH not in repr(second.headers)
    assert ACCOUNT_ID not in repr(second.headers)
    assert "experimental" not in repr(second.headers)
    assert "oauth-20" not in repr(second.headers)


@with_plan
async def test_the_next_mode_is_never_spent_where_it_does_not(
    gate: Any, serve: Callable[..., None], adapter: Adapter, kind: str
) -> None:
    serve(adapter, fallback={"expired": "Allow", "unavailable": "Allow"})
    refuse(gate, adapter, TokenState.REVOKED)

    with pytest.raises(REFUSED) as refused:
        await ask(gate, adapter, kind, tools=False)
    assert refused.value.response.status_code == 502
    assert [request.credential for request in gate.emu.requests] == [OAUTH]
