"""The cluster's ServiceAccount signing keys (RFC 7517), each with the one algorithm it may be used with.

The algorithm comes from the key, never from the token: that is what makes ``alg: none`` and HMAC with a public key as its
secret impossible (RFC 8725, section 3.1).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Self

import jwt

_BY_CURVE: Final = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}
_BY_TYPE: Final = {"RSA": frozenset({"RS256"}), "EC": frozenset(_BY_CURVE.values())}


@dataclass(frozen=True, slots=True)
class KeySet:
    """Verification keys by key id."""

    keys: Mapping[str, jwt.PyJWK]

    @classmethod
    def build(cls, jwks: Mapping[str, Any]) -> Self:
        """Read a JWK set; keys of other kinds, for encryption, or without a ``kid`` are passed over."""
        found: dict[str, jwt.PyJWK] = {}
        for entry in jwks.get("keys", ()):
            algorithm = _algorithm(entry)
            kid = entry.get("kid")
            if algorithm is None or not isinstance(kid, str):
                continue
            try:
                found[kid] = jwt.PyJWK(dict(entry), algorithm=algorithm)
            except (jwt.PyJWTError, ValueError, KeyError, TypeError):
                continue  # one unusable key must not take the others with it
        return cls(MappingProxyType(found))


def _algorithm(entry: Mapping[str, Any]) -> str | None:
    if entry.get("use", "sig") != "sig":
        return None
    natural = "RS256" if entry.get("kty") == "RSA" else _BY_CURVE.get(str(entry.get("crv")))
    stated = entry.get("alg", natural)
    return natural if stated == natural and natural in _BY_TYPE.get(str(entry.get("kty")), ()) else None
