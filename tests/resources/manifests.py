"""Smallest manifests that the API server accepts: tests change one thing in a copy and look at what happens."""

import copy
from typing import Any

PROVIDER: dict[str, Any] = {
    "apiVersion": "headgate.dev/v1alpha1",
    "kind": "LLMProvider",
    "metadata": {"name": "anthropic"},
    "spec": {
        "protocol": "Anthropic",
        "endpoint": "https://api.anthropic.com",
        "models": [{"name": "claude-test"}],
        "auth": {"modes": ["APIKey"], "apiKey": {"importSecretRef": {"name": "anthropic-key", "key": "key"}}},
    },
}

ACCOUNT: dict[str, Any] = {
    "apiVersion": "headgate.dev/v1alpha1",
    "kind": "SubscriptionAccount",
    "metadata": {"name": "alice"},
    "spec": {
        "providerRef": {"name": "anthropic"},
        "owner": {"email": "alice@example.com", "subjects": [{"name": "agent"}]},
        "credential": {"importSecretRef": {"name": "alice-claude", "key": "credentials.json"}},
    },
}

OAUTH: dict[str, Any] = {
    "tokenEndpoint": "https://auth.vendor.example/oauth/token",
    "authorizationEndpoint": "https://vendor.example/oauth/authorize",
    "redirectURI": "https://vendor.example/oauth/code",
    "clientId": "registered-for-this-installation",
}

FLEET: dict[str, Any] = {
    "apiVersion": "headgate.dev/v1alpha1",
    "kind": "ProxyFleet",
    "metadata": {"name": "default"},
    "spec": {"image": "headgate:test", "allowedNamespaces": ["*"]},
}

POLICY: dict[str, Any] = {
    "apiVersion": "headgate.dev/v1alpha1",
    "kind": "RolloutPolicy",
    "metadata": {"name": "claude"},
    "spec": {"targets": [{"name": "anthropic"}], "steps": [{"weight": 100}]},
}


def changed(manifest: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return a copy with the field at the dotted path set (or removed, for None)."""
    out = copy.deepcopy(manifest)
    *parents, last = path.split(".")
    node = out
    for key in parents:
        node = node.setdefault(key, {})
    if value is None:
        node.pop(last, None)
    else:
        node[last] = value
    return out
