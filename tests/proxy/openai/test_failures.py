"""OpenAI's failure table, row by row, with the answers that the API, the plan's backend and compatible vendors really give."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from multidict import CIMultiDict

from headgate_api.reasons import SkipReason
from headgate_proxy.openai.failures import classify

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SOON = NOW + timedelta(seconds=90)


def error(message: str = "m", kind: str | None = None, code: str | int | None = None, **more: Any) -> bytes:
    return json.dumps({"error": {"message": message, "type": kind, "param": None, "code": code, **more}}).encode()


def detail(said: Any) -> bytes:
    return json.dumps({"detail": said}).encode()


ROWS = [
    (401, error("Your account has been deactivated.", None, "account_deactivated"), "PLAN_SUSPENDED", True),
    (401, error("Incorrect API key provided: sk-***", "invalid_request_error", "invalid_api_key"), "REVOKED", True),
    (401, error("Provided authentication token is expired.", None, "token_expired"), "EXPIRED", True),
    (401, error("Your authentication token has been invalidated.", None, "token_invalidated"), "REVOKED", True),
    (401, error("Could not parse your authentication token.", None, "token_revoked"), "REVOKED", True),
    (401, detail("Unauthorized"), "REVOKED", True),
    (401, error("You have insufficient permissions. Missing scopes: api.responses.write."), "UNSUPPORTED", False),
    (401, error("OpenAI-Organization header should match", None, "mismatched_organization"), "UNSUPPORTED", False),
    (403, error("Country not supported", None, "unsupported_country_region_territory"), "UNSUPPORTED", False),
    (403, detail("chatgpt-account-id is not the account of the token"), "UNSUPPORTED", False),
    (403, b"<html>Just a moment...</html>", "UNSUPPORTED", False),
    (400, detail("Instructions are required"), "REQUEST_UNSUPPORTED", False),
    (400, detail("Unsupported parameter: temperature"), "REQUEST_UNSUPPORTED", False),
    (402, detail({"code": "deactivated_workspace"}), "QUOTA_EXHAUSTED", True),
    (
        429,
        error("You exceeded your current quota", "insufficient_quota", "insufficient_quota"),
        "QUOTA_EXHAUSTED",
        True,
    ),
    (429, error("The usage limit has been reached", "usage_limit_reached"), "QUOTA_EXHAUSTED", True),
    (404, error("The usage limit has been reached", "usage_limit_reached"), "QUOTA_EXHAUSTED", True),
    (
        429,
        error("Insufficient balance or no resource package. Please recharge.", None, "1113"),
        "QUOTA_EXHAUSTED",
        True,
    ),
    (429, error("x", "exceeded_current_quota_error"), "QUOTA_EXHAUSTED", True),
    (429, error("Rate limit reached for gpt-5", "requests", "rate_limit_exceeded"), "RATE_LIMITED", False),
    (429, error("High concurrency usage of this API", None, 1302), "RATE_LIMITED", False),
    (500, error("The server had an error", "server_error"), "UNAVAILABLE", False),
    (503, error("Slow down", "server_error", "server_is_overloaded"), "OVERLOADED", False),
    (502, b"<html>", "UNAVAILABLE", False),
]


@pytest.mark.parametrize(("status", "body", "reason", "marks"), ROWS)
def test_failures_of_a_mode(status: int, body: bytes, reason: str, marks: bool) -> None:
    failure = classify(status, body, CIMultiDict(), NOW)
    assert failure is not None
    assert (failure.reason, failure.marks, failure.status) == (SkipReason[reason], marks, status)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, error("Unknown parameter: 'quota'.", "invalid_request_error", "unknown_parameter")),
        (400, error("insufficient_quota usage_limit_reached billing token expired")),
        (404, error("The model `quota` does not exist", "invalid_request_error", "model_not_found")),
        (400, detail("The 'x' model is not supported when using Codex with a ChatGPT account.")),
        (400, error("Unsupported parameter: 'max_tokens'", "invalid_request_error", "unsupported_parameter")),
        (413, b""),
        (422, b"[]"),
    ],
)
def test_the_clients_own_mistakes_are_none(status: int, body: bytes) -> None:
    assert classify(status, body, CIMultiDict(), NOW) is None


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b"\xff\xfe", b"null", b'{"error":"x"}', b'{"error":{"code":[]}}', b'{"detail":5}']
)
def test_what_is_no_envelope_is_judged_by_its_status(body: bytes) -> None:
    failure = classify(503, body, CIMultiDict(), NOW)
    assert failure is not None
    assert failure.reason is SkipReason.OVERLOADED
    assert classify(400, body, CIMultiDict(), NOW) is None


RESETS = [
    ({}, {"resets_at": SOON.timestamp()}, SOON),
    ({}, {"resets_in_seconds": 90}, SOON),
    ({"retry-after": "90"}, {}, SOON),
    ({"x-codex-primary-used-percent": "100", "x-codex-primary-reset-at": str(int(SOON.timestamp()))}, {}, SOON),
    ({"x-codex-secondary-used-percent": "100.0", "x-codex-secondary-reset-at": str(int(SOON.timestamp()))}, {}, SOON),
    ({"x-codex-primary-used-percent": "99", "x-codex-primary-reset-at": str(int(SOON.timestamp()))}, {}, None),
    ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m30s"}, {}, SOON),
    ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "90000ms"}, {}, SOON),
    ({"x-ratelimit-remaining-tokens": "5", "x-ratelimit-reset-tokens": "1m30s"}, {}, None),
    ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "soon"}, {}, None),
    ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "9" * 400 + "s"}, {}, None),
    ({}, {"resets_at": 1e300}, None),
    ({}, {"resets_in_seconds": -5}, None),
    ({}, {"resets_in_seconds": 1e12}, NOW + timedelta(days=8)),
    ({"x-codex-primary-used-percent": "nan", "x-codex-primary-reset-at": "1"}, {}, None),
]


@pytest.mark.parametrize(("headers", "said", "reset"), RESETS)
def test_resets_are_read_and_nonsense_is_not_believed(
    headers: dict[str, str], said: dict[str, Any], reset: datetime | None
) -> None:
    failure = classify(429, error("Rate limit reached", **said), CIMultiDict(headers), NOW)
    assert failure is not None
    assert failure.until == reset
    assert failure.marks is (reset is not None)
