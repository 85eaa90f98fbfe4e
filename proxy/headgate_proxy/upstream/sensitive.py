"""Which names of headers and query parameters look like they carry a credential or belong to one hop only.

A caller's token opens the gate and nothing else: whatever looks like one stays here (S4.10), also under names nobody
has listed.
"""

import re
from functools import lru_cache
from typing import Final

HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""RFC 9110, section 7.6.1, and the ones older clients still send."""

_OWNED: Final = frozenset(
    {
        "host",
        "content-length",
        "expect",
        "accept-encoding",
        "forwarded",
        "via",
        "x-real-ip",
        "x-client-ip",
        "true-client-ip",
        "traceparent",
        "tracestate",
        "baggage",
        "b3",
        "http2-settings",
        "x-http-method-override",  # some vendors obey it: the gate decides what is asked
        "x-http-method",
        "x-method-override",
    }
)
_OWNED_PREFIXES: Final = ("proxy-", "x-headgate-", "x-forwarded-", "x-b3-", "x-envoy-", "sec-websocket-")

_ACCOUNTS: Final = frozenset({"chatgpt-account-id", "openai-organization", "openai-project", "x-goog-user-project"})
"""On whose account the gate's credential is used: for the provider's spec and the credential's record to say, since a caller
could have a good credential refused by naming another's."""

_CREDENTIAL: Final = re.compile(
    r"""
    (?:^|[-_.])
    (?: auth[a-z0-9]* | [a-z0-9]*auth
      | [a-z0-9]*(?:secret|credential|password|passwd|passphrase|cookie|apikey|jwt|bearer|signature|assertion)s?[0-9]*
      | (?<!max[-_])[a-z0-9]*token s?
      | (?<!idempotency[-_])[a-z0-9]*key
    )
    (?=$|[-_.])
    """,
    re.VERBOSE,
)


@lru_cache(maxsize=4096)
def is_credential_name(name: str) -> bool:
    """Tell whether a header or query parameter of this name may carry a credential."""
    return _CREDENTIAL.search(name.lower()) is not None


def may_clients_send(name: str) -> bool:
    """Tell whether a request header of a client is passed on."""
    return may_go_upstream(name) and name.lower() not in _ACCOUNTS


@lru_cache(maxsize=4096)
def may_go_upstream(name: str) -> bool:
    """Tell whether a request header may be set by anybody but the gate; the rest is its own, or one hop's."""
    lower = name.lower()
    if lower in HOP_BY_HOP or lower in _OWNED or lower.startswith(_OWNED_PREFIXES):
        return False
    return not is_credential_name(lower)
