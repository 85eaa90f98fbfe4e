"""How authorities and leaves stand in Secrets: pure translation, both ways.

The authority's keys are ``tls.*`` (signs now), ``next.*`` (comes next), ``former.crt`` and ``rotation.json``.
"""

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding

from headgate_api import names
from headgate_api.secret import Secret
from headgate_operator.pki.issue import Authority
from headgate_operator.pki.plan import Authorities, Found, Trusted
from headgate_runtime.certificates import (
    AUTHORITY_KEY,
    CERTIFICATE_KEY,
    PRIVATE_KEY,
    BadCertificate,
    Leaf,
    Pair,
    check,
    read_certificates,
)
from headgate_runtime.kube import Object

ANNOTATION_ROTATE: Final = f"{names.GROUP}/rotate"
"""On the authority's Secret: any word; a new one has the authority replaced."""
_NEXT_CERTIFICATE: Final = "next.crt"
_NEXT_KEY: Final = "next.key"
_FORMER: Final = "former.crt"
_ROTATION: Final = "rotation.json"


@dataclass(frozen=True, slots=True)
class Kept:
    """The authorities with their keys, by the certificate (PEM); ``body`` is their Secret as it was read."""

    state: Authorities = field(default_factory=Authorities)
    keys: Mapping[str, Secret] = field(default_factory=dict)
    body: Object | None = None
    problem: str | None = None
    """What of the Secret could not be used, if anything."""

    def authority(self, trusted: Trusted) -> Authority:
        """Return one that can sign."""
        return Authority(trusted.pem, self.keys[trusted.pem])

    def holding(self, authority: Authority) -> tuple["Kept", Trusted]:
        """Return this with one more that can sign."""
        made = trusted(authority.certificate)
        return replace(self, keys={**self.keys, made.pem: authority.key}), made


def trusted(pem: str) -> Trusted:
    """Return a certificate (PEM) with its time. Raises BadCertificate."""
    return _trusted(read_certificates(pem)[0])


def kept_in(body: Object | None) -> Kept:
    """Return what the authority's Secret holds. What cannot be read counts as absent, and is told in ``problem``."""
    if body is None:
        return Kept()
    keys: dict[str, Secret] = {}
    lost: list[Trusted] = []
    problems: list[str] = []

    def one(certificate: str, key: str) -> Trusted | None:
        chain, secret = text(body, certificate), text(body, key)
        if not chain and not secret:
            return None
        try:
            found = trusted(chain)
        except BadCertificate as bad:
            problems.append(f"{certificate}: {bad}")
            return None
        try:
            check(Pair(found.pem, Secret(secret)), found.not_before)
        except BadCertificate as bad:
            problems.append(f"{key}: {bad}")
            lost.append(found)
            return None
        keys[found.pem] = Secret(secret)
        return found

    current, coming = one(CERTIFICATE_KEY, PRIVATE_KEY), one(_NEXT_CERTIFICATE, _NEXT_KEY)
    former = [*lost, *certificates_in(text(body, _FORMER))]
    rotation = _rotation(text(body, _ROTATION))
    state = Authorities(
        current,
        coming,
        tuple(former),
        announced=_moment(rotation.get("announced")) if coming else None,
        moved=_moment(rotation.get("moved")),
        requested=(body["metadata"].get("annotations") or {}).get(ANNOTATION_ROTATE),
        answered=rotation.get("answered"),
    )
    return Kept(state, keys, body, "; ".join(problems) or None)


def authority_data(kept: Kept, bundle: str) -> dict[str, str]:
    """Return the data of the authority's Secret (base64)."""
    state = kept.state
    rotation = {
        "announced": state.announced and state.announced.isoformat(),
        "moved": state.moved and state.moved.isoformat(),
        "answered": state.answered,
    }
    data = {AUTHORITY_KEY: bundle, _ROTATION: json.dumps(rotation, sort_keys=True)}
    for one, certificate, key in (
        (state.current, CERTIFICATE_KEY, PRIVATE_KEY),
        (state.coming, _NEXT_CERTIFICATE, _NEXT_KEY),
    ):
        if one is not None:
            data |= {certificate: one.pem, key: kept.keys[one.pem].reveal()}
    if state.former:
        data[_FORMER] = "".join(one.pem for one in state.former)
    return encoded(data)


def leaf_data(pair: Pair, bundle: str) -> dict[str, str]:
    """Return the data of a leaf's Secret (base64)."""
    return encoded({CERTIFICATE_KEY: pair.chain, PRIVATE_KEY: pair.key.reveal(), AUTHORITY_KEY: bundle})


def pair_in(body: Object) -> Pair:
    """Return the pair in a Secret. Raises BadCertificate that names the missing key."""
    for key in (CERTIFICATE_KEY, PRIVATE_KEY):
        if not text(body, key):
            raise BadCertificate(key, "is missing", "make it a Secret of type kubernetes.io/tls")
    return Pair(text(body, CERTIFICATE_KEY), Secret(text(body, PRIVATE_KEY)))


def found_in(body: Object | None, authorities: Authorities, now: datetime) -> Found | None:
    """Return the certificate in a leaf's Secret, or None where there is none that could be served with."""
    if body is None:
        return None
    try:
        leaf = check(pair_in(body), now)
    except BadCertificate:
        return None
    known = [one for one in (authorities.current, authorities.coming, *authorities.former) if one is not None]
    return Found(leaf.not_before, leaf.not_after, leaf.dns_names, _issuer(leaf, known), text(body, AUTHORITY_KEY))


def certificates_in(pem: str) -> list[Trusted]:
    """Return the certificates of a bundle; none where it cannot be read."""
    try:
        return [_trusted(one) for one in read_certificates(pem)]
    except BadCertificate:
        return []


def text(body: Object, key: str) -> str:
    """Return the value of a Secret's key as text; empty where it is missing or no ASCII."""
    try:
        return base64.b64decode((body.get("data") or {}).get(key) or "").decode("ascii")
    except ValueError:
        return ""


def encoded(data: Mapping[str, str]) -> dict[str, str]:
    """Return data as a Secret or ConfigMap's binaryData holds it."""
    return {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}


def ours(body: Object | None) -> bool:
    """Tell whether the operator may write the Secret: it does not exist, or the operator made it."""
    labels: Mapping[str, Any] = ((body or {}).get("metadata") or {}).get("labels") or {}
    return body is None or labels.get(names.LABEL_MANAGED_BY) == names.FIELD_MANAGER


def _issuer(leaf: Leaf, known: Iterable[Trusted]) -> str | None:
    for one in known:
        try:
            leaf.certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(one.pem.encode()))
        except (ValueError, TypeError, InvalidSignature):
            continue
        return one.pem
    return None


def _trusted(certificate: x509.Certificate) -> Trusted:
    pem = certificate.public_bytes(Encoding.PEM).decode()
    return Trusted(pem, certificate.not_valid_before_utc, certificate.not_valid_after_utc)


def _rotation(written: str) -> dict[str, Any]:
    try:
        read = json.loads(written or "{}")
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


def _moment(value: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
