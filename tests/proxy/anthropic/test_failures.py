"""The failure table, row by row, with the answers vendors really give."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from multidict import CIMultiDict

from headgate_api.reasons import SkipReason
from headgate_proxy.anthropic.failures import classify
from headgate_proxy.anthropic.limits import reset_of

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)

ROWS = [
    (401, "authentication_error", "invalid x-api-key", SkipReason.REVOKED, True),
    (401, "authentication_error", "OAuth token has expired. Please obtain a new token", SkipReason.EXPIRED, True),
    (401, "authentication_error", "OAuth token has been revoked.", SkipReason.REVOKED, True),
    (403, "permission_error", "OAuth token has been revoked. Please obtain a new token.", SkipReason.REVOKED, True),
    (403, "permission_error", "OAuth authentication is currently not supported.", SkipReason.UNSUPPORTED, False),
    (401, "authentication_error", "OAuth authentication is currently not supported.", SkipReason.UNSUPPORTED, False),
    (403, "permission_error", "Your key may not use this model", SkipReason.UNSUPPORTED, False),
    (
        400,
        "invalid_request_error",
        "Your credit balance is too low to access the API",
        SkipReason.QUOTA_EXHAUSTED,
        True,
    ),
    (429, "rate_limit_error", "You have reached your usage limit", SkipReason.QUOTA_EXHAUSTED, True),
    (429, "rate_limit_error", "Too many requests", SkipReason.RATE_LIMITED, False),
    (500, "api_error", "Internal server error", SkipReason.UNAVAILABLE, False),
    (529, "overloaded_error", "Overloaded", SkipReason.OVERLOADED, False),
]


@pytest.mark.parametrize(("status", "kind", "message", "reason", "marks"), ROWS)
def test_failures_of_a_mode(status: int, kind: str, message: str, reason: SkipReason, marks: bool) -> None:
    body = json.dumps({"type": "error", "error": {"type": kind, "message": message}}).encode()
    failure = classify(status, body, {}, NOW)
    assert failure is not None
    assert (failure.reason, failure.marks, failure.status) == (reason, marks, status)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, b'{"type":"error","error":{"type":"invalid_request_error","message":"tools.0.quota: bad"}}'),
        (404, b'{"type":"error","error":{"type":"not_found_error","message":"model: x"}}'),
        (403, b"<html>blocked by a firewall</html>"),
        (403, b"<html>blocked: /?q=oauth+revoked+quota</html>"),
        (413, b""),
    ],
)
def test_the_clients_own_mistakes_are_none(status: int, body: bytes) -> None:
    assert classify(status, body, {}, NOW) is None


@pytest.mark.parametrize("said", ["{}: Extra inputs are not permitted", "{}: bad", "metadata.{}: bad", "tools: {}"])
def test_a_caller_cannot_name_a_field_so_that_a_credential_counts_as_spent(said: str) -> None:
    for named in ("credit balance is too low", "Your credit balance is too low to access the API. Go to Plans"):
        error = {"type": "invalid_request_error", "message": said.format(named)}
        assert classify(400, json.dumps({"type": "error", "error": error}).encode(), {}, NOW) is None


def test_a_page_that_is_no_envelope_is_judged_by_its_status() -> None:
    for body in (b"\xff\x00<html>", b"[" * 100_000, b"null"):
        failure = classify(502, body, {}, NOW)
        assert failure is not None
        assert failure.reason is SkipReason.UNAVAILABLE


SOON = NOW + timedelta(seconds=90)
RESETS = [
    ({"Retry-After": "90"}, SOON),
    ({"Retry-After": "Fri, 20 Nov 2026 12:01:30 GMT"}, SOON),
    (
        {
            "Anthropic-Ratelimit-Unified-Status": "rejected",
            "anthropic-ratelimit-unified-reset": str(int(SOON.timestamp())),
        },
        SOON,
    ),
    (
        {"anthropic-ratelimit-requests-remaining": "0", "anthropic-ratelimit-requests-reset": "2026-11-20T12:01:30Z"},
        SOON,
    ),
    (
        {"anthropic-ratelimit-requests-remaining": "3", "anthropic-ratelimit-requests-reset": "2026-11-20T12:01:30Z"},
        None,
    ),
    ({"Retry-After": "1e300"}, NOW + timedelta(days=8)),
    ({"Retry-After": "nan"}, None),
    ({"Retry-After": "-5"}, None),
    ({"Retry-After": "soon"}, None),
    ({"anthropic-ratelimit-unified-status": "rejected", "anthropic-ratelimit-unified-reset": "9e99"}, None),
    ({}, None),
]


@pytest.mark.parametrize(("headers", "reset"), RESETS)
def test_resets_are_read_and_nonsense_is_not_believed(headers: dict[str, str], reset: datetime | None) -> None:
    assert reset_of(CIMultiDict(headers), NOW) == reset
    failure = classify(429, b"{}", CIMultiDict(headers), NOW)
    assert failure is not None
    assert failure.until == reset
    assert failure.marks is (reset is not None)
