"""Malformed credential Secrets: each mistake is named with its place and mend, and never echoed."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate_api.secret import Secret
from headgate_operator.credentials.content import ContentError, parse_api_key, parse_file

WHERE = "Secret team/plan, key value"
GOOD: dict[str, Any] = {
    "accessToken": "not-real-access",
    "refreshToken": "not-real-refresh",
    "expiresAt": 1_800_000_000_000,
    "scopes": ["user:inference"],
}


def _file(**changes: Any) -> Secret:
    return Secret(json.dumps({"claudeAiOauth": {k: v for k, v in (GOOD | changes).items() if v != "absent"}}))


def test_a_credential_file_is_read() -> None:
    plan = parse_file(_file(), WHERE)
    assert plan.access_token.reveal() == "not-real-access"
    assert plan.refresh_token is not None and plan.refresh_token.reveal() == "not-real-refresh"
    assert plan.expires_at is not None and plan.expires_at.isoformat() == "2027-01-15T08:00:00+00:00"
    assert plan.scopes == ("user:inference",)


def test_only_the_access_token_is_required() -> None:
    plan = parse_file(_file(refreshToken="absent", expiresAt="absent", scopes="absent"), WHERE)
    assert (plan.refresh_token, plan.expires_at, plan.scopes) == (None, None, ())


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (Secret(" \n"), "is empty"),
        (Secret("not-real-key"), "is not JSON"),
        (Secret("[" * 100_000), "is not JSON"),
        (Secret('["not-real"]'), "is JSON but not an object"),
        (Secret('{"apiKey": "not-real"}'), "has no field claudeAiOauth, tokens or access_token"),
        (Secret('{"claudeAiOauth": "not-real"}'), "field claudeAiOauth is not an object"),
        (_file(accessToken="absent"), "field claudeAiOauth.accessToken is missing"),
        (_file(accessToken=""), "field claudeAiOauth.accessToken is not a non-empty string"),
        (_file(accessToken=7), "field claudeAiOauth.accessToken is not a non-empty string"),
        (_file(accessToken="not real"), "field claudeAiOauth.accessToken holds white space"),
        (_file(refreshToken="not\nreal"), "field claudeAiOauth.refreshToken holds white space"),
        (_file(refreshToken="nöt-real"), "field claudeAiOauth.refreshToken holds characters outside ASCII"),
        (_file(accessToken="n" * 20_000), "longer than 16384 characters"),
        (_file(expiresAt="tomorrow"), "field claudeAiOauth.expiresAt is not a number"),
        (_file(expiresAt=True), "field claudeAiOauth.expiresAt is not a number"),
        (_file(expiresAt=1_800_000_000), "milliseconds since 1970, not seconds"),
        (_file(expiresAt=1e300), "no plausible time"),
        (_file(scopes="user:inference"), "field claudeAiOauth.scopes is not a list of strings"),
    ],
)
def test_each_mistake_is_named(content: Secret, says: str) -> None:
    with pytest.raises(ContentError) as raised:
        parse_file(content, WHERE)
    message = str(raised.value)
    assert message.startswith(WHERE) and says in message
    assert ";" in message  # what to do follows
    assert "real" not in message


def _jwt(**given: Any) -> str:
    part = base64.urlsafe_b64encode(json.dumps(given).encode()).decode().rstrip("=")
    return f"not-real-head.{part}.not-real-signature"


CODEX: dict[str, Any] = {
    "access_token": _jwt(exp=1_800_000_000),
    "refresh_token": "not-real-refresh",
    "id_token": _jwt(**{"https://api.openai.com/auth": {"chatgpt_account_id": "from-the-claim"}}),
    "account_id": "the-account",
}
GEMINI: dict[str, Any] = {
    "access_token": "not-real-access",
    "refresh_token": "not-real-refresh",
    "expiry_date": 1_800_000_000_000,
    "id_token": "not-real-id",
    "scope": "openid email",
    "token_type": "Bearer",
}


def _codex(**changes: Any) -> Secret:
    tokens = {k: v for k, v in (CODEX | changes).items() if v != "absent"}
    return Secret(json.dumps({"OPENAI_API_KEY": None, "tokens": tokens, "last_refresh": "2026-11-01T12:00:00Z"}))


def _gemini(**changes: Any) -> Secret:
    return Secret(json.dumps({k: v for k, v in (GEMINI | changes).items() if v != "absent"}))


def test_a_codex_file_is_read_with_its_account_and_the_expiry_its_token_names() -> None:
    plan = parse_file(_codex(), WHERE)
    assert (plan.product, plan.protocol, plan.account_id) == ("Codex", "OpenAI", "the-account")
    assert plan.access_token.reveal() == CODEX["access_token"]
    assert plan.refresh_token is not None and plan.refresh_token.reveal() == "not-real-refresh"
    assert plan.expires_at is not None and plan.expires_at.isoformat() == "2027-01-15T08:00:00+00:00"
    assert parse_file(_codex(account_id="absent"), WHERE).account_id == "from-the-claim"
    opaque = parse_file(_codex(access_token="opaque", id_token="absent", account_id="absent"), WHERE)
    assert (opaque.expires_at, opaque.account_id) == (None, None)


def test_a_gemini_cli_file_is_read() -> None:
    plan = parse_file(_gemini(), WHERE)
    assert (plan.product, plan.protocol, plan.scopes) == ("Gemini CLI", "Gemini", ("openid", "email"))
    assert plan.expires_at is not None and plan.expires_at.isoformat() == "2027-01-15T08:00:00+00:00"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (Secret('{"OPENAI_API_KEY": "not-real"}'), "a Codex file of an API key, without field tokens"),
        (Secret('{"OPENAI_API_KEY": "not-real", "tokens": null}'), "a Codex file of an API key, without field tokens"),
        (Secret('{"tokens": ["not-real"]}'), "field tokens is not an object; sign in again with Codex"),
        (_codex(access_token="absent"), "field tokens.access_token is missing"),
        (_codex(access_token=""), "field tokens.access_token is not a non-empty string; sign in again with Codex"),
        (_codex(refresh_token=7), "field tokens.refresh_token is not a non-empty string"),
        (_codex(id_token="not real"), "field tokens.id_token holds white space"),
        (_codex(account_id="not real"), "field tokens.account_id is no word"),
        (_gemini(access_token="absent"), "field access_token is missing"),
        (
            _gemini(refresh_token=["not-real"]),
            "field refresh_token is not a non-empty string; sign in again with Gemini CLI",
        ),
        (_gemini(expiry_date=1_800_000_000), "field expiry_date is no plausible time"),
        (_gemini(expiry_date="soon"), "field expiry_date is not a number"),
        (_gemini(scope=["not-real"]), "field scope is not a string"),
        (_gemini(id_token=1), "field id_token is not a non-empty string"),
    ],
)
def test_each_mistake_in_a_file_of_another_client_is_named(content: Secret, says: str) -> None:
    with pytest.raises(ContentError) as raised:
        parse_file(content, WHERE)
    message = str(raised.value)
    assert message.startswith(WHERE) and says in message
    assert ";" in message and "real" not in message


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists))
def test_no_value_breaks_the_reading_of_another_clients_file(value: Any) -> None:
    part = base64.urlsafe_b64encode(json.dumps(value).encode()).decode()
    for content in (
        {"tokens": value},
        {"tokens": {"access_token": f"a.{part}.c", "account_id": value}},
        {"tokens": {"access_token": _jwt(exp=value, **{"https://api.openai.com/auth": value}), "id_token": value}},
        {"access_token": "a", "expiry_date": value, "scope": value},
    ):
        try:
            parse_file(Secret(json.dumps(content)), WHERE)
        except ContentError as error:
            assert str(error).startswith(WHERE)


@given(st.text())
def test_no_api_key_that_could_break_a_header_passes(text: str) -> None:
    try:
        key = parse_api_key(Secret(text), WHERE).reveal()
    except ContentError as error:
        assert str(error).startswith(WHERE)
    else:
        assert key and all("!" <= character <= "~" for character in key)
        assert text.removesuffix("\n").removesuffix("\r") == key


@given(st.text() | st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists).map(json.dumps))
def test_no_input_breaks_the_reading_of_a_plan(text: str) -> None:
    for content in (text, json.dumps({"claudeAiOauth": {"accessToken": text, "expiresAt": text, "scopes": [text]}})):
        try:
            parse_file(Secret(content), WHERE)
        except ContentError as error:
            assert str(error).startswith(WHERE)


@given(st.floats())
def test_no_number_breaks_the_expiry(number: float) -> None:
    try:
        parse_file(Secret(json.dumps({"claudeAiOauth": {"accessToken": "x", "expiresAt": number}})), WHERE)
    except ContentError as error:
        assert "expiresAt" in str(error)
