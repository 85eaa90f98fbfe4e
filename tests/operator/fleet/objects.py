"""Objects as the API server would return them, for tests of pure functions."""

from typing import Any

from headgate_api.resources import LLMProvider, ProxyFleet, SubscriptionAccount


def fleet_body(name: str = "default", namespace: str = "headgate-system", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "headgate.dev/v1alpha1",
        "kind": "ProxyFleet",
        "metadata": {"name": name, "namespace": namespace, "uid": "fleet-uid", "generation": 1},
        "spec": {"image": "headgate:test", "allowedNamespaces": ["*"], **spec},
    }


def fleet(status: dict[str, Any] | None = None, **spec: Any) -> ProxyFleet:
    return ProxyFleet.from_wire(fleet_body(**spec) | ({"status": status} if status else {}))


def provider(
    name: str = "claude",
    namespace: str = "team",
    *,
    version: int | None = 1,
    deleted: bool = False,
    api_key: dict[str, Any] | None = None,
    **spec: Any,
) -> LLMProvider:
    return LLMProvider.from_wire(
        {
            "metadata": {"name": name, "namespace": namespace, "generation": 1}
            | ({"deletionTimestamp": "2026-01-01T00:00:00Z"} if deleted else {}),
            "spec": {
                "protocol": "Anthropic",
                "endpoint": "https://api.vendor.example",
                "models": [{"name": "m"}],
                "auth": {"modes": ["APIKey"], "apiKey": api_key or {}},
            }
            | spec,
            "status": {"apiKey": {"version": version}, "conditions": []},
        }
    )


def account(
    name: str = "alice", namespace: str = "team", *, provider: str = "claude", version: int | None = None, **spec: Any
) -> SubscriptionAccount:
    return SubscriptionAccount.from_wire(
        {
            "metadata": {"name": name, "namespace": namespace, "generation": 1, "labels": {"tier": "max"}},
            "spec": {
                "providerRef": {"name": provider},
                "owner": {"email": "alice@example.com", "subjects": [{"name": "agent"}]},
            }
            | spec,
            "status": {"credential": {"version": version}, "conditions": []},
        }
    )
