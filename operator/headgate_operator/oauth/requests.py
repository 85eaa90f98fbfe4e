"""What is asked of an authorization server, as values: each request names the one origin it may go to.

Sources: RFC 6749 (token endpoint), RFC 7636 (PKCE), RFC 7009 (revocation), RFC 8628 (device grant).
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote_plus, urlencode

from headgate_api.origins import origin_of
from headgate_api.resources import OAuthProfile
from headgate_api.secret import Secret
from headgate_operator.oauth.authorization import Began

DEVICE_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
_FORM: Final = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Client:
    """A profile and the client secret it names. ``ca_bundle``: see ``OAuthProfile.tls``."""

    profile: OAuthProfile
    secret: Secret | None = None

    @property
    def ca_bundle(self) -> str | None:
        """Return the certificates (PEM) trusted for the endpoints instead of the system's."""
        return self.profile.tls.ca_bundle if self.profile.tls is not None else None


@dataclass(frozen=True, slots=True)
class OAuthRequest:
    """One POST. Headers and body may hold credentials and do not show when printed.

    ``endpoint_field`` and ``ca_field``: which fields of a spec the endpoint and its authorities stand in, for messages.
    """

    url: str
    headers: Mapping[str, Secret] = field(repr=False)
    body: Secret
    ca_bundle: str | None = field(default=None, repr=False)
    endpoint_field: str = "spec.oauth"
    ca_field: str = "spec.oauth.tls.caBundle"

    @property
    def origin(self) -> str:
        """Return the origin the request goes to. Raises ValueError where the URL is none."""
        return origin_of(self.url)


def redeem_code(client: Client, code: Secret, began: Began) -> OAuthRequest:
    """Return the exchange of an authorization code."""
    given = {
        "grant_type": "authorization_code",
        "code": code.reveal(),
        "redirect_uri": client.profile.redirect_uri or "",
    }
    if began.verifier is not None:
        given["code_verifier"] = began.verifier.reveal()
    if client.profile.send_state:
        given["state"] = began.state.reveal()
    return _token_request(client, given)


def refresh(client: Client, refresh_token: Secret) -> OAuthRequest:
    """Return the request that spends a refresh token."""
    return _token_request(client, {"grant_type": "refresh_token", "refresh_token": refresh_token.reveal()})


def redeem_device(client: Client, device_code: Secret) -> OAuthRequest:
    """Return one poll for a device code's tokens."""
    return _token_request(client, {"grant_type": DEVICE_GRANT, "device_code": device_code.reveal()})


def ask_device(client: Client) -> OAuthRequest:
    """Return the request for a device code. Raises ValueError for a profile without its endpoint."""
    endpoint = client.profile.device_authorization_endpoint
    if endpoint is None:
        raise ValueError("spec.oauth has no deviceAuthorizationEndpoint; sign in by authorization code, or add it")
    given = {"scope": " ".join(client.profile.scopes)} if client.profile.scopes else {}
    return _request(client, endpoint, given, json_body=False)


def revoke(client: Client, token: Secret, hint: str = "refresh_token") -> OAuthRequest:
    """Return the revocation of a token. Raises ValueError for a profile without its endpoint."""
    endpoint = client.profile.revocation_endpoint
    if endpoint is None:
        raise ValueError("spec.oauth has no revocationEndpoint; the owner revokes at the vendor")
    return _request(client, endpoint, {"token": token.reveal(), "token_type_hint": hint}, json_body=False)


def _token_request(client: Client, given: Mapping[str, str]) -> OAuthRequest:
    profile = client.profile
    everything = {**profile.extra_token_parameters, **given}
    return _request(client, profile.token_endpoint, everything, json_body=profile.token_encoding == "JSON")  # noqa: S105


def _request(client: Client, url: str, given: Mapping[str, str], *, json_body: bool) -> OAuthRequest:
    profile = client.profile
    headers = {
        "accept": Secret("application/json"),
        "content-type": Secret("application/json" if json_body else _FORM),
        "user-agent": Secret("headgate"),
    }
    everything = dict(given)
    if client.secret is not None and profile.client_authentication == "Basic":
        # RFC 6749, section 2.3.1: both are form-encoded before they are joined.
        pair = f"{quote_plus(profile.client_id)}:{quote_plus(client.secret.reveal())}"
        headers["authorization"] = Secret("Basic " + base64.b64encode(pair.encode()).decode())
    else:
        everything["client_id"] = profile.client_id
        if client.secret is not None:
            everything["client_secret"] = client.secret.reveal()
    body = json.dumps(everything) if json_body else urlencode(everything)
    return OAuthRequest(url, headers, Secret(body), client.ca_bundle)
