"""A workload's JWT, verified as the vendor verifies it: signature by the issuer's JWKS, times, size, and used once only."""

import hashlib
import json
import ssl
import urllib.request
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import jwt

_ALGORITHMS: Final = ["ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
_LARGEST: Final = 16 * 1024
_LEEWAY: Final = timedelta(seconds=30)
_LONGEST: Final = timedelta(hours=1)
_FETCH_SECONDS: Final = 10.0


@dataclass(eq=False)
class Denied(Exception):  # noqa: N818 - an answer, not a defect
    """The vendor denies the exchange; ``reason`` is the word of its authentication history."""

    reason: str
    description: str


@dataclass(frozen=True)
class Assertion:
    """The verified claims that rules look at; ``once`` is what makes this assertion unlike any other of its issuer."""

    issuer: str
    subject: str
    audiences: tuple[str, ...]
    expires: datetime
    once: str


@dataclass(frozen=True)
class JwksUrl:
    """Where an issuer serves its keys: fetched when first needed and when a key is unknown, trusting ``ca_pem`` if given."""

    url: str
    ca_pem: str | None = None
    bearer: str | None = field(default=None, repr=False)

    def fetch(self) -> dict[str, Any]:
        """Return the JWKS; OSError or ValueError when there is none. It blocks, so never point it at the emulator itself."""
        headers = {"authorization": f"Bearer {self.bearer}"} if self.bearer else {}
        request = urllib.request.Request(self.url, headers=headers)  # noqa: S310 - a test's own address
        context = ssl.create_default_context(cadata=self.ca_pem) if self.url.startswith("https:") else None
        with urllib.request.urlopen(request, timeout=_FETCH_SECONDS, context=context) as answer:  # noqa: S310
            found: dict[str, Any] = json.load(answer)
            return found


class Assertions:
    """The ``issuers`` a vendor trusts (issuer URL to JWKS), and every assertion that was exchanged."""

    def __init__(
        self,
        issuers: dict[str, dict[str, Any] | JwksUrl] | None = None,
    ) -> None:
        self.issuers: dict[str, dict[str, Any] | JwksUrl] = dict(issuers or {})
        self._fetched: dict[str, dict[str, Any]] = {}
        self._used: set[tuple[str, str]] = set()

    def verify(self, token: str, issuer: str, now: datetime) -> Assertion:
        """Return what ``token`` asserts at ``now``. Raises Denied unless ``issuer`` has signed it and it holds now."""
        if len(token.encode()) > _LARGEST:
            raise Denied("assertion_too_large", "the assertion has more than 16 KiB")
        try:
            header = jwt.get_unverified_header(token)
            claims = jwt.decode(token, options={"verify_signature": False})
        except jwt.InvalidTokenError:
            raise Denied("assertion_malformed", "the assertion is no JWT") from None
        if claims.get("iss") != issuer or issuer not in self.issuers:
            raise Denied("issuer_mismatch", f"issuer {claims.get('iss')!r} is unknown to the federation rule")
        self._check_signature(token, header, issuer)
        assertion = _read(token, issuer, claims)
        self._check_times(claims, now)
        return assertion

    def use(self, assertion: Assertion) -> None:
        """Mark ``assertion`` as exchanged. Raises Denied when it was before."""
        key = (assertion.issuer, assertion.once)
        if key in self._used:
            raise Denied("jti_reused", "the assertion was reused: each may be exchanged once")
        self._used.add(key)

    def _check_signature(self, token: str, header: dict[str, Any], issuer: str) -> None:
        if header.get("alg") not in _ALGORITHMS:
            raise Denied("signature", f"the assertion's algorithm {header.get('alg')!r} is not accepted")
        key = self._key(issuer, header.get("kid"))
        if key is None:
            raise Denied("signature", "the assertion is signed with a key that is not in the issuer's JWKS")
        try:
            jwt.PyJWS().decode(token, key.key, algorithms=[str(header["alg"])])
        except (jwt.InvalidTokenError, TypeError):
            raise Denied("signature", "the assertion's signature does not match the issuer's JWKS") from None

    def _key(self, issuer: str, kid: object) -> jwt.PyJWK | None:
        source = self.issuers[issuer]
        if not isinstance(source, JwksUrl):
            return _find(source, kid)
        if (found := _find(self._fetched.get(issuer, {"keys": []}), kid)) is not None:
            return found
        try:
            self._fetched[issuer] = source.fetch()
        except (OSError, ValueError):
            raise Denied("jwks_unavailable", "the issuer's JWKS cannot be fetched") from None
        return _find(self._fetched[issuer], kid)

    def _check_times(self, claims: dict[str, Any], now: datetime) -> None:
        issued, expires = _moment(claims, "iat"), _moment(claims, "exp")
        if now >= expires + _LEEWAY:
            raise Denied("assertion_expired", "the assertion has expired")
        if issued > now + _LEEWAY or ("nbf" in claims and _moment(claims, "nbf") > now + _LEEWAY):
            raise Denied("assertion_not_yet_valid", "the assertion is not valid yet")
        if expires - issued > _LONGEST:
            raise Denied("assertion_too_long", "the assertion lives longer than the issuer may let it")


def _read(token: str, issuer: str, claims: dict[str, Any]) -> Assertion:
    audience = claims.get("aud", ())
    if not isinstance(claims.get("sub"), str):
        raise Denied("assertion_malformed", "the assertion has no sub")
    return Assertion(
        issuer=issuer,
        subject=claims["sub"],
        audiences=(audience,) if isinstance(audience, str) else tuple(audience),
        expires=_moment(claims, "exp"),
        once=str(claims.get("jti") or hashlib.sha256(token.encode()).hexdigest()),
    )


def _moment(claims: dict[str, Any], name: str) -> datetime:
    value = claims.get(name)
    if not isinstance(value, int | float):
        raise Denied("assertion_malformed", f"the assertion has no {name}")
    return datetime.fromtimestamp(value, UTC)


def _find(jwks: dict[str, Any], kid: object) -> jwt.PyJWK | None:
    """Return the key called ``kid``; a token without one is refused, as the vendor does."""
    for key in jwks.get("keys", []):
        if kid is not None and key.get("kid") == kid:
            return jwt.PyJWK.from_dict(key)
    return None
