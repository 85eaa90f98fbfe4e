"""The broker as the head names it: what it is known by, and the token that goes to it and to nobody else."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from headgate_api import names
from headgate_api.secret import Secret
from headgate_proxy.tls.trust import client_context


class Untrusted(Exception):  # noqa: N818 - reads as what it is
    """There is a broker, but no way to know it for what it is."""


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is, and by which name and certificates (PEM) it is known."""

    url: str
    trust_bundle: str | None
    server_name: str

    @classmethod
    def of(cls, url: str | None, trust_bundle: str | None, namespace: str) -> "Broker | None":
        """Return the broker of the fleet's namespace, or None while the head names none."""
        return None if url is None else cls(url, trust_bundle, names.broker_server_name(namespace))

    def trusted(self) -> ssl.SSLContext:
        """Return what its connections are secured by. Raises Untrusted when nothing says whom to believe."""
        if not self.url.startswith("https://"):
            raise Untrusted(f"the head names a broker without TLS ({self.url}); tokens are not sent there")
        if self.trust_bundle is None:
            raise Untrusted("the head carries no trust bundle; see condition CertificatesReady of the ProxyFleet")
        try:
            return client_context(self.trust_bundle)
        except ValueError as error:
            raise Untrusted(str(error)) from None


def broker_token(token_file: Path) -> Secret:
    """Read the projected token each time, since it rotates. Raises OSError, ValueError."""
    return Secret(token_file.read_text(encoding="ascii").strip())
