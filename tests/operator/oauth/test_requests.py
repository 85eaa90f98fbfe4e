"""What Headgate sends to an authorization server, and what it accepts back from a person's browser."""

import base64
import hashlib
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate_api.secret import Secret
from headgate_operator.oauth import requests
from headgate_operator.oauth.authorization import BadCode, Began, authorization_url, begin, challenge, returned
from headgate_operator.oauth.requests import Client, OAuthRequest

from .profiles import CLIENT_ID, profile

BROWSER = {"authorizationEndpoint": "https://vendor.example/authorize", "redirectURI": "https://vendor.example/code"}
TOKEN = Secret("not-real-refresh")


def form(request: OAuthRequest) -> dict[str, str]:
    return {name: value for name, (value,) in parse_qs(request.body.reveal()).items()}


def test_pkce_is_the_standards() -> None:
    # RFC 7636, appendix B
    assert (
        challenge(Secret("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"))
        == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    )


def test_the_person_is_sent_to_the_vendor_with_everything_it_asks() -> None:
    chosen = profile(**BROWSER, scopes=["a", "b"], extraAuthorizationParameters={"code": "true"})
    began = begin(chosen)
    url = urlsplit(authorization_url(chosen, began))
    query = {name: value for name, (value,) in parse_qs(url.query).items()}
    assert began.verifier is not None
    digest = hashlib.sha256(began.verifier.reveal().encode()).digest()
    assert query == {
        "code": "true",
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": "https://vendor.example/code",
        "state": began.state.reveal(),
        "scope": "a b",
        "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
        "code_challenge_method": "S256",
    }
    assert began.verifier.reveal() not in url.query
    assert begin(chosen).state.reveal() != began.state.reveal()


@pytest.mark.parametrize(
    "pasted",
    ["the-code#the-state", "  the-code#the-state\n", "http://localhost:1/callback?code=the-code&state=the-state"],
)
def test_a_person_may_paste_the_code_or_the_address(pasted: str) -> None:
    assert returned(pasted, Began(Secret("the-state"), None)).reveal() == "the-code"


@pytest.mark.parametrize(
    ("pasted", "says"),
    [
        ("", "of the form code#state"),
        ("the-code", "the part after # is missing"),
        ("the-code#another-state", "belongs to another sign-in"),
        ("#the-state", "that is no code"),
        ("http://localhost/?error=access_denied&state=the-state", "was declined"),
        ("http://localhost/?code=c&state=ünlike", "belongs to another sign-in"),
        ("x" * 5000, "that is no code"),
    ],
)
def test_what_is_no_code_of_this_sign_in_is_refused(pasted: str, says: str) -> None:
    with pytest.raises(BadCode, match=says) as refused:
        returned(pasted, Began(Secret("the-state"), None))
    assert "the-state" not in str(refused.value)


@given(st.text())
def test_no_paste_breaks_the_reading(text: str) -> None:
    with pytest.raises(BadCode):
        returned(text, Began(Secret("a-state-nobody-guesses"), None))


def test_a_code_is_redeemed_in_the_profiles_encoding_with_state_where_asked() -> None:
    chosen = profile(**BROWSER, tokenEncoding="JSON", sendState=True, extraTokenParameters={"audience": "api"})
    sent = requests.redeem_code(Client(chosen), Secret("the-code"), Began(Secret("the-state"), Secret("the-verifier")))
    assert sent.headers["content-type"].reveal() == "application/json"
    assert json.loads(sent.body.reveal()) == {
        "grant_type": "authorization_code",
        "code": "the-code",
        "redirect_uri": "https://vendor.example/code",
        "code_verifier": "the-verifier",
        "state": "the-state",
        "client_id": CLIENT_ID,
        "audience": "api",
    }
    plain = requests.redeem_code(Client(profile(**BROWSER)), Secret("c"), Began(Secret("s"), Secret("v")))
    assert "state" not in form(plain)


def test_a_refresh_sends_the_token_and_shows_it_nowhere() -> None:
    sent = requests.refresh(Client(profile(), Secret("client secret&")), TOKEN)
    assert form(sent) == {
        "grant_type": "refresh_token",
        "refresh_token": "not-real-refresh",
        "client_id": CLIENT_ID,
        "client_secret": "client secret&",
    }
    assert sent.origin == "https://auth.vendor.example"
    assert "not-real" not in repr(sent) and "client secret" not in repr(sent)


def test_basic_encodes_both_halves_and_leaves_the_body_without_them() -> None:
    chosen = profile(clientAuthentication="Basic", clientId="a:b")
    sent = requests.refresh(Client(chosen, Secret("p c")), TOKEN)
    scheme, encoded = sent.headers["authorization"].reveal().split()
    assert (scheme, base64.b64decode(encoded).decode()) == ("Basic", "a%3Ab:p+c")
    assert form(sent).keys() == {"grant_type", "refresh_token"}


def test_device_code_and_revocation_are_forms_of_their_standards() -> None:
    base = "https://auth.vendor.example"
    chosen = profile(
        base,
        deviceAuthorizationEndpoint=f"{base}/device",
        revocationEndpoint=f"{base}/revoke",
        tokenEncoding="JSON",
        scopes=["a"],
    )
    asked = requests.ask_device(Client(chosen))
    assert (asked.url, form(asked)) == (f"{base}/device", {"scope": "a", "client_id": CLIENT_ID})
    polled = requests.redeem_device(Client(chosen), Secret("d"))
    assert json.loads(polled.body.reveal())["grant_type"] == "urn:ietf:params:oauth:grant-type:device_code"
    revoked = requests.revoke(Client(chosen), TOKEN)
    assert form(revoked) == {"token": "not-real-refresh", "token_type_hint": "refresh_token", "client_id": CLIENT_ID}


@pytest.mark.parametrize(
    "ask",
    [
        requests.ask_device,
        lambda client: requests.revoke(client, TOKEN),
        lambda client: authorization_url(client.profile, begin(client.profile)),
    ],
)
def test_what_a_profile_does_not_offer_is_said(ask: Any) -> None:
    with pytest.raises(ValueError, match=r"spec\.oauth has no"):
        ask(Client(profile()))
