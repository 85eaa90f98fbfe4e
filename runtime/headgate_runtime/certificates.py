"""What stands in a certificate, read before anything is served with it: a bad one is refused with the reason and the mend.

Both planes serve TLS with a pair they did not make themselves; what they ask of it is the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from headgate_api.clock import rfc3339
from headgate_api.secret import Secret

CERTIFICATE_KEY = "tls.crt"
PRIVATE_KEY = "tls.key"
AUTHORITY_KEY = "ca.crt"
"""The keys of a Secret of type kubernetes.io/tls, and the one that cert-manager adds."""


class BadCertificate(ValueError):  # noqa: N818 - reads as what it is
    """A certificate, chain or key that cannot be used; ``key`` is the Secret's key (or file) at fault."""

    def __init__(self, key: str, problem: str, mend: str) -> None:
        super().__init__(f"{key} {problem}; {mend}")
        self.key = key


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate chain (PEM, leaf first) and the leaf's private key (PEM)."""

    chain: str
    key: Secret


@dataclass(frozen=True, slots=True)
class Leaf:
    """What matters of the first certificate of a chain."""

    not_before: datetime
    not_after: datetime
    dns_names: frozenset[str]
    certificate: x509.Certificate


def read_certificates(pem: str, key: str = CERTIFICATE_KEY) -> Sequence[x509.Certificate]:
    """Return the certificates of a PEM text. Raises BadCertificate when there is none or one is damaged."""
    try:
        return x509.load_pem_x509_certificates(pem.encode())
    except ValueError as error:
        raise BadCertificate(key, f"holds no readable PEM certificate ({error})", "put the chain there, PEM") from None


def read_leaf(chain: str) -> Leaf:
    """Return what the first certificate of ``chain`` says. Raises BadCertificate."""
    leaf = read_certificates(chain)[0]
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        dns_names = frozenset(name.lower() for name in names.get_values_for_type(x509.DNSName))
    except (x509.ExtensionNotFound, ValueError):
        dns_names = frozenset()
    return Leaf(leaf.not_valid_before_utc, leaf.not_valid_after_utc, dns_names, leaf)


def check(pair: Pair, now: datetime, dns_name: str | None = None) -> Leaf:
    """Return the leaf of a pair that can be served with at ``now``.

    Raises BadCertificate when certificate or key cannot be read, do not belong together, the time is not the certificate's,
    or it does not carry ``dns_name``.
    """
    leaf = read_leaf(pair.chain)
    try:
        key = load_pem_private_key(pair.key.reveal().encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # what the library says of it may quote it
        raise BadCertificate(PRIVATE_KEY, "is no readable PEM private key", "put the unencrypted key there") from None
    if _public(key.public_key()) != _public(leaf.certificate.public_key()):
        raise BadCertificate(PRIVATE_KEY, f"does not belong to {CERTIFICATE_KEY}", "put both there together")
    if now >= leaf.not_after:
        raise BadCertificate(CERTIFICATE_KEY, f"expired at {rfc3339(leaf.not_after)}", "renew it")
    if now < leaf.not_before:
        raise BadCertificate(
            CERTIFICATE_KEY, f"is not valid before {rfc3339(leaf.not_before)}", "wait, or see the clocks"
        )
    if dns_name is not None and not carries(leaf.dns_names, dns_name):
        raise BadCertificate(
            CERTIFICATE_KEY,
            f"does not carry the DNS name {dns_name} (it carries {', '.join(sorted(leaf.dns_names)) or 'none'})",
            "issue it for that name as well (cert-manager: spec.dnsNames)",
        )
    return leaf


def carries(dns_names: frozenset[str], wanted: str) -> bool:
    """Tell whether a certificate's names cover ``wanted``; a wildcard stands for one label, as TLS clients have it."""
    first, _, rest = wanted.lower().partition(".")
    return wanted.lower() in dns_names or (bool(first) and f"*.{rest}" in dns_names)


def _public(key: object) -> bytes:
    encoded: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined]
    return encoded
