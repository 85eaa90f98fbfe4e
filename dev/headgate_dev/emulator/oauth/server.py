"""The authorization server's semantics, without sockets: parameters in, JSON or a refusal out."""

import base64
import binascii
import hmac
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, unquote_plus, urlencode, urlsplit

from headgate_dev.emulator.credentials import Credentials
from headgate_dev.emulator.oauth.codes import DEVICE_SECONDS, Codes
from headgate_dev.emulator.oauth.errors import Dialect, OAuthRefused
from headgate_dev.emulator.oauth.grants import Grant, Grants, Issued
from headgate_dev.emulator.oauth.identity import Identity
from headgate_dev.emulator.oauth.journal import TokenCall

DEVICE_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
_PREFIXES: Final = {
    Dialect.STANDARD: ("emulated", "EMUL"),
    Dialect.OPENAI: ("emulated-openai", "OPEN"),
    Dialect.GOOGLE: ("emulated-google", "GOOG"),
}
"""What tokens and user codes begin with, so that several servers in one emulator never make the same."""
_PLAN_TYPE: Final = "pro"
_FORM: Final = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Client:
    """A registered client. ``secret`` None: a public client, which has to use PKCE.

    A redirect URI that is only a path (``/oauth/code/callback``) is one on the vendor's own origin, whichever that is.
    """

    id: str
    secret: str | None = None
    redirect_uris: tuple[str, ...] = ()


class Consent(StrEnum):
    """What the person at the authorization page does."""

    ALLOW = "Allow"
    DENY = "Deny"


@dataclass(frozen=True)
class Asked:
    """One call of the token, device or revocation endpoint."""

    number: int
    body: bytes
    content_type: str
    authorization: str
    at: datetime


