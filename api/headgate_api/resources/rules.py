"""CEL rules that several resources share: what a URL or a header may be, each with the mend."""

from typing import Final

from headgate_api.resources.base import Rule

ENDPOINT: Final = (
    Rule(
        "isURL(self) && (self.startsWith('https://') || self.startsWith('http://'))",
        "must be an absolute URL such as https://api.anthropic.com",
    ),
    Rule("!isURL(self) || url(self).getQuery().size() == 0", "must not have a query; write the base URL only"),
    Rule(
        "!self.contains('@')",
        "must not carry user information; put the credential into a Secret and name it in spec.auth",
    ),
    Rule("!self.contains('#')", "must not have a fragment; write the base URL only"),
)

_FORBIDDEN_HEADERS: Final = (
    "['authorization','proxy-authorization','x-api-key','x-goog-api-key','cookie','host','content-length',"
    "'transfer-encoding','connection','te','trailer','upgrade','keep-alive','accept-encoding']"
)

HEADERS: Final = (
    Rule(
        f"self.all(h, !(h.lowerAscii() in {_FORBIDDEN_HEADERS}))",
        "sets a header that Headgate owns (credentials, host, length and hop-by-hop headers); remove it, and put "
        "credentials under spec.auth",
    ),
    Rule(
        "self.all(h, h.matches('^[A-Za-z0-9!#$%&*+.^_|~-]{1,128}$') && self[h].matches('^[\\\\x20-\\\\x7E\\\\t]*$'))",
        "holds a name or value that HTTP does not allow; use token characters in names and printable ASCII in values",
    ),
)

NO_IDENTITY: Final = Rule(
    "self.all(h, !(h.lowerAscii() in ['user-agent','x-app','originator']) && !h.lowerAscii().startsWith('x-stainless-'))",
    "sets a header by which clients say who they are, and that is theirs to say; remove it, or decide on it in "
    "spec.auth.subscription.identity, with an acknowledgement",
)

HTTPS: Final = (
    Rule(
        "isURL(self) && self.startsWith('https://')",
        "must be an https:// URL such as https://auth.vendor.example/token",
    ),
    Rule("!self.contains('@')", "must not carry user information; name the client secret in clientSecretRef"),
    Rule("!self.contains('#')", "must not have a fragment; write the endpoint only"),
)
