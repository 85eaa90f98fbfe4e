"""How an account's tokens are obtained and renewed: an OAuth profile that the administrator supplies, for any vendor.

Nothing here has a default that would borrow another application's identity: the client id is the administrator's own
(B11). Tokens and client secret go to one origin only, the token endpoint's, so that one decision binds them all.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import Field

from headgate_api.resources.base import Duration, KubeModel, Rule, SecretKeyRef, schema
from headgate_api.resources.llmprovider import TLS
from headgate_api.resources.rules import HTTPS

_REDIRECT: Final = (
    Rule(
        "isURL(self) && (self.startsWith('https://') || self.matches('^http://(localhost|127[.]0[.]0[.]1|\\\\[::1\\\\])(:[0-9]+)?/'))",
        "must be an https:// URL, or http:// on the loopback interface such as http://localhost:1455/callback, exactly as "
        "registered with the vendor",
    ),
    Rule("!self.contains('#')", "must not have a fragment; write it exactly as registered with the vendor"),
)
_AUTHORIZATION_WRITTEN: Final = (
    "['response_type','client_id','client_secret','redirect_uri','scope','state','code_challenge',"
    "'code_challenge_method']"
)
_EXCHANGE_WRITTEN: Final = (
    "['grant_type','client_id','client_secret','redirect_uri','code','code_verifier','device_code','refresh_token','token',"
    "'token_type_hint','state','access_token','assertion','username','password']"
)
_PROFILE_RULES: Final = (
    Rule(
        "!has(self.authorizationEndpoint) || has(self.redirectURI)",
        "spec.oauth.authorizationEndpoint is set but redirectURI is missing; add the redirect URI registered with the vendor",
    ),
    Rule(
        "!has(self.redirectURI) || has(self.authorizationEndpoint)",
        "spec.oauth.redirectURI is set but authorizationEndpoint is missing; add it, or remove redirectURI",
    ),
    Rule(
        "!has(self.revocationEndpoint) || self.revocationEndpoint.split('/')[2] == self.tokenEndpoint.split('/')[2]",
        "spec.oauth.revocationEndpoint is on another host than tokenEndpoint; a refresh token is sent to one origin only, so "
        "leave revocationEndpoint out (the owner then revokes at the vendor)",
    ),
    Rule(
        "!has(self.deviceAuthorizationEndpoint) || "
        "self.deviceAuthorizationEndpoint.split('/')[2] == self.tokenEndpoint.split('/')[2]",
        "spec.oauth.deviceAuthorizationEndpoint is on another host than tokenEndpoint; a client secret is sent to one origin "
        "only, so leave deviceAuthorizationEndpoint out and sign in by authorization code",
    ),
    Rule(
        "self.usePKCE || !has(self.authorizationEndpoint) || has(self.clientSecretRef)",
        "spec.oauth.usePKCE is false and there is no clientSecretRef, so whoever sees the code could redeem it; use PKCE",
    ),
    Rule(
        "self.clientAuthentication != 'Basic' || has(self.clientSecretRef)",
        "spec.oauth.clientAuthentication is Basic but clientSecretRef is missing; name the Secret that holds the client secret, "
        "or remove clientAuthentication",
    ),
)


def _https(description: str) -> Any:
    return Field(default=None, min_length=9, max_length=512, description=description, json_schema_extra=schema(*HTTPS))


class OAuthProfile(KubeModel):
    """The vendor's OAuth 2.0 endpoints, and the client that was registered there for this installation."""

    model_config = KubeModel.model_config | {"json_schema_extra": schema(*_PROFILE_RULES)}

    token_endpoint: str = Field(
        min_length=9,
        max_length=512,
        description="Where codes and refresh tokens are exchanged (RFC 6749, section 3.2). The grant is bound to its origin "
        "at import or sign-in: another origin needs a new one.",
        json_schema_extra=schema(*HTTPS),
    )
    authorization_endpoint: str | None = _https(
        "Where a person signs in (RFC 6749, section 3.1); with redirectURI, for sign-in by authorization code."
    )
    revocation_endpoint: str | None = _https(
        "Where tokens are revoked (RFC 7009), on the token endpoint's host. Without it, revoking forgets the grant and tells "
        "the owner to end it at the vendor."
    )
    device_authorization_endpoint: str | None = _https(
        "Where a device code is asked for (RFC 8628), on the token endpoint's host; for sign-in by device code."
    )
    redirect_uri: str | None = Field(
        default=None,
        alias="redirectURI",
        min_length=9,
        max_length=2048,
        description="Exactly as registered with the vendor: the broker's callback, or a page of the vendor that shows the code "
        "to paste.",
        json_schema_extra=schema(*_REDIRECT),
    )
    client_id: str = Field(
        min_length=1,
        max_length=512,
        pattern=r"^[\x21-\x7e]+$",
        description="The client registered with the vendor for this installation. There is no default: do not use another "
        "application's.",
    )
    client_secret_ref: SecretKeyRef | None = Field(
        default=None,
        description="The client's secret, where the vendor issued one; sent to the token endpoint's origin only.",
    )
    client_authentication: Literal["Body", "Basic"] = Field(
        default="Body", description="How the client secret is sent: in the request's body, or by HTTP Basic."
    )
    scopes: tuple[Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[\x21\x23-\x5b\x5d-\x7e]+$")], ...] = (
        Field(default=(), max_length=64, description="Asked for at sign-in.")
    )
    token_encoding: Literal["Form", "JSON"] = Field(
        default="Form", description="How requests to the token endpoint are written; Form is the standard's."
    )
    extra_authorization_parameters: dict[str, Annotated[str, Field(max_length=2048)]] = Field(
        default_factory=dict,
        max_length=32,
        description="Further query parameters of the authorization request.",
        json_schema_extra=schema(
            Rule(
                f"self.all(k, !(k in {_AUTHORIZATION_WRITTEN}))",
                "sets a parameter that Headgate writes itself; remove it and use the profile's own field",
            )
        ),
    )
    extra_token_parameters: dict[str, Annotated[str, Field(max_length=2048)]] = Field(
        default_factory=dict,
        max_length=32,
        description="Further parameters of every request to the token endpoint; never a credential.",
        json_schema_extra=schema(
            Rule(
                f"self.all(k, !(k in {_EXCHANGE_WRITTEN}))",
                "sets a parameter that Headgate writes itself; remove it and use the profile's own field",
            )
        ),
    )
    send_state: bool = Field(
        default=False, description="Repeat state when a code is exchanged, for vendors that ask for it."
    )
    use_pkce: bool = Field(
        default=True, alias="usePKCE", description="Prove possession of the code by S256 (RFC 7636)."
    )
    access_token_lifetime: Duration | None = Field(
        default=None, description="Taken for an access token's lifetime where the token endpoint names none."
    )
    tls: TLS | None = Field(default=None, description="TLS towards these endpoints.")


__all__ = ["OAuthProfile"]
