"""The credentials the emulated vendor knows, and who a request says it is: the vendor's side of sign-in."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from headgate_dev.emulator.plans import Plan


class TokenState(StrEnum):
    """What the vendor thinks of an OAuth access token."""

    VALID = "valid"
    EXPIRED = "expired"
    REVOKED = "revoked"


CredentialKind = Literal["api_key", "oauth"]

_KEY_HEADERS = ("x-api-key", "x-goog-api-key")


@dataclass
class Credentials:
    """API keys and OAuth access tokens; tests change these while the emulator runs.

    ``revoked_status`` selects which of the two observed refusals a revoked token meets (Anthropic). ``plans``: how much of its
    plan the account of an OAuth token has used; a token that is not here has used a quarter.
    """

    api_keys: set[str] = field(default_factory=set)
    oauth_tokens: dict[str, TokenState] = field(default_factory=dict)
    revoked_status: Literal[401, 403] = 403
    plans: dict[str, Plan] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the form kept in a state file and taken by the control API."""
        return {
            "api_keys": sorted(self.api_keys),
            "oauth_tokens": {token: state.value for token, state in self.oauth_tokens.items()},
            "revoked_status": self.revoked_status,
            "plans": {token: plan.model_dump(mode="json") for token, plan in self.plans.items()},
        }

    def plan(self, token: str) -> Plan:
        """Return the plan of the account that ``token`` is for."""
        return self.plans.get(token, Plan())

    def identify(
        self, headers: dict[str, str], query: dict[str, str] | None = None
    ) -> tuple[CredentialKind, str] | None:
        """Return the kind and value of the credential in ``headers`` (names in lower case), or None.

        A bearer that is one of the API keys counts as that key: OpenAI's keys are sent so, and Anthropic's Python SDK sends
        keys so since its version 2 (``anthropic/_client.py``, ``_api_key_auth``), earlier ones and Claude Code as
        ``x-api-key``. Google takes a key as ``x-goog-api-key`` or as ``key`` in ``query``.
        """
        for name in _KEY_HEADERS:
            if key := headers.get(name):
                return "api_key", key
        if key := (query or {}).get("key"):
            return "api_key", key
        scheme, _, token = headers.get("authorization", "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            return None
        return ("api_key" if token in self.api_keys else "oauth"), token
