"""Makes certificates: the operator's authority, and leaves signed by it. Pure but for the keys, which are random.

ECDSA P-256 throughout, in the form that strict verifiers want (RFC 5280: key identifiers, key usages, basic constraints).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from headgate_api import names
from headgate_api.secret import Secret
from headgate_runtime.certificates import Pair

_SKEW: Final = timedelta(minutes=5)
"""A certificate is valid from a little earlier, for machines whose clocks lag."""
_LONGEST_COMMON_NAME: Final = 64


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate that signs others (PEM), and its key (PEM)."""

    certificate: str
    key: Secret


def proxy_names(fleet: str, namespace: str) -> tuple[str, ...]:
    """Return the DNS names of a fleet's listener: its Service, in every form that resolves in the cluster."""
    return _service_names(names.proxy_name(fleet), namespace)


def broker_names(namespace: str) -> tuple[str, ...]:
    """Return the DNS names of the broker."""
    return _service_names(names.BROKER_SERVICE, namespace)


def make_authority(namespace: str, now: datetime, lifetime: timedelta) -> Authority:
    """Return a new authority for the operator of a namespace."""
    key = ec.generate_private_key(ec.SECP256R1())
    # Two authorities of one operator must not share a name: a verifier would try the wrong key.
    name = _name(f"headgate {namespace} {now:%Y%m%dT%H%M%SZ} {x509.random_serial_number() % 0xFFFF:04x}")
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = _builder(name, name, key, now, now + lifetime)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(usage, critical=True).add_extension(identifier, critical=False)
    aki = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
    certificate = builder.add_extension(aki, critical=False).sign(key, hashes.SHA256())
    return Authority(certificate.public_bytes(Encoding.PEM).decode(), _pem(key))


def issue(authority: Authority, dns_names: tuple[str, ...], now: datetime, lifetime: timedelta) -> Pair:
    """Return a server certificate for ``dns_names``, with a new key; it does not outlive its authority.

    Raises ValueError when the authority cannot be read.
    """
    issuer = x509.load_pem_x509_certificate(authority.certificate.encode())
    signer = load_pem_private_key(authority.key.reveal().encode(), None)
    if not isinstance(signer, ec.EllipticCurvePrivateKey):
        raise ValueError("the authority's key is no elliptic-curve key")
    key = ec.generate_private_key(ec.SECP256R1())
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = _builder(_name(dns_names[0]), issuer.subject, key, now, min(now + lifetime, issuer.not_valid_after_utc))
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(usage, critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    builder = builder.add_extension(
        x509.SubjectAlternativeName([x509.DNSName(name) for name in dns_names]), critical=False
    )
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    aki = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
    certificate = builder.add_extension(aki, critical=False).sign(signer, hashes.SHA256())
    return Pair(certificate.public_bytes(Encoding.PEM).decode(), _pem(key))


def _service_names(service: str, namespace: str) -> tuple[str, ...]:
    return (
        f"{service}.{namespace}.svc",
        service,
        f"{service}.{namespace}",
        f"{service}.{namespace}.svc.cluster.local",
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, not_after: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(not_after)
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common[:_LONGEST_COMMON_NAME])])


def _pem(key: ec.EllipticCurvePrivateKey) -> Secret:
    return Secret(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())
