"""Workload identity federation: a workload's own token, verified for real, is exchanged for an access token (RFC 7523).

Fields, checks, lifetimes and the refusal that tells nothing: Anthropic API docs, "WIF reference"; the beta that routes the
call: the SDKs' ``lib/credentials``.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from headgate_dev.emulator.credentials import Credentials, TokenState
from headgate_dev.emulator.oauth.assertions import Assertion, Assertions, Denied, JwksUrl

JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
FEDERATION_BETA: Final = "oidc-federation-2026-04-01"
_SHORTEST: Final = timedelta(seconds=60)
_FIELDS: Final = ("assertion", "federation_rule_id", "organization_id", "service_account_id")


@dataclass(frozen=True)
class FederationRule:
    """Which assertions may act as which service account.

    ``subject`` is matched exactly, or as a prefix when it ends in ``*``. ``workspace_id``: the rule's only workspace, or a tuple
    of several (then a request has to name one); None: the organization's default workspace.
    """

    id: str
    organization_id: str
    service_account_id: str
    issuer: str
    audience: str
    subject: str
    workspace_id: str | tuple[str, ...] | None = None
    scope: str = "workspace:inference"

    def check(self, given: dict[str, str], assertion: Assertion) -> None:
        """Raise Denied unless the request and its verified assertion satisfy this rule."""
        if given["organization_id"] != self.organization_id:
            raise Denied("organization_mismatch", "organization_id is not the organization of the federation rule")
        if given["service_account_id"] != self.service_account_id:
            raise Denied("service_account_mismatch", "service_account_id is not the target of the federation rule")
        if self.audience not in assertion.audiences:
            raise Denied("match_audience", f"audience mismatch: aud does not contain {self.audience!r}")
        wanted = self.subject
        if not (assertion.subject.startswith(wanted[:-1]) if wanted.endswith("*") else assertion.subject == wanted):
            raise Denied("match_subject_prefix", f"subject {assertion.subject!r} is not allowed by the federation rule")
        self._check_workspace(given.get("workspace_id"))

    def _check_workspace(self, asked: str | None) -> None:
        enabled = (self.workspace_id,) if isinstance(self.workspace_id, str) else self.workspace_id or ("default",)
        if asked is None and len(enabled) > 1:
            raise Denied("workspace_id_required", "workspace_id is required: the rule covers several workspaces")
        if asked is not None and asked not in enabled:
            raise Denied("workspace_mismatch", "the federation rule does not cover this workspace_id")


@dataclass(frozen=True)
class Attempt:
    """One exchange, as the vendor's own authentication history shows it; ``denied`` is its reason."""

    request: int
    rule: str
    denied: str | None = None


@dataclass(frozen=True)
class Federated:
    """What an exchange hands out."""

    access_token: str
    expires_in: int
    scope: str


class Federation:
    """The rules of one vendor, the issuers they trust, and every token that came of them.

    ``issuers``: issuer URL (compared as text, never called) to its JWKS or where that is. ``lifetime`` bounds a token, as does
    twice what is left of its assertion (but a minute at least). ``denials``: "Described" says what is wrong (RFC 6749),
    "Opaque" says what the vendor says: nothing but 401.
    """

    def __init__(
        self,
        *rules: FederationRule,
        issuers: dict[str, dict[str, Any] | JwksUrl] | None = None,
        lifetime: timedelta = timedelta(hours=1),
        denials: Literal["Described", "Opaque"] = "Described",
    ) -> None:
        self.rules = {rule.id: rule for rule in rules}
        self.assertions = Assertions(issuers)
        self.lifetime = lifetime
        self.denials = denials
        self.attempts: list[Attempt] = []
        self._ends: dict[str, datetime] = {}

    def exchange(self, number: int, given: dict[str, str], now: datetime, credentials: Credentials) -> Federated:
        """Answer request ``number``. Raises Denied; a malformed request is the reason ``malformed``, 400 in any case."""
        _check_form(given)
        rule = given["federation_rule_id"]
        try:
            issued = self._issue(given, now, credentials)
        except Denied as denied:
            self.attempts.append(Attempt(number, rule, denied.reason))
            raise
        self.attempts.append(Attempt(number, rule))
        return issued

    def expire(self, now: datetime, credentials: Credentials) -> None:
        """Let the tokens expire whose time has come."""
        for token, end in self._ends.items():
            if now >= end and credentials.oauth_tokens.get(token) is TokenState.VALID:
                credentials.oauth_tokens[token] = TokenState.EXPIRED

    def shown(self) -> dict[str, Any]:
        """Return the attempts for the control API."""
        return {"attempts": [vars(attempt) for attempt in self.attempts]}

    def _issue(self, given: dict[str, str], now: datetime, credentials: Credentials) -> Federated:
        rule = self.rules.get(given["federation_rule_id"])
        if rule is None:
            raise Denied("unknown_rule", f"federation rule {given['federation_rule_id']!r} is unknown")
        assertion = self.assertions.verify(given["assertion"], rule.issuer, now)
        rule.check(given, assertion)
        self.assertions.use(assertion)
        lifetime = max(_SHORTEST, min(self.lifetime, 2 * (assertion.expires - now)))
        token = f"sk-ant-oat01-emulated-federated-{len(self._ends) + 1}"
        self._ends[token] = now + lifetime
        credentials.oauth_tokens[token] = TokenState.VALID
        return Federated(token, int(lifetime.total_seconds()), rule.scope)


def _check_form(given: dict[str, str]) -> None:
    for name in _FIELDS:
        if not given.get(name):
            raise Denied("malformed", f"{name}: Field required")
    if not given["federation_rule_id"].startswith("fdrl_"):
        raise Denied("malformed", "federation_rule_id: must have the form fdrl_...")
    workspace = given.get("workspace_id", "default")
    if workspace != "default" and not workspace.startswith("wrkspc_"):
        raise Denied("malformed", "workspace_id: must have the form wrkspc_... or be default")
