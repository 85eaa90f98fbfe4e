"""What a ServiceAccount token must say before its bearer is let in; pure, given keys and time.

Claims as Kubernetes issues them for bound tokens (TokenRequest): ``iss``, ``aud``, ``exp``, ``iat``, ``nbf`` and
``kubernetes.io``. Nothing is asked of the API server, so a deleted account's token passes until it expires.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NoReturn

import jwt

from headgate_proxy.callers.caller import Caller
from headgate_proxy.callers.keys import KeySet

MAX_TOKEN_BYTES: Final = 16 * 1024
_SKEW_SECONDS: Final = 30
"""How far the clocks of API server and proxy may differ for ``nbf`` and ``iat``."""
_UNREADABLE: Final = (jwt.PyJWTError, ValueError, RecursionError)
"""What a hostile token may raise: text that is no UTF-8 and JSON nested without end never reach PyJWT's own checks."""
_ONLY_SIGNATURE: Final[Any] = {
    "verify_signature": True,
    "verify_exp": False,  # times, issuer and audience are judged below: by our clock and with messages that help
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}


class TokenRefusedError(Exception):
    """The token does not let its bearer in; the message says what is wrong and what to write. Never holds the token."""


@dataclass(frozen=True, slots=True)
class Expected:
    """Which tokens are taken: by whom and for whom they were issued, and for how many seconds at most."""

    issuer: str
    audience: str
    longest_seconds: int


@dataclass(frozen=True, slots=True)
class Verified:
    """A caller and the moment (seconds since the epoch) until which the token speaks for it."""

    caller: Caller
    expires: float


def verify(token: str, keys: KeySet, expected: Expected, now: datetime) -> Verified:
    """Return whom ``token`` was issued to. Raises TokenRefusedError."""
    claims = _signed_claims(token, keys, expected.audience)
    seconds = now.timestamp()
    _check_audience(claims, expected)
    expires, issued = _number(claims, "exp"), _number(claims, "iat")
    if expires <= seconds:
        _refuse("the token has expired; read it again from its file before each request, the kubelet renews it there")
    if max(issued, _number(claims, "nbf", issued)) > seconds + _SKEW_SECONDS:
        _refuse("the token is not valid yet; compare the clocks of the API server and this node")
    longest = expected.longest_seconds
    if expires - issued > longest:
        _refuse(
            f"the token was issued for {int(expires - issued)} s, this fleet accepts at most {longest} s; lower "
            "expirationSeconds of the projected volume (kubectl create token --duration)"
        )
    return Verified(_caller(claims), expires)


def _signed_claims(token: str, keys: KeySet, audience: str) -> dict[str, Any]:
    wanted = (
        f"present a Kubernetes ServiceAccount token of audience {audience} as Authorization: Bearer or x-api-key (a projected "
        f"volume with serviceAccountToken.audience: {audience}, or kubectl create token --audience {audience})"
    )
    if len(token) > MAX_TOKEN_BYTES:
        _refuse(f"the credential is larger than any ServiceAccount token; {wanted}")
    try:
        header = jwt.get_unverified_header(token)
    except _UNREADABLE:
        _refuse(f"the credential is not a ServiceAccount token; {wanted}")
    kid = header.get("kid")
    key = keys.keys.get(kid) if isinstance(kid, str) else None
    if key is None:
        _refuse(f"the token is not signed by a key of this cluster; {wanted}")
    if "crit" in header or "b64" in header:
        _refuse(f"the token uses extensions that ServiceAccount tokens do not have; {wanted}")
    try:
        claims: dict[str, Any] = jwt.decode(token, key, algorithms=[key.algorithm_name], options=_ONLY_SIGNATURE)
    except _UNREADABLE:
        _refuse(f"the token's signature is not that of this cluster; {wanted}")
    return claims


def _check_audience(claims: dict[str, Any], expected: Expected) -> None:
    if claims.get("iss") != expected.issuer:
        _refuse(f"the token was issued by another cluster (iss is not {expected.issuer}); use one of this cluster's")
    audiences = claims.get("aud")
    listed = audiences if isinstance(audiences, list) else [audiences]
    wanted = expected.audience
    if wanted not in listed:
        _refuse(
            f"the token is of another audience; this fleet takes audience {wanted}: set serviceAccountToken.audience: {wanted} in "
            f"the projected volume (kubectl create token --audience {wanted})"
        )


def _caller(claims: dict[str, Any]) -> Caller:
    bound = claims.get("kubernetes.io")
    account = bound.get("serviceaccount") if isinstance(bound, dict) else None
    if not isinstance(bound, dict) or not isinstance(account, dict):
        _refuse("the token has no claim kubernetes.io; use a bound token (projected volume or kubectl create token)")
    pod = bound.get("pod")
    values = (bound.get("namespace"), account.get("name"), account.get("uid"))
    namespace, name, uid = (value if isinstance(value, str) else "" for value in values)
    if not (namespace and name and uid):
        _refuse("the token names no ServiceAccount; use a bound token (projected volume or kubectl create token)")
    pod_name, pod_uid = (pod.get("name"), pod.get("uid")) if isinstance(pod, dict) else (None, None)
    return Caller(
        namespace,
        name,
        uid,
        pod_name if isinstance(pod_name, str) else None,
        pod_uid if isinstance(pod_uid, str) else None,
    )


def _number(claims: dict[str, Any], name: str, default: float | None = None) -> float:
    value = claims.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e12 < value < 1e12:
        _refuse(f"the token's claim {name} is missing or no time; use a bound token (kubectl create token)")
    return float(value)


def _refuse(message: str) -> NoReturn:
    raise TokenRefusedError(message)