class OAuthServer:
    """One vendor's authorization server; tests set ``consent`` and ``grants.lifetime`` while it runs.

    ``encoding``: what the token endpoint takes. ``state_needed``: a code's exchange must repeat ``state``.
    """

    def __init__(
        self,
        *clients: Client,
        dialect: Dialect = Dialect.STANDARD,
        encoding: Literal["Form", "JSON"] = "Form",
        state_needed: bool = False,
        revocation: bool = True,
        lifetime: timedelta = timedelta(hours=8),
    ) -> None:
        self.clients = {client.id: client for client in clients}
        self.dialect = dialect
        self.encoding = encoding
        self.state_needed = state_needed
        self.revocation = revocation
        self.consent = Consent.ALLOW
        self._identity = Identity()
        mint = self._openai_access_token if dialect is Dialect.OPENAI else None
        tokens, codes = _PREFIXES[dialect]
        self.grants = Grants(lifetime=lifetime, rotate=dialect is not Dialect.GOOGLE, prefix=tokens, mint=mint)
        self.codes = Codes(codes)
        self.calls: list[TokenCall] = []

    def authorize(self, query: dict[str, str], now: datetime) -> str:
        """Return where the person's browser goes after the authorization page. Raises OAuthRefused for a bad request."""
        client = self.clients.get(query.get("client_id", ""))
        if client is None:
            raise OAuthRefused("invalid_client", "client_id is unknown")
        target = query.get("redirect_uri", "")
        if target not in client.redirect_uris and urlsplit(target).path not in client.redirect_uris:
            raise OAuthRefused("invalid_request", "redirect_uri is not registered for this client")
        if query.get("response_type") != "code":
            raise OAuthRefused("unsupported_response_type", "response_type must be code")
        if client.secret is None and query.get("code_challenge_method") != "S256":
            raise OAuthRefused("invalid_request", "a public client must send code_challenge with method S256")
        state = {"state": query["state"]} if "state" in query else {}
        answer = {"error": "access_denied"} if self.consent is Consent.DENY else {"code": self.codes.code(query, now)}
        return f"{target}{'&' if '?' in target else '?'}{urlencode({**answer, **state})}"

    def token(self, asked: Asked, credentials: Credentials) -> dict[str, Any]:
        """Answer the token endpoint. Raises OAuthRefused."""
        grant_type, grant, error = "", None, None
        try:
            given = self._read(asked)
            grant_type = given.get("grant_type", "")
            known = self.grants.of(given.get("refresh_token", "")) if grant_type == "refresh_token" else None
            grant = known.number if known is not None else None
            issued = self._exchange(grant_type, given, self._client(asked, given), asked.at, credentials)
            grant = issued.grant.number
        except OAuthRefused as refused:
            error = refused.error
            raise
        finally:
            self.calls.append(TokenCall(asked.number, grant_type, grant, error))
        answer = {
            "access_token": issued.access_token,
            "token_type": "Bearer",
            "expires_in": int(self.grants.lifetime.total_seconds()),
            "scope": issued.grant.scope,
        }
        answer |= {"refresh_token": issued.refresh_token} if issued.refresh_token is not None else {}
        return answer | self._id_token(issued.grant, asked.at)

    def device(self, asked: Asked, verification_uri: str) -> dict[str, Any]:
        """Answer the device authorization endpoint. Raises OAuthRefused."""
        given = self._read(asked)
        code, device = self.codes.device(self._client(asked, given).id, given.get("scope", ""), asked.at)
        return {
            "device_code": code,
            "user_code": device.user_code,
            "verification_uri": verification_uri,
            "verification_uri_complete": f"{verification_uri}?user_code={device.user_code}",
            "expires_in": DEVICE_SECONDS,
            "interval": device.interval,
        }

    def revoke(self, asked: Asked, credentials: Credentials) -> None:
        """Answer the revocation endpoint (RFC 7009): an unknown token is no error. Raises OAuthRefused."""
        given = self._read(asked)
        client = self._client(asked, given)
        grant = self.grants.of(given.get("token", ""))
        if grant is not None and grant.client_id == client.id:
            self.grants.revoke(grant, credentials)

    def _openai_access_token(self, grant: Grant, name: str, now: datetime) -> str:
        return self._identity.access_token(grant.number, name, now, self.grants.lifetime, _PLAN_TYPE)

    def _id_token(self, grant: Grant, now: datetime) -> dict[str, str]:
        """Return the id token where the vendor issues one: OpenAI always, Google to who asked for ``openid``."""
        if self.dialect is Dialect.OPENAI:
            return {"id_token": self._identity.id_token(grant.number, grant.client_id, now, _PLAN_TYPE)}
        if self.dialect is Dialect.GOOGLE and "openid" in grant.scope.split():
            return {"id_token": self._identity.id_token(grant.number, grant.client_id, now)}
        return {}

    def _exchange(
        self, grant_type: str, given: dict[str, str], client: Client, now: datetime, credentials: Credentials
    ) -> Issued:
        if grant_type == "refresh_token":
            return self.grants.refresh(given.get("refresh_token", ""), client.id, now, credentials)
        if grant_type == "authorization_code":
            code = self.codes.codes.get(given.get("code", ""))
            if code is None or code.client_id != client.id:
                raise OAuthRefused("invalid_grant", "Authorization code is unknown")
            code.check(given, now, state_needed=self.state_needed)
            return self.grants.begin(client.id, code.scope, now, credentials)
        if grant_type == DEVICE_GRANT:
            device = self.codes.devices.get(given.get("device_code", ""))
            if device is None or device.client_id != client.id:
                raise OAuthRefused("invalid_grant", "device_code is unknown")
            device.check(now)
            return self.grants.begin(client.id, device.scope, now, credentials)
        raise OAuthRefused("unsupported_grant_type", f"grant_type {grant_type!r} is not supported")

    def _client(self, asked: Asked, given: dict[str, str]) -> Client:
        client_id, secret = given.get("client_id"), given.get("client_secret")
        scheme, _, encoded = asked.authorization.partition(" ")
        if scheme.lower() == "basic":
            try:
                name, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
            except (binascii.Error, ValueError):
                raise OAuthRefused("invalid_client", "Authorization cannot be read", 401) from None
            client_id, secret = unquote_plus(name), unquote_plus(password)
        client = self.clients.get(client_id or "")
        if client is None or not hmac.compare_digest(client.secret or "", secret or ""):
            raise OAuthRefused("invalid_client", "Client authentication failed", 401)
        return client

    def _read(self, asked: Asked) -> dict[str, str]:
        wanted = _FORM if self.encoding == "Form" else "application/json"
        if asked.content_type.partition(";")[0].strip().lower() != wanted:
            raise OAuthRefused("invalid_request", f"the body must be {wanted}")
        try:
            if self.encoding == "Form":
                pairs = parse_qsl(asked.body.decode(), keep_blank_values=True, strict_parsing=True)
                if len({name for name, _ in pairs}) != len(pairs):
                    raise OAuthRefused("invalid_request", "a parameter stands twice")
                return dict(pairs)
            document = json.loads(asked.body)
        except ValueError:
            raise OAuthRefused("invalid_request", "the body cannot be read") from None
        if not isinstance(document, dict) or not all(isinstance(value, str) for value in document.values()):
            raise OAuthRefused("invalid_request", "every parameter must be a string")
        return document
