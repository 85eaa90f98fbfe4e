"""Codes that wait to be redeemed: from the authorization page (RFC 6749, RFC 7636) and from a device (RFC 8628)."""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from urllib.parse import urlsplit

from headgate_dev.emulator.oauth.errors import OAuthRefused

_CODE_SECONDS: Final = 600.0
DEVICE_SECONDS: Final = 900
DEVICE_INTERVAL: Final = 5


def s256(verifier: str) -> str:
    """Return the S256 code challenge of a verifier (RFC 7636, section 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


@dataclass
class Code:
    """One authorization code, with what it was asked with."""

    client_id: str
    redirect_uri: str
    scope: str
    state: str
    challenge: str | None
    expires: datetime
    used: bool = False

    def check(self, given: dict[str, str], now: datetime, *, state_needed: bool) -> None:
        """Raise OAuthRefused unless whoever redeems the code is who asked for it."""
        if self.used or now >= self.expires:
            raise OAuthRefused("invalid_grant", "Authorization code is expired or was already used")
        self.used = True
        if not self._comes_back(given.get("redirect_uri", "")):
            raise OAuthRefused("invalid_grant", "redirect_uri differs from the authorization request")
        if state_needed and given.get("state") != self.state:
            raise OAuthRefused("invalid_request", "state is missing or differs from the authorization request")
        if self.challenge is None:
            return
        verifier = given.get("code_verifier", "")
        if not 43 <= len(verifier) <= 128 or not hmac.compare_digest(s256(verifier), self.challenge):
            raise OAuthRefused("invalid_grant", "code_verifier does not match code_challenge")

    def _comes_back(self, redirect_uri: str) -> bool:
        """Compare redirect URIs: whole, or only the path when that is all that was asked with (OpenAI's device flow)."""
        return self.redirect_uri == (urlsplit(redirect_uri).path if self.redirect_uri.startswith("/") else redirect_uri)


@dataclass
class Device:
    """One device code and what its person decided."""

    client_id: str
    user_code: str
    scope: str
    expires: datetime
    interval: int = DEVICE_INTERVAL
    decision: Literal["pending", "allowed", "denied"] = "pending"
    polled: datetime | None = None
    used: bool = False

    def check(self, now: datetime) -> None:
        """Raise OAuthRefused unless the device may have its tokens now."""
        polled, self.polled = self.polled, now
        if self.used:
            raise OAuthRefused("invalid_grant", "device_code was already used")
        if now >= self.expires:
            raise OAuthRefused("expired_token", "device_code has expired")
        if polled is not None and now - polled < timedelta(seconds=self.interval):
            self.interval += 5
            raise OAuthRefused("slow_down", "poll less often")
        if self.decision == "denied":
            raise OAuthRefused("access_denied", "the person declined")
        if self.decision == "pending":
            raise OAuthRefused("authorization_pending", "the person has not decided yet")
        self.used = True


class Codes:
    """All codes of one authorization server; its user codes begin with ``prefix``."""

    def __init__(self, prefix: str = "EMUL") -> None:
        self._prefix = prefix
        self.codes: dict[str, Code] = {}
        self.devices: dict[str, Device] = {}

    def code(self, asked: dict[str, str], now: datetime) -> str:
        """Make an authorization code for an authorization request."""
        value = f"emulated-code-{len(self.codes) + 1}"
        self.codes[value] = Code(
            client_id=asked["client_id"],
            redirect_uri=asked["redirect_uri"],
            scope=asked.get("scope", ""),
            state=asked.get("state", ""),
            challenge=asked.get("code_challenge"),
            expires=now + timedelta(seconds=_CODE_SECONDS),
        )
        return value

    def device(self, client_id: str, scope: str, now: datetime) -> tuple[str, Device]:
        """Make a device code and its user code."""
        number = len(self.devices) + 1
        device = Device(client_id, f"{self._prefix}-{number:04d}", scope, now + timedelta(seconds=DEVICE_SECONDS))
        self.devices[f"emulated-device-{number}"] = device
        return f"emulated-device-{number}", device

    def decide(self, user_code: str, decision: Literal["allowed", "denied"]) -> None:
        """Record what a person decided about a device; KeyError for an unknown user code."""
        for device in self.devices.values():
            if device.user_code == user_code:
                device.decision = decision
                return
        raise KeyError(user_code)
