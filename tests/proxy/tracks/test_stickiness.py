"""The sticky key: the first source that a request has, as real clients send it."""

import json
from typing import Any

import pytest
from multidict import CIMultiDict

from headgate_api.resources.rolloutspec import DEFAULT_STICKINESS, StickySource
from headgate_proxy.callers.caller import Caller
from headgate_proxy.tracks.stickiness import Sticky, sticky_key

CALLER = Caller("team-a", "agent", "uid-agent", "agent-0", "uid-pod")
SESSION = "a5dda217-6844-4e82-a63e-506f087eb2da"


def body(user_id: Any = None) -> bytes:
    metadata = {} if user_id is None else {"metadata": {"user_id": user_id}}
    return json.dumps({"model": "m", "messages": []} | metadata).encode()


def key(headers: dict[str, str] | None = None, sent: bytes = b"{}", caller: Caller = CALLER) -> Sticky:
    return sticky_key(DEFAULT_STICKINESS, CIMultiDict(headers or {}), caller, sent)


@pytest.mark.parametrize(
    ("headers", "sent"),
    [
        ({"X-Claude-Code-Session-Id": SESSION}, body()),
        ({}, body(json.dumps({"device_id": "d", "account_uuid": "", "session_id": SESSION}))),
        ({}, body(f"user_{'0f' * 32}_account__session_{SESSION}")),
        ({"session-id": SESSION}, body()),
        ({"session_id": SESSION}, body()),
        ({}, json.dumps({"model": "m", "input": [], "prompt_cache_key": SESSION}).encode()),
    ],
    ids=[
        "claude-code-header",
        "claude-code-body",
        "claude-code-1-body",
        "codex-header",
        "codex-0-header",
        "codex-body",
    ],
)
def test_the_clients_own_session_is_found_where_the_client_puts_it(headers: dict[str, str], sent: bytes) -> None:
    assert key(headers, sent) == Sticky("ClientSession", SESSION)


def test_the_first_source_that_the_request_has_counts() -> None:
    sent = {"x-headgate-session": "mine", "session_id": SESSION}
    assert key(sent) == Sticky("Header", "mine")
    assert key({"x-headgate-session": "", "session_id": SESSION}) == Sticky("ClientSession", SESSION)
    assert key() == Sticky("Pod", "uid-pod")
    assert key(caller=Caller("team-a", "agent", "uid-agent")) == Sticky("Consumer", "uid-agent")


def test_a_policy_may_name_its_own_header_only() -> None:
    sources = (StickySource(source="Header", header="x-conversation"),)
    assert sticky_key(sources, CIMultiDict({"X-Conversation": "c"}), CALLER, b"{}") == Sticky("Header", "c")
    assert sticky_key(sources, CIMultiDict(), CALLER, b"{}") == Sticky("Consumer", "uid-agent")


@pytest.mark.parametrize(
    "sent",
    [body("user-123"), body(""), body("{not json"), body('{"session_id": 5}'), b'{"metadata": 5}', b"[" * 100_000, b""],
)
def test_what_is_no_session_is_passed_over(sent: bytes) -> None:
    assert key(sent=sent).source == "Pod"
