"""Objects as people would apply them, with credentials that are recognisably not real."""

import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from headgate_api import names
from headgate_api.acknowledgement import TEXT_VERSION
from headgate_operator.engine.keys import Key

START = datetime(2026, 11, 1, 12, tzinfo=UTC)
NS = "team"
PROVIDER = Key("LLMProvider", NS, "claude")
ACCOUNT = Key("SubscriptionAccount", NS, "ada")


def fleet() -> dict[str, Any]:
    return {
        "apiVersion": names.API_VERSION,
        "kind": "ProxyFleet",
        "metadata": {"namespace": "headgate-system", "name": "default"},
        "spec": {"image": "headgate", "allowedNamespaces": ["*"]},
    }


def provider(
    endpoint: str = "https://api.vendor.example", *, source: str | None = "key", modes: Sequence[str] = ("APIKey",)
) -> dict[str, Any]:
    api_key: dict[str, Any] = {"importSecretRef": {"name": source, "key": "value"}} if source else {}
    auth: dict[str, Any] = {"modes": list(modes)} | ({"apiKey": api_key} if "APIKey" in modes else {})
    return {
        "apiVersion": names.API_VERSION,
        "kind": "LLMProvider",
        "metadata": {"namespace": NS, "name": PROVIDER.name},
        "spec": {"protocol": "Anthropic", "endpoint": endpoint, "models": [{"name": "m"}], "auth": auth},
    }


def account(*, source: str | None = "plan", acknowledged: bool = True, **spec: Any) -> dict[str, Any]:
    given = {"by": "ada", "at": "2026-11-01T08:00:00Z", "textVersion": TEXT_VERSION}
    return {
        "apiVersion": names.API_VERSION,
        "kind": "SubscriptionAccount",
        "metadata": {"namespace": NS, "name": ACCOUNT.name},
        "spec": {
            "providerRef": {"name": PROVIDER.name},
            "owner": {"email": "ada@team.example"},
            "sharing": "Pool",
            "credential": {"importSecretRef": {"name": source, "key": "value"}} if source else {},
            **({"acknowledgement": given} if acknowledged else {}),
            **spec,
        },
    }


def secret(name: str, content: str | None, **metadata: Any) -> dict[str, Any]:
    data = {} if content is None else {"value": base64.b64encode(content.encode()).decode()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"namespace": NS, "name": name, **metadata},
        "data": data,
    }


def plan_file(name: str, *, hours: float = 8, indent: int | None = None) -> str:
    """Return a credential file with tokens that are recognisably not real."""
    expires = START + timedelta(hours=hours)
    oauth = {
        "accessToken": f"not-real-access-{name}",
        "refreshToken": f"not-real-refresh-{name}",
        "expiresAt": int(expires.timestamp() * 1000),
        "scopes": ["user:inference"],
    }
    return json.dumps({"claudeAiOauth": oauth}, indent=indent)
