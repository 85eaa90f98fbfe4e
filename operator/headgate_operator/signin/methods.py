"""Which ways to sign in an account's OAuth profile offers, and which of them is taken: pure."""

from typing import Final
from urllib.parse import urlsplit

from headgate_api.origins import origin_of
from headgate_api.resources import OAuthProfile
from headgate_api.signin import CALLBACK_PATH, START_PATH, Method


class NotOffered(Exception):  # noqa: N818 - a state of the spec
    """The profile does not offer that method; the message names the fields to add."""


_NEEDS: Final[dict[Method, str]] = {
    "Browser": f"spec.oauth.authorizationEndpoint, and a redirectURI that leads to the broker's {CALLBACK_PATH}",
    "Paste": "spec.oauth.authorizationEndpoint and redirectURI",
    "DeviceCode": "spec.oauth.deviceAuthorizationEndpoint",
}


def offered(profile: OAuthProfile) -> tuple[Method, ...]:
    """Return the methods that the profile has the endpoints for, best first."""
    found: list[Method] = []
    if profile.authorization_endpoint is not None and profile.redirect_uri is not None:
        found += ["Browser", "Paste"] if leads_here(profile) else ["Paste"]
    if profile.device_authorization_endpoint is not None:
        found.append("DeviceCode")
    return tuple(found)


def chosen(profile: OAuthProfile, wanted: Method | None) -> Method:
    """Return the method to sign in by. Raises NotOffered."""
    methods = offered(profile)
    if wanted is None and methods:
        return methods[0]
    if wanted is not None and wanted in methods:
        return wanted
    if wanted is None:
        raise NotOffered(f"spec.oauth offers no way to sign in; add {_NEEDS['Paste']}, or {_NEEDS['DeviceCode']}")
    instead = f", or sign in by {' or '.join(methods)}" if methods else ""
    raise NotOffered(f"spec.oauth does not offer {wanted}; add {_NEEDS[wanted]}{instead}")


def leads_here(profile: OAuthProfile) -> bool:
    """Tell whether the vendor sends browsers back to the broker: by the path, on an origin that is not the vendor's own."""
    parts = urlsplit(profile.redirect_uri or "")
    if parts.scheme != "https" or parts.path != CALLBACK_PATH:
        return False
    vendor = {_origin(url) for url in (profile.authorization_endpoint, profile.token_endpoint) if url is not None}
    return _origin(profile.redirect_uri or "") not in vendor


def start_url(profile: OAuthProfile) -> str:
    """Return the page of the broker where a browser begins. Raises ValueError for a profile without redirect URI."""
    return origin_of(profile.redirect_uri or "") + START_PATH


def _origin(url: str) -> str | None:
    try:
        return origin_of(url)
    except ValueError:
        return None
