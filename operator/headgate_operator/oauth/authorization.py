"""The browser's half of sign-in by authorization code: PKCE, where to send the person, and what they bring back."""

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from headgate_api.resources import OAuthProfile
from headgate_api.secret import Secret

_BYTES: Final = 32
_LONGEST: Final = 4096
_CODE: Final = re.compile(r"[\x21-\x7e]+")


class BadCode(ValueError):  # noqa: N818 - what a person pasted
    """What a person brought back cannot be used; the message says what to do, and never quotes it."""


@dataclass(frozen=True, slots=True)
class Began:
    """What must be kept until the person comes back: both prove that it is the same sign-in."""

    state: Secret
    verifier: Secret | None


def begin(profile: OAuthProfile) -> Began:
    """Return fresh random state and, with PKCE, a fresh verifier (RFC 7636, section 4.1: 32 bytes, base64url)."""
    verifier = Secret(secrets.token_urlsafe(_BYTES)) if profile.use_pkce else None
    return Began(Secret(secrets.token_urlsafe(_BYTES)), verifier)


def challenge(verifier: Secret) -> str:
    """Return the S256 challenge of a verifier (RFC 7636, section 4.2)."""
    digest = hashlib.sha256(verifier.reveal().encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def authorization_url(profile: OAuthProfile, began: Began) -> str:
    """Return where the person signs in. Raises ValueError for a profile without authorization endpoint."""
    if profile.authorization_endpoint is None or profile.redirect_uri is None:
        raise ValueError("spec.oauth has no authorizationEndpoint and redirectURI; sign in by device code, or add them")
    query = {
        **profile.extra_authorization_parameters,
        "response_type": "code",
        "client_id": profile.client_id,
        "redirect_uri": profile.redirect_uri,
        "state": began.state.reveal(),
    }
    if profile.scopes:
        query["scope"] = " ".join(profile.scopes)
    if began.verifier is not None:
        query |= {"code_challenge": challenge(began.verifier), "code_challenge_method": "S256"}
    endpoint = profile.authorization_endpoint
    return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(query)}"


def returned(pasted: str, began: Began) -> Secret:
    """Return the code from what a person pasted: ``code#state``, or the address their browser was sent to.

    Raises BadCode when it is neither, or belongs to another sign-in. States are compared in constant time.
    """
    text = pasted.strip()
    if not text or len(text) > _LONGEST:
        raise BadCode("that is no code; paste the whole code that the vendor's page shows, of the form code#state")
    if "://" in text:
        query = dict(parse_qsl(urlsplit(text).query))
        if "error" in query:
            raise BadCode("the vendor refused the sign-in, or it was declined; begin again")
        code, state = query.get("code", ""), query.get("state", "")
    else:
        code, _, state = text.partition("#")
    if not state:
        raise BadCode(
            "the part after # is missing; paste the whole code that the vendor's page shows, of the form code#state"
        )
    if not hmac.compare_digest(state.encode(), began.state.reveal().encode()):
        raise BadCode(
            "this code belongs to another sign-in; begin again, and paste the code of the page that opens then"
        )
    if not _CODE.fullmatch(code):
        raise BadCode("that is no code; paste the whole code that the vendor's page shows, of the form code#state")
    return Secret(code)
