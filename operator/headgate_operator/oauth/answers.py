"""What an authorization server's answer means: status, headers and body in, an outcome out; every input has one.

Whether a refusal is final decides over somebody's sign-in, so unknown words never are: they are waited out.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

from headgate_api.refresh import TerminalReason
from headgate_api.secret import Secret
from headgate_operator.oauth.outcomes import (
    ClientRefused,
    DeviceCode,
    DeviceOutcome,
    Granted,
    Pending,
    Revoked,
    RevokeOutcome,
    SlowDown,
    Terminal,
    TokenOutcome,
    Transient,
)

MAX_BYTES: Final = 256 * 1024
_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,16384}")
_CODE: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_LONGEST_LIFETIME: Final = timedelta(days=366)
_LONGEST_WAIT: Final = timedelta(hours=24)
_TERMINAL: Final[Mapping[str, TerminalReason]] = {
    "invalid_grant": TerminalReason.INVALID_GRANT,
    "refresh_token_expired": TerminalReason.EXPIRED,
    "expired_token": TerminalReason.EXPIRED,
    "refresh_token_reused": TerminalReason.REUSED,
    "refresh_token_invalidated": TerminalReason.REVOKED,
    "token_revoked": TerminalReason.REVOKED,
    "access_denied": TerminalReason.DENIED,
    "account_suspended": TerminalReason.SUSPENDED,
    "account_deactivated": TerminalReason.SUSPENDED,
    "plan_suspended": TerminalReason.SUSPENDED,
}
_CLIENT: Final = frozenset(
    {
        *("invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_request", "invalid_scope"),
        *("invalid_request_error", "unsupported_response_type", "unsupported_token_type"),
    }
)
_PASSING: Final = frozenset(
    {"temporarily_unavailable", "server_error", "rate_limited", "rate_limit_error", "overloaded_error"}
)
_NOT_THERE: Final = (404, 405, 410, 415)
_SURELY_NOT_ACTED: Final = (408, 425, 429, 503, 529)
"""Statuses of a server that has not acted on the request; after others of 500 and more, it may have."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """One HTTP response: header names in lower case, body whole and at most MAX_BYTES."""

    status: int
    headers: Mapping[str, str]
    body: Secret


def token_outcome(answer: HttpAnswer, now: datetime) -> TokenOutcome:
    """Return what the token endpoint's answer means."""
    if answer.status == 200:
        return _granted(answer)
    code = _error_code(_document(answer))
    if code == "authorization_pending":
        return Pending()
    if code == "slow_down":
        return SlowDown()
    if code is not None and code in _TERMINAL and 400 <= answer.status < 500:
        return Terminal(_TERMINAL[code], f"the vendor answers {code}")
    return _refused(answer, code, now)


def device_outcome(answer: HttpAnswer, now: datetime) -> DeviceOutcome:
    """Return what the device authorization endpoint's answer means."""
    document = _document(answer)
    if answer.status != 200:
        return _refused(answer, _error_code(document), now)
    given = document or {}
    code, user, uri = given.get("device_code"), given.get("user_code"), given.get("verification_uri")
    lifetime, interval = _seconds(given.get("expires_in")), _seconds(given.get("interval", 5))
    whole = given.get("verification_uri_complete")
    if not (
        _is_token(code) and isinstance(user, str) and user.isprintable() and 0 < len(user) <= 64 and _is_https(uri)
    ):
        return ClientRefused("the vendor's answer is no device code; check spec.oauth.deviceAuthorizationEndpoint")
    if lifetime is None or interval is None:
        return ClientRefused("the vendor's device code names no lifetime; check spec.oauth.deviceAuthorizationEndpoint")
    return DeviceCode(
        device_code=Secret(str(code)),
        user_code=user,
        verification_uri=str(uri),
        verification_uri_complete=str(whole) if _is_https(whole) else None,
        lifetime=lifetime,
        interval=max(1.0, interval.total_seconds()),
    )


def revoke_outcome(answer: HttpAnswer, now: datetime) -> RevokeOutcome:
    """Return what the revocation endpoint's answer means."""
    if answer.status in (200, 204):
        return Revoked()
    return _refused(answer, _error_code(_document(answer)), now)


def _granted(answer: HttpAnswer) -> Granted | Transient:
    document = _document(answer)
    if document is None or not _is_token(document.get("access_token")):
        return Transient("the vendor's answer holds no access token", uncertain=True)
    kind = document.get("token_type", "bearer")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        return Transient("the vendor issued a token of another type than Bearer", uncertain=True)
    refresh = document.get("refresh_token")
    if refresh is not None and not _is_token(refresh):
        return Transient("the vendor's answer holds a refresh token that cannot be one", uncertain=True)
    scope, id_token = document.get("scope"), document.get("id_token")
    return Granted(
        access_token=Secret(document["access_token"]),
        refresh_token=Secret(refresh) if refresh else None,
        lifetime=_seconds(document.get("expires_in")),
        scopes=tuple(scope.split()) if isinstance(scope, str) else None,
        id_token=Secret(str(id_token)) if _is_token(id_token) else None,
    )


def _refused(answer: HttpAnswer, code: str | None, now: datetime) -> ClientRefused | Transient:
    status, said = answer.status, f" ({code})" if code is not None else ""
    if status == 429:
        return Transient("the vendor limits requests (429)", _retry_after(answer, now), limited=True)
    if status >= 500 or status in _SURELY_NOT_ACTED or code in _PASSING:
        lost = status not in _SURELY_NOT_ACTED and status >= 500
        return Transient(f"the vendor answers {status}{said}", _retry_after(answer, now), uncertain=lost)
    if 300 <= status < 400:
        return ClientRefused(f"the vendor answers {status}, and redirects are not followed; write the final address")
    if status in _NOT_THERE and code is None:
        return ClientRefused(f"the vendor answers {status}; check the endpoint's path")
    if code in _CLIENT or code is not None:
        return ClientRefused(
            f"the vendor answers {status}{said}; check clientId, clientSecretRef, scopes and tokenEncoding"
        )
    return Transient(f"the vendor answers {status} without saying why", _retry_after(answer, now))


def _error_code(document: Mapping[str, Any] | None) -> str | None:
    """Return the error's code, wherever this vendor puts it, if it is one word."""
    error = (document or {}).get("error")
    found = (error.get("code") or error.get("type")) if isinstance(error, dict) else error
    return found if isinstance(found, str) and _CODE.fullmatch(found) else None


def _document(answer: HttpAnswer) -> dict[str, Any] | None:
    try:
        document = json.loads(answer.body.reveal())
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _retry_after(answer: HttpAnswer, now: datetime) -> timedelta | None:
    """Return how long to wait (RFC 9110, section 10.2.3: seconds or a date), at most a day."""
    value = answer.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit() and len(value) <= 9:
        return min(timedelta(seconds=int(value)), _LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(value)
        wait = (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)) - now
    except (ValueError, OverflowError, TypeError):
        return None
    return min(max(wait, timedelta()), _LONGEST_WAIT)


def _seconds(value: Any) -> timedelta | None:
    """Return a number of seconds, or its text, as a span of at most a year; what cannot be one is None."""
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        return None
    if not math.isfinite(number) or number <= 0:
        return None
    return min(timedelta(seconds=min(number, _LONGEST_LIFETIME.total_seconds())), _LONGEST_LIFETIME)


def _is_token(value: Any) -> bool:
    return isinstance(value, str) and _TOKEN.fullmatch(value) is not None


def _is_https(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("https://") and value.isprintable() and len(value) <= 2048
