"""Every answer has a meaning, unknown refusals are never final, and nothing of a credential shows in any of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate_api.refresh import TerminalReason
from headgate_api.secret import Secret
from headgate_operator.oauth.answers import HttpAnswer, device_outcome, revoke_outcome, token_outcome
from headgate_operator.oauth.outcomes import (
    ClientRefused,
    DeviceCode,
    Granted,
    Pending,
    Revoked,
    SlowDown,
    Terminal,
    Transient,
)

from .profiles import http

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


def test_tokens_are_read() -> None:
    body = {
        "access_token": "not-real-access",
        "refresh_token": "not-real-refresh",
        "token_type": "bearer",
        "expires_in": 28800,
        "scope": "a b",
    }
    granted = token_outcome(http(200, body), NOW)
    assert isinstance(granted, Granted) and granted.refresh_token is not None
    assert (granted.access_token.reveal(), granted.refresh_token.reveal()) == ("not-real-access", "not-real-refresh")
    assert (granted.lifetime, granted.scopes) == (timedelta(hours=8), ("a", "b"))
    assert "not-real" not in repr(granted)


@pytest.mark.parametrize("expires", [None, 0, -5, "soon", True, [], float("inf")])
def test_a_lifetime_that_is_none_is_not_invented(expires: Any) -> None:
    granted = token_outcome(http(200, {"access_token": "x", "expires_in": expires}), NOW)
    assert isinstance(granted, Granted)
    assert (granted.lifetime, granted.refresh_token, granted.scopes) == (None, None, None)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html>",
        [],
        {},
        {"access_token": ""},
        {"access_token": "two words"},
        {"access_token": 7},
        {"access_token": "x", "token_type": "mac"},
        {"access_token": "x", "refresh_token": "line\nbreak"},
        '{"access_token": "cut',
    ],
)
def test_an_unreadable_success_may_have_spent_the_token(body: Any) -> None:
    outcome = token_outcome(http(200, body), NOW)
    assert isinstance(outcome, Transient) and outcome.uncertain


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (400, {"error": "invalid_grant", "error_description": "not-real-token is bad"}, TerminalReason.INVALID_GRANT),
        (401, {"error": {"code": "refresh_token_expired"}}, TerminalReason.EXPIRED),
        (401, {"error": {"code": "refresh_token_reused"}}, TerminalReason.REUSED),
        (401, {"error": {"code": "refresh_token_invalidated"}}, TerminalReason.REVOKED),
        (400, {"error": "refresh_token_reused"}, TerminalReason.REUSED),
        (403, {"error": "account_suspended"}, TerminalReason.SUSPENDED),
        (400, {"error": "access_denied"}, TerminalReason.DENIED),
        (400, {"error": "expired_token"}, TerminalReason.EXPIRED),
        (400, {"type": "error", "error": {"type": "invalid_grant", "message": "x"}}, TerminalReason.INVALID_GRANT),
    ],
)
def test_the_end_of_a_token_is_recognised_in_every_vendors_words(
    status: int, body: Any, reason: TerminalReason
) -> None:
    outcome = token_outcome(http(status, body), NOW)
    assert isinstance(outcome, Terminal) and outcome.reason is reason
    assert "not-real" not in outcome.what


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (401, {"error": "invalid_client"}, "check clientId"),
        (400, {"error": "unauthorized_client"}, "unauthorized_client"),
        (400, {"error": "word_nobody_knows"}, "word_nobody_knows"),
        (307, "", "redirects are not followed"),
        (404, "", "check the endpoint's path"),
        (405, "<html>", "check the endpoint's path"),
    ],
)
def test_a_wrong_profile_is_told_from_a_dead_token(status: int, body: Any, says: str) -> None:
    outcome = token_outcome(http(status, body), NOW)
    assert isinstance(outcome, ClientRefused) and says in outcome.what


@pytest.mark.parametrize(
    ("answer", "seconds", "uncertain"),
    [
        (http(429, "", retry_after="17"), 17, False),
        (http(429, {"error": "invalid_grant_limit"}), None, False),
        (http(503, "", retry_after="Sun, 01 Nov 2026 12:01:00 GMT"), 60, False),
        (http(529, ""), None, False),
        (http(500, {"error": "invalid_grant"}), None, True),
        (http(502, "<html>"), None, True),
        (http(504, "", retry_after="-3"), None, True),
        (http(503, "", retry_after="999999999"), 86400, False),
        (http(403, "<html>blocked</html>"), None, False),
        (http(400, {"error": "temporarily_unavailable"}), None, False),
    ],
)
def test_what_may_pass_is_waited_out(answer: HttpAnswer, seconds: float | None, uncertain: bool) -> None:
    outcome = token_outcome(answer, NOW)
    assert isinstance(outcome, Transient)
    assert outcome.retry_after == (timedelta(seconds=seconds) if seconds is not None else None)
    assert outcome.uncertain is uncertain


def test_a_device_waits_or_slows_down() -> None:
    assert token_outcome(http(400, {"error": "authorization_pending"}), NOW) == Pending()
    assert token_outcome(http(400, {"error": "slow_down"}), NOW) == SlowDown()


def test_a_device_code_is_read_and_links_only_to_https() -> None:
    body = {
        "device_code": "not-real-device",
        "user_code": "ABCD-1234",
        "verification_uri": "https://vendor.example/device",
        "verification_uri_complete": "javascript:alert(1)",
        "expires_in": 900,
    }
    code = device_outcome(http(200, body), NOW)
    assert isinstance(code, DeviceCode)
    assert (code.user_code, code.interval, code.lifetime.total_seconds()) == ("ABCD-1234", 5, 900)
    assert code.verification_uri_complete is None
    assert "not-real" not in repr(code)
    for changes in ({"verification_uri": "http://vendor.example"}, {"user_code": "a\x07"}, {"expires_in": None}):
        assert isinstance(device_outcome(http(200, body | changes), NOW), ClientRefused)


def test_revoking_succeeds_or_says_why_not() -> None:
    assert revoke_outcome(http(200, ""), NOW) == Revoked()
    assert isinstance(revoke_outcome(http(400, {"error": "unsupported_token_type"}), NOW), ClientRefused)
    assert isinstance(revoke_outcome(http(503, ""), NOW), Transient)


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["error", "code", "type", "x"]), inner),
)
_FIELDS = st.sampled_from(["error", "access_token", "refresh_token", "expires_in", "scope", "token_type", "interval"])


@given(
    st.integers(200, 599),
    st.dictionaries(_FIELDS, _JSON) | st.text(),
    st.dictionaries(st.just("retry-after"), st.text(max_size=40)),
)
def test_every_answer_has_a_meaning(status: int, body: Any, headers: dict[str, str]) -> None:
    answer = http(status, body)
    answer = HttpAnswer(answer.status, headers, answer.body)
    outcome = token_outcome(answer, NOW)
    assert isinstance(outcome, Granted) <= (status == 200)
    assert isinstance(outcome, Terminal) <= (400 <= status < 500)
    for read in (device_outcome, revoke_outcome):
        read(answer, NOW)


@given(st.text(min_size=20, alphabet="abcdef0123456789 -\n"))
def test_no_refusal_repeats_what_the_vendor_wrote(text: str) -> None:
    for status in (400, 401, 403, 429, 500):
        outcome = token_outcome(http(status, {"error": "invalid_grant", "error_description": text}), NOW)
        assert text not in repr(outcome)
    assert "secret text" not in repr(token_outcome(HttpAnswer(400, {}, Secret("secret text")), NOW))
