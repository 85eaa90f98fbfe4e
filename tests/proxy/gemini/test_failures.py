"""Gemini's failure table, row by row, with the answers that the vendor really gives."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from multidict import CIMultiDict

from headgate_api.reasons import SkipReason
from headgate_proxy.gemini.failures import classify

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def error(status: str, message: str, *details: dict[str, Any]) -> bytes:
    return json.dumps({"error": {"code": 0, "status": status, "message": message, "details": list(details)}}).encode()


def reason(word: str) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": word, "domain": "googleapis.com"}


def quota(named: str, delay: str | None = None) -> tuple[dict[str, Any], ...]:
    failure = {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": named}]}
    retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}
    return (failure,) if delay is None else (failure, retry)


PLAN = "You exceeded your current quota, please check your plan and billing details."
ROWS = [
    (400, error("INVALID_ARGUMENT", "API key not valid.", reason("API_KEY_INVALID")), "REVOKED", True),
    (400, error("INVALID_ARGUMENT", "API key expired. Renew it.", reason("API_KEY_INVALID")), "EXPIRED", True),
    (401, error("UNAUTHENTICATED", "invalid credentials", reason("ACCESS_TOKEN_EXPIRED")), "EXPIRED", True),
    (401, error("UNAUTHENTICATED", "invalid", reason("ACCESS_TOKEN_TYPE_UNSUPPORTED")), "REVOKED", True),
    (403, error("PERMISSION_DENIED", "Consumer suspended.", reason("CONSUMER_SUSPENDED")), "PLAN_SUSPENDED", True),
    (403, error("PERMISSION_DENIED", "Your API key was reported as leaked. Use another."), "REVOKED", True),
    (403, error("PERMISSION_DENIED", "billing", reason("BILLING_DISABLED")), "QUOTA_EXHAUSTED", True),
    (403, error("PERMISSION_DENIED", "scopes", reason("ACCESS_TOKEN_SCOPE_INSUFFICIENT")), "UNSUPPORTED", False),
    (403, error("PERMISSION_DENIED", "The caller does not have permission"), "UNSUPPORTED", False),
    (429, error("RESOURCE_EXHAUSTED", PLAN, *quota("RequestsPerDayPerProject")), "QUOTA_EXHAUSTED", True),
    (429, error("RESOURCE_EXHAUSTED", PLAN, *quota("RequestsPerMinute", "90s")), "RATE_LIMITED", True),
    (429, error("RESOURCE_EXHAUSTED", PLAN), "RATE_LIMITED", False),
    (429, error("RESOURCE_EXHAUSTED", "Your prepayment credits are depleted."), "QUOTA_EXHAUSTED", True),
    (503, error("UNAVAILABLE", "The model is overloaded."), "OVERLOADED", False),
    (500, error("INTERNAL", "x"), "UNAVAILABLE", False),
    (504, b"<html>", "UNAVAILABLE", False),
]


@pytest.mark.parametrize("array", [False, True])
@pytest.mark.parametrize(("status", "body", "why", "marks"), ROWS)
def test_failures_of_a_mode(status: int, body: bytes, why: str, marks: bool, array: bool) -> None:
    failure = classify(status, b"[%s]" % body if array else body, CIMultiDict(), NOW)
    assert failure is not None
    assert (failure.reason, failure.marks, failure.status) == (SkipReason[why], marks, status)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, error("INVALID_ARGUMENT", "API key not valid.")),
        (400, error("INVALID_ARGUMENT", 'Unknown name "API_KEY_INVALID"')),
        (403, error("PERMISSION_DENIED", "You do not have permission to access the File x or it may not exist.")),
        (404, error("NOT_FOUND", "models/x is not found")),
        (404, b"[]"),
        (413, b""),
    ],
)
def test_the_clients_own_mistakes_are_none(status: int, body: bytes) -> None:
    assert classify(status, body, CIMultiDict(), NOW) is None


@pytest.mark.parametrize(
    ("delay", "headers", "until"),
    [
        ("90s", {}, 90),
        ("90.5s", {}, 90.5),
        ("-90s", {}, None),
        ("nans", {}, None),
        ("9999999999999s", {}, None),
        ("soon", {"Retry-After": "90"}, 90),
    ],
)
def test_resets_are_read_and_nonsense_is_not_believed(delay: str, headers: dict[str, str], until: float | None) -> None:
    body = error("RESOURCE_EXHAUSTED", PLAN, *quota("PerMinute", delay))
    failure = classify(429, body, CIMultiDict(headers), NOW)
    assert failure is not None
    assert failure.until == (None if until is None else NOW + timedelta(seconds=until))


@pytest.mark.parametrize("body", [b"[" * 100_000, b"\xff", b"null", b'{"error":{"details":{}}}', b"[[]]"])
def test_what_is_no_envelope_is_judged_by_its_status(body: bytes) -> None:
    failure = classify(503, body, CIMultiDict(), NOW)
    assert failure is not None
    assert failure.reason is SkipReason.OVERLOADED
    assert classify(400, body, CIMultiDict(), NOW) is None
