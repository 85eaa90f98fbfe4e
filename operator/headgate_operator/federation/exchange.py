"""The exchange itself as values: the request, and what every answer to it means. Nothing here quotes the vendor.

Sources: RFC 7523 (JWT bearer grants); Anthropic API docs, "WIF reference"; the betas: Anthropic's SDKs, ``lib/credentials``.
Denials tell nothing as a rule (401): then everything that has to agree is named. Where the answer does say more, the field is.
"""

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

from headgate_api.secret import Secret
from headgate_operator.federation.assertion import ASSERTION_SECONDS, Assertion
from headgate_operator.federation.settings import Federation
from headgate_operator.oauth.answers import HttpAnswer, token_outcome
from headgate_operator.oauth.outcomes import ClientRefused, Granted, Terminal, Transient
from headgate_operator.oauth.requests import OAuthRequest

JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
BETAS: Final = "oauth-2025-04-20,oidc-federation-2026-04-01"
SPEC: Final = "spec.auth.workloadIdentity"
_MOST_READ: Final = 4096


@dataclass(frozen=True, slots=True)
class Refused:
    """The vendor does not take it. ``field`` names what of the spec is wrong, where that is known; ``what`` is a sentence."""

    what: str
    field: str | None = None


Outcome: TypeAlias = Granted | Refused | Transient


def exchange(federation: Federation, assertion: Assertion) -> OAuthRequest:
    """Return the request that spends an assertion."""
    auth = federation.auth
    body = {
        "grant_type": JWT_BEARER,
        "assertion": assertion.token.reveal(),
        "federation_rule_id": auth.federation_rule_id,
        "organization_id": auth.organization_id,
        "service_account_id": auth.service_account_id,
    }
    if auth.workspace_id is not None:
        body["workspace_id"] = auth.workspace_id
    headers = {
        "accept": Secret("application/json"),
        "content-type": Secret("application/json"),
        "user-agent": Secret("headgate"),
        "anthropic-beta": Secret(BETAS),
    }
    return OAuthRequest(
        federation.token_endpoint,
        headers,
        Secret(json.dumps(body)),
        federation.ca_bundle,
        endpoint_field=f"{SPEC}.tokenEndpoint",
        ca_field="spec.tls.caBundle",
    )


def outcome(answer: HttpAnswer, federation: Federation, assertion: Assertion, now: datetime) -> Outcome:
    """Return what the vendor's answer means."""
    found = token_outcome(answer, now)
    if isinstance(found, Granted) or (isinstance(found, Transient) and answer.status not in (400, 401, 403)):
        return found
    status = answer.status
    if 300 <= status < 400 or status in (404, 405, 410, 415):
        what = f"the vendor answers {status}: {SPEC}.tokenEndpoint ({federation.token_endpoint}) issues no tokens; correct it"
        return Refused(what, f"{SPEC}.tokenEndpoint")
    if not isinstance(found, ClientRefused | Terminal | Transient):
        return Refused(f"the vendor's answer ({status}) is one for device codes; check {SPEC}.tokenEndpoint")
    return _explained(status, _said(answer), federation, assertion)


def _explained(status: int, said: str, federation: Federation, assertion: Assertion) -> Refused:
    """Name the field that is wrong by the words of a denial, of which none is repeated."""
    auth, rule = federation.auth, f"rule {federation.auth.federation_rule_id}"
    fields = {
        "times": (None, f"the assertion's times do not hold: check this cluster's clocks, and that the vendor lets the issuer's "
                        f"tokens live for {ASSERTION_SECONDS} s"),
        "reused": (None, "the assertion was used before; the next attempt makes a new one"),
        "subject": ("serviceAccountName", f"{rule} does not allow subject {federation.subject}"),
        "audience": ("audience", f"{rule} does not accept audience {auth.audience}"),
        "issuer": (None, f"the vendor does not trust issuer {assertion.issuer} for {rule}, or does not have this cluster's signing "
                         "keys (JWKS)"),
        "workspace": ("workspaceId", f"{rule} does not cover workspace {auth.workspace_id or '(none is named)'}"),
        "organization": ("organizationId", f"{auth.organization_id} is not the organization of {rule}"),
        "account": ("serviceAccountId", f"{auth.service_account_id} is not the service account of {rule}"),
        "rule": ("federationRuleId", f"{rule} does not exist there, or is archived"),
        "form": (None, f"the vendor finds the request malformed: check the form of {SPEC}.federationRuleId (fdrl_...), "
                       "organizationId, serviceAccountId (svac_...) and workspaceId (wrkspc_... or default)"),
    }  # fmt: skip
    kind = next((kind for kind, pattern in _WORDS if pattern.search(said)), None)
    agree = (
        f"At the vendor, {rule} (organization {auth.organization_id}) has to trust issuer {assertion.issuer} with subject "
        f"{federation.subject} and audience {auth.audience}, and to target service account {auth.service_account_id}"
    )
    if kind is None:
        text = (
            f"the vendor denies the exchange ({status}) without saying why: compare {SPEC}.federationRuleId, organizationId, "
            f"serviceAccountId, workspaceId, audience and serviceAccountName with the rule, and see the vendor's own list of "
            f"authentication events. {agree}"
        )
        return Refused(text)
    name, what = fields[kind]
    where = f"{SPEC}.{name}: " if name is not None else ""
    return Refused(
        f"the vendor denies the exchange ({status}). {where}{what}. {agree}", f"{SPEC}.{name}" if name else None
    )


_WORDS: Final = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        ("reused", r"reus|replay|already (been )?used|\bjti\b"),
        ("times", r"expired|not (yet|valid) (valid|yet)|lifetime|lives? (for )?(too|longer)|\biat\b|\bnbf\b|\bexp\b"),
        ("form", r"must have the form|field required|malformed|invalid_request\b.*required"),
        ("subject", r"subject|\bsub\b"),
        ("audience", r"audience|\baud\b"),
        ("issuer", r"issuer|\biss\b|jwks|signature|\bkid\b|signed|signing"),
        ("workspace", r"workspace"),
        ("organization", r"organi[sz]ation"),
        ("account", r"service[ _-]?account"),
        ("rule", r"\brule|federation_rule"),
    )
)


def _said(answer: HttpAnswer) -> str:
    """Return the words of a refusal, in lower case: only to be searched for what they are about."""
    try:
        document: Any = json.loads(answer.body.reveal())
    except (ValueError, RecursionError):
        return ""
    if not isinstance(document, dict):
        return ""
    error = document.get("error")
    parts = [document.get("error_description"), document.get("message")]
    parts += [error.get("message"), error.get("code"), error.get("type")] if isinstance(error, dict) else [error]
    return " ".join(part for part in parts if isinstance(part, str)).lower()[:_MOST_READ]
