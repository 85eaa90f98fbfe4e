"""The jwt-bearer grant at the token endpoint: which calls are for the federation, and how its denials look."""

import json
from typing import Final

from headgate_dev.emulator.credentials import Credentials
from headgate_dev.emulator.oauth.answers import json_answer
from headgate_dev.emulator.oauth.assertions import Denied
from headgate_dev.emulator.oauth.errors import OAuthRefused
from headgate_dev.emulator.oauth.federation import FEDERATION_BETA, JWT_BEARER, Federation
from headgate_dev.emulator.vendor import Answer, Call

_OPAQUE: Final = "Authentication failed"


def asks_federation(call: Call) -> dict[str, str] | None:
    """Return the parameters of ``call`` when it is an exchange. Raises OAuthRefused when beta and grant do not go together.

    The beta routes the call (SDKs, ``lib/credentials``): without it nobody there knows the grant, with it only this one.
    """
    routed = FEDERATION_BETA in {name.strip() for name in call.headers.get("anthropic-beta", "").split(",")}
    try:
        given = json.loads(call.body)
    except ValueError:
        given = None
    wanted = isinstance(given, dict) and given.get("grant_type") == JWT_BEARER
    if not routed and not wanted:
        return None
    if not routed:
        raise OAuthRefused("unsupported_grant_type", f"this grant_type needs anthropic-beta: {FEDERATION_BETA}")
    if not wanted:
        raise OAuthRefused("unsupported_grant_type", f"{FEDERATION_BETA} is for the grant_type {JWT_BEARER} only")
    if not all(isinstance(value, str) for value in given.values()):
        raise OAuthRefused("invalid_request", "every parameter must be a string")
    return dict(given)


def exchange(call: Call, given: dict[str, str], federation: Federation, credentials: Credentials) -> Answer:
    """Answer an exchange."""
    try:
        issued = federation.exchange(call.number, given, call.at, credentials)
    except Denied as denied:
        return _denial(call, denied, federation)
    answer = {
        "access_token": issued.access_token,
        "token_type": "Bearer",
        "expires_in": issued.expires_in,
        "scope": issued.scope,
    }
    return json_answer(answer, headers=(("request-id", call.request_id),))


def _denial(call: Call, denied: Denied, federation: Federation) -> Answer:
    malformed = denied.reason == "malformed"
    headers = (("request-id", call.request_id),)
    if federation.denials == "Described":
        error = "invalid_request" if malformed else "invalid_grant"
        return json_answer({"error": error, "error_description": denied.description}, 400, headers)
    type_, message = ("invalid_request_error", denied.description) if malformed else ("authentication_error", _OPAQUE)
    envelope = {"type": "error", "error": {"type": type_, "message": message}, "request_id": call.request_id}
    return json_answer(envelope, 400 if malformed else 401, headers)
