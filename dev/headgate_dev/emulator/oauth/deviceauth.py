"""OpenAI's device flow, which is not RFC 8628: the device polls for an authorization code and redeems that.

Paths and fields: ``codex-rs/login/src/device_code_auth.rs``; 403 while the person has not decided.
"""

import json
from typing import Any, Final

from headgate_dev.emulator.oauth.answers import json_answer
from headgate_dev.emulator.oauth.codes import s256
from headgate_dev.emulator.oauth.errors import OAuthRefused
from headgate_dev.emulator.oauth.server import OAuthServer
from headgate_dev.emulator.vendor import Answer, Call

USER_CODE: Final = "/api/accounts/deviceauth/usercode"
POLL: Final = "/api/accounts/deviceauth/token"
PATHS: Final = (USER_CODE, POLL)
CALLBACK: Final = "/deviceauth/callback"
"""The path of the redirect URI with which the device redeems its code, on the vendor's own origin."""


def user_code(oauth: OAuthServer, call: Call) -> Answer:
    """Begin: answer with the code to show to the person. Raises OAuthRefused."""
    client_id = _json(call).get("client_id", "")
    if client_id not in oauth.clients:
        raise OAuthRefused("invalid_client", "client_id is unknown")
    value, device = oauth.codes.device(client_id, "openid profile email offline_access", call.at)
    return json_answer({"device_auth_id": value, "user_code": device.user_code, "interval": str(device.interval)})


def poll(oauth: OAuthServer, call: Call) -> Answer:
    """Answer with an authorization code and its verifier once the person has allowed it; 403 before, 404 for an unknown device."""
    given = _json(call)
    device = oauth.codes.devices.get(str(given.get("device_auth_id", "")))
    if device is None or device.user_code != given.get("user_code") or device.used or call.at >= device.expires:
        return _refused("device code is unknown", "deviceauth_unknown", 404)
    if device.decision == "denied":
        return _refused("the person declined", "access_denied", 400)
    if device.decision == "pending":
        return _refused("the person has not decided yet", "deviceauth_authorization_unknown", 403)
    device.used = True
    verifier = f"emulated-device-verifier-{device.user_code}".ljust(43, "-")
    asked = {"client_id": device.client_id, "redirect_uri": CALLBACK, "scope": device.scope}
    code = oauth.codes.code({**asked, "code_challenge": s256(verifier)}, call.at)
    return json_answer(
        {"authorization_code": code, "code_challenge": s256(verifier), "code_verifier": verifier},
    )


def _refused(message: str, code: str, status: int) -> Answer:
    return json_answer({"error": {"message": message, "type": "invalid_request_error", "code": code}}, status)


def _json(call: Call) -> dict[str, Any]:
    try:
        found = json.loads(call.body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise OAuthRefused("invalid_request", "the body must be a JSON object")
    return found
