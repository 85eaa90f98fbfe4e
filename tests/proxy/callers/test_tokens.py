"""Tokens that let a caller in, and every way of forging, stretching or reusing one that does not."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from multidict import CIMultiDict

from headgate_api.clock import ManualClock
from headgate_api.snapshot import FleetSettings
from headgate_proxy.callers.authenticator import Authenticator
from headgate_proxy.callers.caller import Caller
from headgate_proxy.refusal import Refusal

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
ISSUER = "https://kubernetes.default.svc"
KEY = rsa.generate_private_key(65537, 2048)
OTHER = rsa.generate_private_key(65537, 2048)
CURVE = ec.generate_private_key(ec.SECP256R1())
BOUND = {
    "namespace": "team-a",
    "serviceaccount": {"name": "agent", "uid": "u1"},
    "pod": {"name": "agent-0", "uid": "p"},
}


def jwk(key: Any, kid: str) -> dict[str, Any]:
    kind = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
    return {**kind.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig"}


def fleet(*keys: dict[str, Any], **more: Any) -> FleetSettings:
    return FleetSettings.model_validate(
        {
            "allowedNamespaces": ["team-a"],
            "allowances": {},
            "callerTokens": {"maxLifetimeSeconds": 7200},
            "limits": {},
            "issuer": ISSUER,
            "jwks": {"keys": list(keys) or [jwk(KEY, "k1"), jwk(CURVE, "k2")]},
        }
        | more
    )


def claims(**more: Any) -> dict[str, Any]:
    return {
        "iss": ISSUER,
        "aud": ["headgate"],
        "iat": SECONDS,
        "nbf": SECONDS,
        "exp": SECONDS + 3600,
        "kubernetes.io": BOUND,
    } | more


def token(key: Any = KEY, algorithm: str = "RS256", kid: str = "k1", **more: Any) -> str:
    body = {name: value for name, value in claims(**more).items() if value is not None}
    return jwt.encode(body, key, algorithm=algorithm, headers={"kid": kid})


def raw(header: dict[str, Any], body: dict[str, Any], signature: bytes = b"") -> str:
    parts = [json.dumps(part).encode() for part in (header, body)]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (*parts, signature))


def ask(value: str, settings: FleetSettings | None = None, header: str = "authorization") -> Caller | Refusal:
    shown = f"Bearer {value}" if header == "authorization" else value
    return Authenticator(ManualClock(NOW)).authenticate(CIMultiDict({header: shown}), settings or fleet())


@pytest.mark.parametrize("header", ["authorization", "x-api-key"])
def test_a_bound_token_names_its_caller(header: str) -> None:
    assert ask(token(), header=header) == Caller("team-a", "agent", "u1", "agent-0", "p")


def test_elliptic_keys_work_too() -> None:
    assert isinstance(ask(token(CURVE, "ES256", "k2")), Caller)


def hmac_with_the_public_key() -> str:
    secret = KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    unsigned = raw({"alg": "HS256", "typ": "JWT", "kid": "k1"}, claims()).rpartition(".")[0]
    signature = hmac.new(secret, unsigned.encode(), hashlib.sha256).digest()
    return f"{unsigned}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def with_another_payload() -> str:
    header, _, signature = token().split(".")
    return f"{header}.{raw({}, claims(exp=SECONDS + 7000)).split('.')[1]}.{signature}"


FORGED = {
    "not a token": "sk-fake-not-a-token",
    "alg none": raw({"alg": "none", "kid": "k1"}, claims()),
    "HMAC with the public key": hmac_with_the_public_key(),
    "another key under a known kid": token(OTHER),
    "unknown kid": token(kid="k9"),
    "no kid": jwt.encode(claims(), KEY, algorithm="RS256"),
    "kid of a key of another kind": token(CURVE, "ES256", "k1"),
    "another algorithm of the same key": token(KEY, "PS256"),
    "a key of its own in the header": jwt.encode(
        claims(), OTHER, algorithm="RS256", headers={"kid": "k1", "jwk": jwk(OTHER, "k1")}
    ),
    "altered": with_another_payload(),
    "huge": "e" * 20000,
    "nested without end": base64.urlsafe_b64encode(b"[" * 11000).decode() + ".e30.",
    "not text": "\udcff\udcfe.a.b",
}


@pytest.mark.parametrize("name", FORGED)
def test_forged_tokens_are_refused_without_echo(name: str) -> None:
    refusal = ask(FORGED[name])
    assert isinstance(refusal, Refusal)
    assert refusal.status == 401
    assert FORGED[name] not in refusal.message


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"aud": ["kubernetes"]}, "audience headgate"),
    ({"aud": None}, "audience headgate"),
    ({"iss": "https://elsewhere"}, "another cluster"),
    ({"exp": SECONDS}, "expired"),
    ({"exp": SECONDS + 7201}, "at most 7200 s"),
    ({"iat": None}, "claim iat"),
    ({"exp": None}, "claim exp"),
    ({"nbf": SECONDS + 600}, "not valid yet"),
    ({"iat": SECONDS + 600, "exp": SECONDS + 900}, "not valid yet"),
    ({"kubernetes.io": None}, "kubernetes.io"),
    ({"kubernetes.io": {"namespace": "team-a"}}, "kubernetes.io"),
    ({"kubernetes.io": {"namespace": "", "serviceaccount": {"name": "a", "uid": "u"}}}, "names no ServiceAccount"),
]


@pytest.mark.parametrize(("changed", "says"), WRONG)
def test_claims_that_do_not_fit_are_named_with_the_mend(changed: dict[str, Any], says: str) -> None:
    refusal = ask(token(**changed))
    assert isinstance(refusal, Refusal)
    assert refusal.status == 401
    assert says in refusal.message


def test_a_namespace_the_fleet_does_not_serve_is_forbidden() -> None:
    refusal = ask(token(), fleet(allowedNamespaces=["team-b"]))
    assert isinstance(refusal, Refusal)
    assert (refusal.status, "team-a" in refusal.message) == (403, True)


def test_one_credential_in_two_headers_is_fine_and_two_are_not() -> None:
    verifier = Authenticator(ManualClock(NOW))
    same = CIMultiDict([("x-api-key", token()), ("authorization", f"bearer {token()}")])
    assert isinstance(verifier.authenticate(same, fleet()), Caller)
    unset = CIMultiDict([("x-api-key", ""), ("authorization", f"BEARER  {token()} ")])
    assert isinstance(verifier.authenticate(unset, fleet()), Caller)
    for headers in (
        [("x-api-key", token()), ("authorization", "Bearer other")],
        [("authorization", f"Bearer {token()}"), ("authorization", "Bearer other")],
        [("authorization", "Basic dTpw"), ("x-api-key", token())],
        [],
        [("x-api-key", "")],
    ):
        refusal = verifier.authenticate(CIMultiDict(headers), fleet())
        assert isinstance(refusal, Refusal)
        assert refusal.status == 401


def test_a_verified_token_is_remembered_until_it_expires() -> None:
    clock = ManualClock(NOW)
    verifier, settings = Authenticator(clock), fleet()
    headers = CIMultiDict({"x-api-key": token()})
    assert isinstance(verifier.authenticate(headers, settings), Caller)
    clock.advance(3599)
    assert isinstance(verifier.authenticate(headers, settings), Caller)
    clock.advance(1)
    assert isinstance(verifier.authenticate(headers, settings), Refusal)


def test_a_key_that_was_rotated_out_verifies_nothing_any_more() -> None:
    verifier = Authenticator(ManualClock(NOW))
    headers = CIMultiDict({"x-api-key": token()})
    assert isinstance(verifier.authenticate(headers, fleet()), Caller)
    assert isinstance(verifier.authenticate(headers, fleet(jwk(CURVE, "k2"))), Refusal)


def test_a_damaged_or_symmetric_key_does_not_take_the_others_with_it() -> None:
    keys = [{"kty": "RSA", "kid": "bad"}, {"kty": "oct", "kid": "k3", "k": "c2VjcmV0"}, jwk(KEY, "k1")]
    assert isinstance(ask(token(), fleet(*keys)), Caller)
    assert isinstance(ask(jwt.encode(claims(), b"s" * 32, "HS256", headers={"kid": "k3"}), fleet(*keys)), Refusal)
