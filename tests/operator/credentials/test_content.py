"""Malformed credential Secrets: each mistake is named with its place and mend, and never echoed."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate_api.secret import Secret
from headgate_operator.credentials.content import ContentError, parse_api_key, parse_plan

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
    plan = parse_plan(_file(), WHERE)
    assert plan.access_token.reveal() == "not-real-access"
    assert plan.refresh_token is not None and plan.refresh_token.reveal() == "not-real-refresh"
    assert plan.expires_at is not None and plan.expires_at.isoformat() == "2027-01-15T08:00:00+00:00"
    assert plan.scopes == ("user:inference",)


def test_only_the_access_token_is_required() -> None:
    plan = parse_plan(_file(refreshToken="absent", expiresAt="absent", scopes="absent"), WHERE)
    assert (plan.refresh_token, plan.expires_at, plan.scopes) == (None, None, ())


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (Secret(" \n"), "is empty"),
        (Secret("not-real-key"), "is not JSON"),
        (Secret("[" * 100_000), "is not JSON"),
        (Secret('["not-real"]'), "is JSON but not an object"),
        (Secret('{"apiKey": "not-real"}'), "has no field claudeAiOauth"),
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
        parse_plan(content, WHERE)
    message = str(raised.value)
    assert message.startswith(WHERE) and says in message
    assert ";" in message  # what to do follows
    assert "real" not in message


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
            parse_plan(Secret(content), WHERE)
        except ContentError as error:
            assert str(error).startswith(WHERE)


@given(st.floats())
def test_no_number_breaks_the_expiry(number: float) -> None:
    try:
        parse_plan(Secret(json.dumps({"claudeAiOauth": {"accessToken": "x", "expiresAt": number}})), WHERE)
    except ContentError as error:
        assert "expiresAt" in str(error)
