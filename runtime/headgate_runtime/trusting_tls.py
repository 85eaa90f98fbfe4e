"""The client's side of TLS inside the cluster: a bundle of certificates, and nobody else, is believed."""

import ssl
from typing import Final

from headgate_runtime.certificates import Pair
from headgate_runtime.serving_tls import server_context

_ROUNDS: Final = 10


def client_context(pem: str) -> ssl.SSLContext:
    """Return a client context (TLS 1.2 or later) that trusts exactly the certificates of ``pem`` and checks the server's name.

    A certificate of the bundle is believed as it is: it need not be a root. Peers are reached by address, so give the name
    to check as ``server_hostname``. Raises ValueError when ``pem`` holds no certificate or a damaged one.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(cadata=pem)
    except (ssl.SSLError, ValueError) as error:
        raise ValueError(f"the trust bundle holds no usable PEM certificate: {error}") from error
    return context


def refusal(pair: Pair, bundle: str, dns_name: str) -> str | None:
    """Return why a client that trusts ``bundle`` and asks for ``dns_name`` would refuse ``pair``, or None: it takes it.

    A handshake in memory tells, so the answer is the client's own. Raises ValueError when the bundle, and BadCertificate
    when the pair, cannot be used at all.
    """
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = server_context(pair).wrap_bio(to_server, to_client, server_side=True)
    client = client_context(bundle).wrap_bio(to_client, to_server, server_hostname=dns_name)
    for _ in range(_ROUNDS):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLCertVerificationError as error:
                return error.verify_message
            except ssl.SSLError as error:
                return str(error.reason or error)
            if side is client:
                return None
    return "the handshake does not end"
