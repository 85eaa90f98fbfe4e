"""The cluster's own certificate authority, its server certificate, people's client certificates and the issuer's keys."""

import ipaddress
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from headgate_api.clock import Clock

_LIFETIME = timedelta(days=3650)
_SERVER_NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")


class ClusterPKI:
    """Key material below ``folder``: made once, files of mode 0600.

    The server's certificate names the loopback address, its Service's address and ``addresses``.
    """

    def __init__(self, folder: Path, clock: Clock, addresses: tuple[str, ...] = ()) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._clock = clock
        self.ca_file = folder / "ca.crt"
        self.server_cert_file = folder / "apiserver.crt"
        self.server_key_file = folder / "apiserver.key"
        self.issuer_key_file = folder / "service-account.key"
        self.issuer_public_file = folder / "service-account.pub"
        self._ca_key = ec.generate_private_key(ec.SECP256R1())
        self._ca_name = _name("headgate-dev-ca", ())
        authority = self._certificate(self._ca_name, self._ca_key.public_key(), authority=True)
        self._write(self.ca_file, authority.public_bytes(serialization.Encoding.PEM))
        self._make_server_certificate(("127.0.0.1", "10.0.0.1", *addresses))
        self._make_issuer_keys()

    def client_certificate(self, user: str, groups: tuple[str, ...]) -> tuple[bytes, bytes]:
        """Return (certificate, key) in PEM for that user: CN is the user name, each O a group (Kubernetes x509 auth)."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._certificate(_name(user, groups), key.public_key(), usage=ExtendedKeyUsageOID.CLIENT_AUTH)
        return certificate.public_bytes(serialization.Encoding.PEM), _private_pem(key)

    def issuer_public_pem(self) -> str:
        """Return the public key that verifies the cluster's ServiceAccount tokens."""
        return self.issuer_public_file.read_text()

    def write_client_certificate(self, name: str, user: str, groups: tuple[str, ...]) -> tuple[Path, Path]:
        """Write a client certificate for a program that takes files; return (certificate file, key file)."""
        paths = self._folder / f"{name}.crt", self._folder / f"{name}.key"
        for path, content in zip(paths, self.client_certificate(user, groups), strict=True):
            self._write(path, content)
        return paths

    def _make_server_certificate(self, addresses: tuple[str, ...]) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName(
            [
                *(x509.DNSName(name) for name in _SERVER_NAMES),
                *(x509.IPAddress(ipaddress.ip_address(address)) for address in addresses),
            ]
        )
        certificate = self._certificate(
            _name("kube-apiserver", ()), key.public_key(), usage=ExtendedKeyUsageOID.SERVER_AUTH, names=names
        )
        self._write(self.server_cert_file, certificate.public_bytes(serialization.Encoding.PEM))
        self._write(self.server_key_file, _private_pem(key))

    def _make_issuer_keys(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._write(self.issuer_key_file, _private_pem(key))
        self._write(
            self.issuer_public_file,
            key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
        )

    def _certificate(
        self,
        subject: x509.Name,
        public_key: ec.EllipticCurvePublicKey,
        *,
        authority: bool = False,
        usage: x509.ObjectIdentifier | None = None,
        names: x509.SubjectAlternativeName | None = None,
    ) -> x509.Certificate:
        now = self._clock.now()
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._ca_name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + _LIFETIME)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._ca_key.public_key()), critical=False
            )
            .add_extension(_key_usage(authority=authority), critical=True)
        )
        if usage is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if names is not None:
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self._ca_key, hashes.SHA256())

    @staticmethod
    def _write(path: Path, content: bytes) -> None:
        path.touch(mode=0o600)
        path.write_bytes(content)


def _name(common_name: str, organisations: tuple[str, ...]) -> x509.Name:
    return x509.Name(
        [
            *(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation) for organisation in organisations),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _private_pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
