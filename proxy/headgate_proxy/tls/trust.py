"""Whom a proxy believes inside the cluster: the certificates that the head names, and nobody else."""

import ssl


def client_context(pem: str) -> ssl.SSLContext:
    """Return a client context (TLS 1.2 or later) that trusts exactly the certificates of ``pem`` and checks the server's name.

    A certificate of the bundle is believed as it is: it need not be a root. Peers are reached by address, so give the name
    to check as ``server_hostname``. Raises ValueError when ``pem`` holds no certificate or a damaged one.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT
    try:
        context.load_verify_locations(cadata=pem)
    except (ssl.SSLError, ValueError) as error:
        raise ValueError(f"the trust bundle holds no usable PEM certificate: {error}") from error
    return context
