"""A certificate that somebody else makes (by hand, or cert-manager): taken as it is, once it is proved to be of use."""

from dataclasses import dataclass
from datetime import datetime

from headgate_operator.pki.kept import pair_in, text
from headgate_runtime.certificates import AUTHORITY_KEY, BadCertificate, Leaf, check, read_certificates
from headgate_runtime.kube import Object
from headgate_runtime.trusting_tls import refusal


@dataclass(frozen=True, slots=True)
class Given:
    """``leaf`` None: it cannot be used, for the reason ``problem``. ``authority``: its ca.crt (PEM), empty if unusable."""

    leaf: Leaf | None
    authority: str
    problem: str = ""


def judge(name: str, body: Object | None, dns_name: str, now: datetime) -> Given:
    """Return what the Secret ``name`` (``body`` None: there is none) is worth to a server that is known as ``dns_name``."""
    if body is None:
        return Given(None, "", f"Secret {name} does not exist; make it, or see why cert-manager does not")
    authority = text(body, AUTHORITY_KEY)
    try:
        if not authority:
            raise BadCertificate(AUTHORITY_KEY, "is missing", "put the certificate there that signed tls.crt, PEM")
        read_certificates(authority, AUTHORITY_KEY)
    except BadCertificate as bad:
        return Given(None, "", f"Secret {name}: {bad}")
    try:
        pair = pair_in(body)
        leaf = check(pair, now, dns_name)
        why = refusal(pair, authority, dns_name)
        if why is not None:
            raise BadCertificate(
                AUTHORITY_KEY,
                f"does not vouch for tls.crt: a client says {why!r}",
                "put the authority there that signed it, and intermediates into tls.crt behind the certificate",
            )
    except BadCertificate as bad:
        return Given(None, authority, f"Secret {name}: {bad}")
    return Given(leaf, authority)
